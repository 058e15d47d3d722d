"""Cox models of weighted cumulative exposure: rows and doses in, one fit per basis out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from survivalgpu.coxph import CoxData, CoxFit, fit_coxph
from survivalgpu.device import as_tensor
from survivalgpu.errors import InvalidArgumentError
from survivalgpu.newton import NewtonControl
from survivalgpu.resampling.bootstrap import BootstrapDraws, Resampler
from survivalgpu.resampling.replicates import Replicates
from survivalgpu.wce.artificial_covariates import artificial_covariates
from survivalgpu.wce.dose_changes import (
    DoseChanges,
    Spells,
    changes_from_rows,
    changes_from_spells,
    spell_columns,
)
from survivalgpu.wce.follow_up import (
    FollowUp,
    rows_at_risk,
)
from survivalgpu.wce.weight_basis import WeightBasis


def check_cutoff(cutoff: int, rows: FollowUp, spells: Spells | None) -> None:
    """Check, in WCE's words, that some history is as long as the weight function.

    A history begins with follow-up, or with the first spell of exposure if that is earlier.
    """
    longest = rows.longest
    if spells is not None and np.size(spells["start"]):
        longest = max(longest, int(rows.stop.max() - np.min(spells["start"])) + 1)
    if cutoff > longest:
        raise InvalidArgumentError(
            "cutoff",
            f"cutoff must be smaller than the longest follow-up time ({longest} days); "
            f"it is {cutoff}.",
            "Use a shorter cutoff.",
        )


def dose_changes(
    rows: FollowUp, dose: np.ndarray | None, spells: Spells | None, device: torch.device
) -> DoseChanges:
    """Histories of the doses of the rows, or of spells, on ``device``.

    Parameters
    ----------
    rows : FollowUp
        Who is observed when.
    dose : ndarray or None
        ``(n,)`` float64 dose per day in the user's order of rows; unused with ``spells``.
    spells : mapping or None
        ``subject`` (codes of the rows' subjects), ``start``, ``stop`` and ``dose``, each
        ``(s,)``.
    device : torch.device
        Where to compute.

    Raises
    ------
    InvalidArgumentError
        A spell is empty or reversed, or its times are not whole numbers.
    """
    if spells is None:
        ordered = dose if rows.order is None else dose[rows.order]
        columns = rows.offsets, rows.start, ordered
        return changes_from_rows(*[as_tensor(column, device) for column in columns])
    columns = [as_tensor(column, device) for column in spell_columns(spells)]
    return changes_from_spells(*columns, rows.n_subjects)


class ExposureModels:
    """Cox models of one data set on its covariates and on weighted cumulative exposure.

    Parameters
    ----------
    rows : FollowUp
        Who is observed when.
    changes : DoseChanges
        Doses of the same subjects, on the device that computes.
    bases : sequence of WeightBasis
        The weight functions to estimate, one model each.
    covariates : ndarray
        ``(n, q)`` float64 in the user's order of rows, which come first in each model.
    weights : ndarray, optional
        ``(n,)`` case weights in the user's order of rows.
    uncentred : ndarray, optional
        ``(q,)`` bool, see :func:`survivalgpu.coxph.fit_coxph`.
    ties : {"efron", "breslow"}
        Treatment of tied event times.
    control : NewtonControl, optional
        Iterations and tolerances; survival's defaults.
    """

    def __init__(
        self,
        rows: FollowUp,
        changes: DoseChanges,
        bases: Sequence[WeightBasis],
        covariates: np.ndarray,
        weights: np.ndarray | None = None,
        uncentred: np.ndarray | None = None,
        ties: str = "efron",
        control: NewtonControl | None = None,
    ) -> None:
        device = changes.days.device
        self.bases, self.n_subjects = tuple(bases), rows.n_subjects
        self._changes, self._ties, self._control = changes, ties, control or NewtonControl()
        self._at_risk = rows_at_risk(rows, device)
        source = self._at_risk.row
        if rows.order is not None:
            source = torch.from_numpy(rows.order).to(device)[source]
        self._n_covariates = q = covariates.shape[1]
        widest = q + max(basis.values.shape[1] for basis in bases)
        # one matrix for all models: memory that is fresh costs more than what fills it
        self._x = torch.empty(source.numel(), widest, dtype=torch.float64, device=device)
        self._x[:, :q] = as_tensor(covariates, device)[source]
        self._weights = None if weights is None else as_tensor(weights, device)[source]
        self._uncentred = np.zeros(q, dtype=bool) if uncentred is None else uncentred

    def fit(self, basis: WeightBasis) -> CoxFit:
        """Fit one model: coefficients of the ``q`` covariates, then of the ``J`` artificial."""
        return fit_coxph(
            self._data(basis),
            self._ties,
            control=self._control,
            uncentred=self._left_alone(basis),
            residuals=False,
        )

    def resampler(self, basis: WeightBasis, start: np.ndarray, seed: int) -> Resampler:
        """Bootstrap of subjects of one model, from its estimate ``start`` ``(q + J,)``."""
        replicates = Replicates(
            self._data(basis),
            self._at_risk.subject.cpu().numpy(),
            self._ties,
            self._control,
            start,
            self._left_alone(basis),
        )
        # subjects who are at risk at no event are drawn too
        return Resampler(replicates, BootstrapDraws("ordinary", seed, self.n_subjects))

    def _data(self, basis: WeightBasis) -> CoxData:
        """The rows of a model: each is at risk at one event time, whose number is its time."""
        at_risk, width = self._at_risk, self._n_covariates + basis.values.shape[1]
        artificial = self._x[:, self._n_covariates : width]
        artificial_covariates(
            self._changes, basis.cumulated, at_risk.subject, at_risk.day, artificial
        )
        return CoxData(
            x=self._x[:, :width],
            start=at_risk.number,
            stop=at_risk.number + 1.0,
            event=at_risk.event,
            weights=self._weights,
        )

    def _left_alone(self, basis: WeightBasis) -> np.ndarray:
        return np.concatenate([self._uncentred, np.zeros(basis.values.shape[1], dtype=bool)])
