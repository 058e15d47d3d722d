"""Baseline hazards of bootstrap replicates.

Replicate ``b`` has the hazard of the data frame in which the drawn subjects' rows stand as
often as they were drawn, at the replicate's coefficients; see :mod:`survivalgpu.baseline`
for the estimates. With weights that are no copies, they multiply the case weights.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from survivalgpu.baseline import BaselineRows, baseline_tables
from survivalgpu.coxph import CoxData
from survivalgpu.threads import threads_for


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

    @property
    def n_strata(self) -> int:
        """Number ``S`` of strata."""
        return 1 if self.data.strata is None else int(self.data.strata.max()) + 1

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
            ``(B, S, T)``; NaN for replicates without a fit, and for strata without rows.
        """
        out = np.full((len(coefficients), self.n_strata, self.times.numel()), np.nan)
        for b in np.flatnonzero(np.isfinite(coefficients).all(axis=1)):
            of_subject = torch.as_tensor(np.ascontiguousarray(weights[:, b]))
            of_row = of_subject.to(self.subjects.device)[self.subjects]
            beta = torch.as_tensor(coefficients[b], device=self.centre.device)
            with threads_for(of_row.numel()):
                self._fill(out[b], beta, of_row, copies)
        return out

    def _fill(self, out: np.ndarray, beta: Tensor, of_row: Tensor, copies: bool) -> None:
        """Hazards of one replicate, ``(S, T)``."""
        data = self.data
        risk = data.x @ beta - self.centre @ beta
        if data.offset is not None:
            risk += data.offset
        risk.exp_()
        weights = data.weights
        rows = None
        if copies:
            number = torch.arange(of_row.numel(), device=of_row.device)
            rows = torch.repeat_interleave(number, of_row.long())
        else:
            weights = of_row if weights is None else weights * of_row

        def drawn(values: Tensor | None) -> Tensor | None:
            return values if values is None or rows is None else values[rows]

        strata = drawn(data.strata)
        present = [0]
        if strata is not None:
            labels, strata = torch.unique(strata, return_inverse=True)
            present = labels.tolist()
        event = drawn(data.event)
        if not bool(event.any()):
            out[present] = 0.0
            return
        tables = baseline_tables(
            BaselineRows(
                drawn(data.stop), event, drawn(risk), drawn(data.start), strata, drawn(weights)
            ),
            self.ties,
        )
        for code, stratum in enumerate(present):
            own = None if strata is None else torch.full_like(self.times, code).long()
            out[stratum] = tables.hazard[tables.places(self.times, own)].cpu().numpy()
