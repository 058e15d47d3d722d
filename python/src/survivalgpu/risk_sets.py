"""Rows of survival data to risk sets: who is at risk at which event times.

The distinct (stratum, event time) pairs are numbered ``k = 0 .. K-1``, strata one
after another and times ascending within each. A row that covers ``(start, stop]``
is at risk at the contiguous range ``lo <= k < hi`` of its stratum's event times.
Rows with the same range form a *group*: everything the partial likelihood needs
from the risk sets is a sum by group, then a sum over the groups at risk.
"""

from __future__ import annotations

from ctypes import CDLL
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from survivalgpu.interval_sums import (
    DyadicIntervalSums,
    IntervalSums,
    RightCensoredSums,
    StrataLayout,
)
from survivalgpu.kernels import check, kernels_for, n_threads, pointer
from survivalgpu.memory import empty
from survivalgpu.sorting import count_at_most, distinct, sort_keys
from survivalgpu.sparse import offsets_from_counts

# The kernels number rows and event times by 31 bits.
_MOST_ROWS = 2**31 - 1


@dataclass(frozen=True)
class RiskSets:
    """Risk sets of one data set, computed once and never changed.

    Attributes
    ----------
    order : Tensor
        ``(n_used,)`` int64. Row of the data at each sorted place; rows of one group
        are neighbours. Rows at risk at no event time are left out.
    group_offsets : Tensor
        ``(G + 1,)`` int64. Group ``g`` owns sorted rows ``group_offsets[g]`` to
        ``group_offsets[g + 1]``.
    group_lo, group_hi : Tensor
        ``(G,)`` int64. The event times ``group_lo <= k < group_hi`` of each group.
    event_rows : Tensor
        ``(N,)`` int64. Sorted places of the rows with an event, ordered by ``k``.
    event_offsets : Tensor
        ``(K + 1,)`` int64. Events of event time ``k`` in ``event_rows``.
    event_times : Tensor
        ``(K,)`` float64, the time of each ``k``.
    event_strata : Tensor
        ``(K,)`` int64, the stratum (0-based) of each ``k``.
    row_strata : Tensor or None
        ``(n_used,)`` int64 stratum of each sorted row; None without strata.
    n_strata : int
        Number of strata, those without events included.
    n_rows : int
        Number of rows of the data, unused ones included.
    counting : bool
        Whether the data have start times.
    """

    order: Tensor
    group_offsets: Tensor
    group_lo: Tensor
    group_hi: Tensor
    event_rows: Tensor
    event_offsets: Tensor
    event_times: Tensor
    event_strata: Tensor
    row_strata: Tensor | None
    n_strata: int
    n_rows: int
    counting: bool

    @cached_property
    def group_of_row(self) -> Tensor | None:
        """``(n_used,)`` group of each row; None where every group is a single row."""
        if self.n_groups == self.n_used:
            return None
        groups = torch.arange(self.n_groups, device=self.order.device)
        return torch.repeat_interleave(groups, self.group_offsets.diff())

    @cached_property
    def intervals(self) -> IntervalSums:
        """Sums over risk sets, and their transpose."""
        counts = torch.bincount(self.event_strata, minlength=self.n_strata)
        sums = DyadicIntervalSums if self.counting else RightCensoredSums
        return sums(StrataLayout.from_counts(counts), self.group_lo, self.group_hi)

    @property
    def n_event_times(self) -> int:
        """Number ``K`` of distinct (stratum, event time) pairs."""
        return self.event_times.numel()

    @property
    def n_groups(self) -> int:
        """Number ``G`` of distinct ranges of event times."""
        return self.group_offsets.numel() - 1

    @property
    def n_used(self) -> int:
        """Number of rows at risk at one event time or more."""
        return self.order.numel()


def build_risk_sets(
    stop: Tensor, event: Tensor, start: Tensor | None = None, strata: Tensor | None = None
) -> RiskSets:
    """Find the risk sets of right-censored or ``(start, stop]`` data.

    Parameters
    ----------
    stop : Tensor
        ``(n,)`` float64, end of follow-up of each row, in any one time unit.
    event : Tensor
        ``(n,)`` bool, True where the row ends with an event.
    start : Tensor, optional
        ``(n,)`` float64, entry times; a row is at risk at ``t`` if ``start < t <= stop``.
    strata : Tensor, optional
        ``(n,)`` int64 codes ``0 .. S-1``.

    Returns
    -------
    RiskSets

    Notes
    -----
    Interval conventions are those of Therneau and Grambsch (2000), *Modeling
    Survival Data*, section 3.7.
    """
    arrays = [t if t is None else t.contiguous() for t in (start, stop, event, strata)]
    times = distinct(arrays[1], arrays[2])
    kernels = kernels_for(*arrays)
    if kernels is not None and 0 < stop.numel() < _MOST_ROWS:
        return _compiled_risk_sets(kernels, times, *arrays)
    stop_rank = count_at_most(times, stop)
    start_rank = None if start is None else count_at_most(times, start)
    keys, lo, hi, width = _ranges(stop_rank, start_rank, event, strata, times.numel())
    n_strata = 1 if strata is None else int(strata.max()) + 1
    key_strata = torch.div(keys, width, rounding_mode="floor")
    order, group_offsets, group_lo, group_hi = _sort_rows(lo, hi, start is not None, keys.numel())
    event_sorted = event[order]
    places = torch.nonzero(event_sorted).squeeze(1)
    event_k, by_time = sort_keys(hi[order[places]] - 1, keys.numel())
    return RiskSets(
        order=order,
        group_offsets=group_offsets,
        group_lo=group_lo,
        group_hi=group_hi,
        event_rows=places[by_time],
        event_offsets=offsets_from_counts(torch.bincount(event_k, minlength=keys.numel())),
        event_times=times[(keys - key_strata * width) - 1],
        event_strata=key_strata,
        row_strata=None if strata is None else strata[order],
        n_strata=n_strata,
        n_rows=stop.numel(),
        counting=start is not None,
    )


def _compiled_risk_sets(
    kernels: CDLL,
    times: Tensor,
    start: Tensor | None,
    stop: Tensor,
    event: Tensor,
    strata: Tensor | None,
) -> RiskSets:
    """Find them by the compiled kernels; memory that is never written to costs nothing."""
    n, counting, threads = stop.numel(), start is not None, n_threads()
    n_strata = 1 if strata is None else int(strata.max()) + 1
    lo, hi = empty(2, n, dtype=torch.int32)
    order = empty(n, dtype=torch.int64)
    keys, offsets, group_lo, group_hi, event_rows = empty(5, n + 1, dtype=torch.int64)
    data = [pointer(t) for t in (start, stop, event, strata)]
    tables = [pointer(t) for t in (lo, hi, keys)]
    found = kernels.event_ranges(
        *data, n, n_strata, pointer(times), times.numel(), *tables, threads
    )
    check(found < 0)
    keys = keys[:found].clone()
    event_offsets, used = torch.empty(found + 1, dtype=torch.int64), torch.zeros(1).long()
    outputs = used, order, offsets, group_lo, group_hi, event_rows, event_offsets
    groups = kernels.sort_groups(
        *tables[:2], data[2], n, counting, found, *[pointer(t) for t in outputs], threads
    )
    check(groups < 0)
    order, width = order[: int(used)], times.numel() + 1
    event_strata = torch.div(keys, width, rounding_mode="floor")
    return RiskSets(
        order=order,
        group_offsets=offsets[: groups + 1].clone(),
        group_lo=group_lo[:groups].clone(),
        group_hi=group_hi[:groups].clone(),
        event_rows=event_rows[: int(event_offsets[-1])].clone(),
        event_offsets=event_offsets,
        event_times=times[keys - event_strata * width - 1],
        event_strata=event_strata,
        row_strata=None if strata is None else strata[order],
        n_strata=n_strata,
        n_rows=n,
        counting=counting,
    )


def _ranges(
    stop_rank: Tensor,
    start_rank: Tensor | None,
    event: Tensor,
    strata: Tensor | None,
    n_times: int,
) -> tuple[Tensor, Tensor, Tensor, int]:
    """Number the (stratum, event time) pairs and find each row's range of them.

    Ranks among all event times are exact integers, so a pair is one integer
    ``stratum * width + rank`` and no time is shifted or rounded.
    """
    width = n_times + 1
    if strata is None:
        keys = torch.arange(1, width, device=stop_rank.device)
        lo = torch.zeros_like(stop_rank) if start_rank is None else start_rank
        return keys, lo, stop_rank, width
    base = strata * width
    stop_key = stop_rank + base
    keys = torch.unique(stop_key[event])
    entry_key = base if start_rank is None else start_rank + base
    hi = torch.searchsorted(keys, stop_key, right=True)
    lo = torch.searchsorted(keys, entry_key, right=True)
    return keys, lo, hi, width


def _sort_rows(
    lo: Tensor, hi: Tensor, counting: bool, n_event_times: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Sort the rows at risk by group: ``(order, group_offsets, group_lo, group_hi)``.

    In right-censored data ``hi`` alone names the group. Otherwise groups that span a
    single event time come first: their sums go straight to that event time.
    """
    used = torch.nonzero(hi > lo).squeeze(1)
    lo, hi = lo[used], hi[used]
    if counting:
        span = n_event_times + 1
        key = torch.where(hi - lo == 1, lo, (lo + 1) * span + hi)
    else:
        key = hi
    key, place = sort_keys(key, (n_event_times + 2) ** 2 if counting else n_event_times)
    _, counts = torch.unique_consecutive(key, return_counts=True)
    offsets = offsets_from_counts(counts)
    first = place[offsets[:-1]]
    return used[place], offsets, lo[first], hi[first]
