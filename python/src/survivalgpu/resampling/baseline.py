"""Baseline hazards of bootstrap replicates.

Replicate ``b`` has the hazard of the data frame in which the drawn subjects' rows stand as
often as they were drawn, at the replicate's coefficients: with the notation of
:mod:`survivalgpu.baseline`, ``d`` counts copies and the case weights ``w`` are those of all
copies together. With weights that are no copies, they multiply the case weights only.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from survivalgpu.baseline import BaselineRows, baseline_tables, cumulated
from survivalgpu.coxph import CoxData
from survivalgpu.interval_sums import StrataLayout
from survivalgpu.risk_sets import RiskSets, build_risk_sets
from survivalgpu.sparse import SegmentSum
from survivalgpu.threads import threads_for
from survivalgpu.ties import TieTerms

# Elements of a table by row that are in memory at once.
_ELEMENTS = {"cpu": 1 << 22, "cuda": 1 << 27}


@dataclass(frozen=True)
class ReplicateHazards:
    """Rows of which replicates' baseline hazards are wanted.

    Attributes
    ----------
    data : CoxData
        ``n`` rows; strata are codes ``0 .. S - 1``, every one present.
    subjects : Tensor
        ``(n,)`` int64 subject of each row, from 0.
    centre : Tensor
        ``(p,)`` covariates for which the hazards are.
    times : Tensor
        ``(T,)`` times at which they are wanted.
    ties : {"efron", "breslow"}
        Estimate of the hazard.
    """

    data: CoxData
    subjects: Tensor
    centre: Tensor
    times: Tensor
    ties: str

    def at(self, coefficients: np.ndarray, weights: np.ndarray, copies: bool) -> np.ndarray:
        """Cumulative hazards of ``B`` replicates.

        Parameters
        ----------
        coefficients : ndarray
            ``(B, p)``; NaN for replicates without a fit.
        weights : ndarray
            ``(n_subjects, B)``.
        copies : bool
            Whether the weights are numbers of copies.

        Returns
        -------
        ndarray
            ``(B, S, T)``; NaN for replicates without a fit, and for strata of which they
            have no row.
        """
        out = np.full((len(coefficients), *self._places.shape), np.nan)
        fitted = np.flatnonzero(np.isfinite(coefficients).all(axis=1))
        device = self.data.x.device
        limit = _ELEMENTS.get(device.type, _ELEMENTS["cpu"])
        number = max(1, limit // max(self.subjects.numel(), 1))
        with threads_for(self.subjects.numel() * number):
            for first in range(0, fitted.size, number):
                some = fitted[first : first + number]
                beta = torch.as_tensor(coefficients[some], device=device)
                of_subject = torch.as_tensor(np.ascontiguousarray(weights[:, some])).to(device)
                out[some] = self._hazards(beta, of_subject.double(), copies).cpu().numpy()
        return out

    @cached_property
    def _risk_sets(self) -> RiskSets:
        data = self.data
        return build_risk_sets(data.stop, data.event, data.start, data.strata)

    @cached_property
    def _sorted(self) -> CoxData:
        """Covariates, offset and case weights in the order of the risk sets."""
        order, data = self._risk_sets.order, self.data
        parts = {
            name: None if (column := getattr(data, name)) is None else column[order]
            for name in ("x", "stop", "event", "offset", "weights")
        }
        return CoxData(**parts)

    @cached_property
    def _places(self) -> Tensor:
        """``(S, T)`` places of the times in the cumulative tables of each stratum."""
        data = self.data
        rows = BaselineRows(
            data.stop, data.event, torch.ones_like(data.stop), data.start, data.strata
        )
        tables = baseline_tables(rows, "breslow")
        if data.strata is None:
            return tables.places(self.times, None).unsqueeze(0)
        strata = range(self._risk_sets.n_strata)
        codes = (torch.full(self.times.shape, s, device=self.times.device) for s in strata)
        return torch.stack([tables.places(self.times, code) for code in codes])

    def _hazards(self, beta: Tensor, of_subject: Tensor, copies: bool) -> Tensor:
        """``(b, S, T)`` of replicates with coefficients ``(b, p)``, weights ``(n_subjects, b)``."""
        sets, rows = self._risk_sets, self._sorted
        drawn = of_subject[self.subjects[sets.order]]
        weights = drawn if rows.weights is None else drawn * rows.weights.unsqueeze(1)
        risk = torch.addmm(-(self.centre @ beta.T), rows.x, beta.T)
        if rows.offset is not None:
            risk += rows.offset.unsqueeze(1)
        risk.exp_().mul_(weights)
        events = sets.event_rows
        ties = TieTerms(sets, self.ties, drawn[events] if copies else None)
        by_time = _segment_sum(sets.event_offsets)
        event_weight = by_time(weights[events])
        groups = risk
        if sets.group_of_row is not None:
            groups = _segment_sum(sets.group_offsets)(risk)
        s0 = sets.intervals.risk_set_sums(groups)
        phi = ties.hazards(s0, ties.sum_rows(risk), event_weight).phi
        # nobody may be at risk where no event was drawn
        steps = torch.where(event_weight > 0, phi / s0, torch.zeros_like(phi))
        counts = torch.bincount(sets.event_strata, minlength=sets.n_strata)
        hazard = cumulated(steps, StrataLayout.from_counts(counts))[self._places]
        hazard = hazard.permute(2, 0, 1)
        if self.data.strata is not None:
            hazard = torch.where(self._has_rows(of_subject).unsqueeze(2), hazard, torch.nan)
        return hazard

    def _has_rows(self, of_subject: Tensor) -> Tensor:
        """``(b, S)`` bool, whether a replicate has rows of the stratum."""
        n_strata = self._risk_sets.n_strata
        total = of_subject.new_zeros(n_strata, of_subject.shape[1])
        total.index_add_(0, self.data.strata, of_subject[self.subjects])
        return (total > 0).T


def _segment_sum(offsets: Tensor) -> SegmentSum:
    """Sum of the rows of each segment of a table."""
    n_rows = int(offsets[-1])
    return SegmentSum(offsets, torch.arange(n_rows, device=offsets.device), n_rows)
