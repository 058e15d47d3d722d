"""Tied event times: the terms of Breslow's and Efron's approximations.

At an event time with ``d`` events, Breslow has one term with ``f = 0``; Efron has ``d``
of them with ``f_l = l / d``. The ``f = 0`` term is common to both, so only event times
with ``d > 1`` under Efron carry extra terms, and data without ties pay nothing. Where rows
stand for several copies of a subject (bootstrap), ``d`` counts the copies.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from survivalgpu.risk_sets import RiskSets
from survivalgpu.sparse import SegmentSum, offsets_from_counts

# Elements of the tables by term that are in memory at once.
_TERMS = {"cpu": 1 << 20, "cuda": 1 << 26}


@dataclass(frozen=True)
class HazardTables:
    """Sums over the terms of each event time, for ``B`` problems.

    With ``h_l = den_l / S0 = 1 - f_l E0 / S0``, which stays in range however small or
    large the risks are:

    Attributes
    ----------
    log_terms : Tensor
        ``(K, B)``, ``(W/d) sum_l log den_l``.
    phi : Tensor
        ``(K, B)``, ``(W/d) sum_l 1/h_l``: the hazard increment times ``S0``.
    excess : Tensor
        ``(T, B)``, ``(W/d) sum_l f_l/h_l``: the share of the increment that the tied
        events themselves are spared, times ``S0``; ``T`` tied event times.
    a : Tensor
        ``(K, B)``, ``(W/d) sum_l 1/h_l^2``.
    b, c : Tensor
        ``(T, B)``, the same with ``f_l`` and ``f_l^2`` in the numerator.
    """

    log_terms: Tensor
    phi: Tensor
    excess: Tensor
    a: Tensor
    b: Tensor
    c: Tensor


class TieTerms:
    """Which terms each event time has; fixed by the data and the rule for ties.

    Parameters
    ----------
    risk_sets : RiskSets
        Who is at risk when.
    ties : {"efron", "breslow"}
        The rule.
    copies : Tensor, optional
        ``(N, B)`` how often each event, in the order of ``risk_sets.event_rows``, is in
        each of ``B`` problems; once where None. Copies are tied with each other.

    Attributes
    ----------
    tied_k : Tensor
        ``(T,)`` event times with extra terms.
    rows : Tensor
        ``(R,)`` sorted rows with an event at those times, ordered by time.
    time_of_row : Tensor
        ``(R,)`` index into ``tied_k``.
    sum_rows : SegmentSum
        Sum over the tied events of each time, of values by sorted row.
    """

    def __init__(self, risk_sets: RiskSets, ties: str, copies: Tensor | None = None) -> None:
        n_rows = risk_sets.event_offsets.diff()
        d = n_rows.double().unsqueeze(1)
        if copies is not None:
            events = torch.arange(copies.shape[0], device=copies.device)
            d = SegmentSum(risk_sets.event_offsets, events, events.numel())(copies)
        efron = ties == "efron"
        most = d.amax(1).long()
        tied = most > 1 if efron else torch.zeros_like(most, dtype=torch.bool)
        self.tied_k = torch.nonzero(tied).squeeze(1)
        each = n_rows[self.tied_k]
        self.rows = risk_sets.event_rows[torch.repeat_interleave(tied, n_rows)]
        number = torch.arange(self.tied_k.numel(), device=each.device)
        self.time_of_row = torch.repeat_interleave(number, each)
        self.sum_rows = SegmentSum(offsets_from_counts(each), self.rows, risk_sets.n_used)
        self._most = most[self.tied_k]
        # an event time without any copy has no weight to divide
        self._divisor = d.clamp(min=1.0) if efron else 1.0
        self._counts = d[self.tied_k] if copies is not None else None

    def hazards(self, s0: Tensor, e0: Tensor, event_weight: Tensor) -> HazardTables:
        """Sum the terms of each event time.

        Parameters
        ----------
        s0 : Tensor
            ``(K, B)`` total risk of the risk set.
        e0 : Tensor
            ``(T, B)`` total risk of the tied events.
        event_weight : Tensor
            ``(K, B or 1)`` total case weight ``W`` of the events.
        """
        weight = event_weight / self._divisor
        log_terms = weight * torch.log(s0)
        phi = weight.expand_as(s0).clone()
        a = phi.clone()
        if not self.tied_k.numel():
            return HazardTables(log_terms, phi, e0, a, e0, e0)
        excess, b, c = torch.empty(3, *e0.shape, dtype=e0.dtype, device=e0.device)
        for times, terms in self._term_blocks(e0.shape[1]):
            k = self.tied_k[times]
            sums = terms.sums(e0[times] / s0[k], torch.log(s0[k]))
            tied_weight = weight[k]
            for table, term in zip((log_terms, phi, a), sums[:3], strict=True):
                table[k] += tied_weight * term
            for table, term in zip((excess, b, c), sums[3:], strict=True):
                table[times] = tied_weight * term
        return HazardTables(log_terms=log_terms, phi=phi, excess=excess, a=a, b=b, c=c)

    def _term_blocks(self, n_problems: int) -> Iterator[tuple[slice, _Terms]]:
        """Event times, as many at once as keep the tables of their terms small."""
        limit = _TERMS.get(self._most.device.type, _TERMS["cpu"]) // n_problems
        ends = torch.cumsum(self._most - 1, 0).cpu()
        first = 0
        while first < ends.numel():
            before = int(ends[first - 1]) if first else 0
            last = max(int(torch.searchsorted(ends, before + limit, right=True)), first + 1)
            times = slice(first, last)
            counts = None if self._counts is None else self._counts[times]
            yield times, _Terms(self._most[times], counts)
            first = last


class _Terms:
    """The extra terms ``l = 1 .. d - 1`` of some event times.

    Parameters
    ----------
    most : Tensor
        ``(t,)`` int64 largest ``d`` of each time among the problems.
    counts : Tensor or None
        ``(t, B)`` the ``d`` of each problem; None where all have the largest.
    """

    def __init__(self, most: Tensor, counts: Tensor | None) -> None:
        number = torch.arange(most.numel(), device=most.device)
        self._time = torch.repeat_interleave(number, most - 1)
        offsets = offsets_from_counts(most - 1)
        index = torch.arange(self._time.numel(), device=most.device)
        l_index = (index - offsets[:-1][self._time] + 1).double().unsqueeze(1)
        d = (most.double().unsqueeze(1) if counts is None else counts)[self._time]
        self._present = None if counts is None else (l_index < d).double()
        # 0 where a problem has no such term: nothing is taken from its S0
        self._f = l_index / d if self._present is None else l_index / d.clamp(min=1) * self._present
        self._sum = SegmentSum(offsets, index, index.numel())

    def sums(self, share: Tensor, log_s0: Tensor) -> tuple[Tensor, ...]:
        """Sums by time, ``(t, B)`` each: log den, 1/h, 1/h^2, f/h, f/h^2 and f^2/h^2."""
        h = 1.0 - self._f * share[self._time]
        log_den = torch.log(h) + log_s0[self._time]
        inverse = 1.0 / h
        if self._present is not None:
            log_den *= self._present
            inverse *= self._present
        square = inverse**2
        f_square = self._f * square
        terms = log_den, inverse, square, self._f * inverse, f_square, self._f * f_square
        return tuple(self._sum(term) for term in terms)
