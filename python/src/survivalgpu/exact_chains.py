"""Tied event times as chains of rows, for the exact partial likelihood.

At an event time with ``d`` events among ``m`` rows at risk, the exact likelihood sums
over all ``d``-subsets of those rows (Cox 1972; Gail, Lubin and Rubinstein 1981). The sum
is built one row at a time, so what is needed of each event time is a *chain*: its rows at
risk in some order, and a *target*, the place ``m`` in that order and the size ``d``.

* Right-censored data: the risk sets of a stratum are nested. Its rows by descending time
  are one chain, with a target for each of its tied event times.
* ``(start, stop]`` data: each tied event time is a chain of its own.

Event times with a single event need no chain: all treatments of ties agree there.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from survivalgpu.sparse import offsets_from_counts


@dataclass(frozen=True)
class Chains:
    """Rows and targets of ``C`` chains with ``N`` members and ``K`` targets in all.

    Attributes
    ----------
    rows : Tensor
        ``(N,)`` int64 row of the data of each member, chain after chain.
    is_event : Tensor
        ``(N,)`` bool, whether the member is one of the tied events of its chain.
    offsets : Tensor
        ``(C + 1,)`` int64. Chain ``c`` owns members ``offsets[c]`` to ``offsets[c + 1]``.
    target_chain, target_place, target_size : Tensor
        ``(K,)`` int64, ordered by chain: the first ``target_place`` members of the chain
        are at risk when ``target_size`` of them have an event.
    """

    rows: Tensor
    is_event: Tensor
    offsets: Tensor
    target_chain: Tensor
    target_place: Tensor
    target_size: Tensor

    @property
    def n_chains(self) -> int:
        """Number ``C`` of chains."""
        return self.offsets.numel() - 1

    @property
    def lengths(self) -> Tensor:
        """``(C,)`` number of members of each chain."""
        return self.offsets.diff()

    @property
    def orders(self) -> Tensor:
        """``(C,)`` the largest target size of each chain."""
        return self.target_size.new_zeros(self.n_chains).scatter_reduce_(
            0, self.target_chain, self.target_size, "amax"
        )


@dataclass(frozen=True)
class _Keys:
    """Integers that order (stratum, time) pairs: ``stratum * width + rank of the time``."""

    stop: Tensor  # (n,)
    start: Tensor | None  # (n,)
    tied: Tensor  # (K,) of the tied event times, ascending
    tied_size: Tensor  # (K,) their numbers of events
    width: int


def split_ties(
    stop: Tensor, event: Tensor, start: Tensor | None = None, strata: Tensor | None = None
) -> tuple[Tensor, Chains]:
    """Separate the events without ties from the chains of the tied ones.

    Parameters
    ----------
    stop, start : Tensor
        ``(n,)`` float64 ends and, for ``(start, stop]`` data, starts of follow-up.
    event : Tensor
        ``(n,)`` bool.
    strata : Tensor, optional
        ``(n,)`` int64 codes from 0.

    Returns
    -------
    single : Tensor
        ``(n,)`` bool, events alone at their time and stratum.
    chains : Chains
        The tied event times.
    """
    times = torch.unique(stop[event])
    width = times.numel() + 1
    base = torch.zeros_like(stop, dtype=torch.int64) if strata is None else strata * width
    stop_key = base + torch.searchsorted(times, stop.contiguous(), right=True)
    start_key = None
    if start is not None:
        start_key = base + torch.searchsorted(times, start.contiguous(), right=True)
    pairs, pair, counts = torch.unique(stop_key[event], return_inverse=True, return_counts=True)
    single = event.clone()
    single[event] = counts[pair] == 1
    tied = counts > 1
    keys = _Keys(stop_key, start_key, pairs[tied], counts[tied], width)
    members = _nested_chains(keys) if start is None else _separate_chains(keys)
    return single, _with_events(members, keys, event & ~single)


def _nested_chains(keys: _Keys) -> tuple[Tensor, ...]:
    """One chain for each stratum with ties, by descending time down to its first tie."""
    stratum, rank = _split(keys.stop, keys.width)
    tied_stratum, tied_rank = _split(keys.tied, keys.width)
    with_ties, chain, n_each = torch.unique_consecutive(
        tied_stratum, return_inverse=True, return_counts=True
    )
    first = tied_rank[offsets_from_counts(n_each)[:-1]]
    place = torch.searchsorted(with_ties, stratum).clamp(max=max(with_ties.numel() - 1, 0))
    rows = stop_rows = torch.arange(stratum.numel(), device=stratum.device)
    if with_ties.numel():
        rows = stop_rows[(with_ties[place] == stratum) & (rank >= first[place])]
    else:
        rows = stop_rows[:0]
    descending = place[rows] * keys.width + (keys.width - rank[rows])
    descending, by_time = torch.sort(descending, stable=True)
    offsets = offsets_from_counts(torch.bincount(place[rows], minlength=with_ties.numel()))
    wanted = chain * keys.width + (keys.width - tied_rank)
    at_risk = torch.searchsorted(descending, wanted, right=True) - offsets[chain]
    return rows[by_time], offsets, chain, at_risk


def _separate_chains(keys: _Keys) -> tuple[Tensor, ...]:
    """One chain for each tied event time: a row at risk at several is in several."""
    first = torch.searchsorted(keys.tied, keys.start, right=True)
    last = torch.searchsorted(keys.tied, keys.stop, right=True)
    n_each = (last - first).clamp(min=0)
    rows = torch.repeat_interleave(torch.arange(n_each.numel(), device=first.device), n_each)
    within = torch.arange(rows.numel(), device=rows.device) - offsets_from_counts(n_each)[rows]
    chain, by_chain = torch.sort(first[rows] + within, stable=True)
    lengths = torch.bincount(chain, minlength=keys.tied.numel())
    chains = torch.arange(keys.tied.numel(), device=rows.device)
    return rows[by_chain], offsets_from_counts(lengths), chains, lengths


def _with_events(members: tuple[Tensor, ...], keys: _Keys, tied_event: Tensor) -> Chains:
    rows, offsets, chain, place = members
    is_event = tied_event[rows]
    if keys.start is not None:
        # an event ends one chain of its row and is no event in the others
        of_member = torch.repeat_interleave(keys.tied, offsets.diff())
        is_event = is_event & (keys.stop[rows] == of_member)
    return Chains(rows, is_event, offsets, chain, place, keys.tied_size)


def _split(keys: Tensor, width: int) -> tuple[Tensor, Tensor]:
    stratum = torch.div(keys, width, rounding_mode="floor")
    return stratum, keys - stratum * width
