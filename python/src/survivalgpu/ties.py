"""Tied event times: the terms of Breslow's and Efron's approximations.

At an event time with ``d`` events, Breslow has one term with ``f = 0``; Efron has ``d``
of them with ``f_l = l / d``. The ``f = 0`` term is common to both, so only event times
with ``d > 1`` under Efron carry extra terms, and data without ties pay nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from survivalgpu.risk_sets import RiskSets
from survivalgpu.sparse import SegmentSum, offsets_from_counts


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

    def __init__(self, risk_sets: RiskSets, ties: str) -> None:
        counts = risk_sets.event_offsets.diff()
        efron = ties == "efron"
        tied = counts > 1 if efron else torch.zeros_like(counts, dtype=torch.bool)
        self.tied_k = torch.nonzero(tied).squeeze(1)
        d = counts[self.tied_k]
        number = torch.arange(d.numel(), device=d.device)
        self.rows = risk_sets.event_rows[torch.repeat_interleave(tied, counts)]
        self.time_of_row = torch.repeat_interleave(number, d)
        self.sum_rows = SegmentSum(offsets_from_counts(d), self.rows, risk_sets.n_used)
        # extra terms l = 1 .. d - 1
        self._term_time = torch.repeat_interleave(number, d - 1)
        offsets = offsets_from_counts(d - 1)
        index = torch.arange(self._term_time.numel(), device=d.device)
        l_index = index - offsets[:-1][self._term_time] + 1
        self._term_f = (l_index.double() / d[self._term_time].double()).unsqueeze(1)
        self._sum_terms = SegmentSum(offsets, index, index.numel())
        self._divisor = counts.double().unsqueeze(1) if efron else 1.0

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
        weight, f = event_weight / self._divisor, self._term_f
        log_terms = weight * torch.log(s0)
        phi = weight.expand_as(s0).clone()
        a = phi.clone()
        if not self.tied_k.numel():
            return HazardTables(log_terms, phi, e0, a, e0, e0)
        share = (e0 / s0[self.tied_k])[self._term_time]
        h = 1.0 - f * share
        inverse, tied_weight = 1.0 / h, weight[self.tied_k]
        square = inverse**2
        log_den = torch.log(h) + torch.log(s0)[self.tied_k][self._term_time]
        log_terms[self.tied_k] += tied_weight * self._sum_terms(log_den)
        phi[self.tied_k] += tied_weight * self._sum_terms(inverse)
        a[self.tied_k] += tied_weight * self._sum_terms(square)
        return HazardTables(
            log_terms=log_terms,
            phi=phi,
            excess=tied_weight * self._sum_terms(f * inverse),
            a=a,
            b=tied_weight * self._sum_terms(f * square),
            c=tied_weight * self._sum_terms(f**2 * square),
        )
