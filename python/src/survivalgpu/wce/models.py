"""Cox models of weighted cumulative exposure: rows and doses in, one fit per basis out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from survivalgpu.coxph import CoxData, CoxFit, fit_coxph
from survivalgpu.device import as_tensor
from survivalgpu.errors import InvalidArgumentError
from survivalgpu.newton import NewtonControl
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
    RowsAtRisk,
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


def fit_models(
    rows: FollowUp,
    changes: DoseChanges,
    bases: Sequence[WeightBasis],
    covariates: np.ndarray,
    weights: np.ndarray | None = None,
    uncentred: np.ndarray | None = None,
    ties: str = "efron",
    control: NewtonControl | None = None,
) -> Iterator[CoxFit]:
    """Fit a Cox model on the covariates and the artificial covariates of each basis.

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
    ties, control
        See :func:`survivalgpu.coxph.fit_coxph`.

    Yields
    ------
    CoxFit
        Coefficients of the ``q`` covariates, then of the ``J`` artificial ones.
    """
    device = changes.days.device
    at_risk = rows_at_risk(rows, device)
    source = at_risk.row
    if rows.order is not None:
        source = torch.from_numpy(rows.order).to(device)[source]
    n_covariates = covariates.shape[1]
    widest = n_covariates + max(basis.values.shape[1] for basis in bases)
    # one matrix for all models: memory that is fresh costs more than what fills it
    x = torch.empty(source.numel(), widest, dtype=torch.float64, device=device)
    x[:, :n_covariates] = as_tensor(covariates, device)[source]
    case_weights = None if weights is None else as_tensor(weights, device)[source]
    left_alone = np.zeros(n_covariates, bool) if uncentred is None else uncentred
    for basis in bases:
        width = n_covariates + basis.values.shape[1]
        artificial = x[:, n_covariates:width]
        artificial_covariates(changes, basis.cumulated, at_risk.subject, at_risk.day, artificial)
        yield fit_coxph(
            _cox_data(x[:, :width], at_risk, case_weights),
            ties,
            control=control,
            uncentred=np.concatenate([left_alone, np.zeros(basis.values.shape[1], bool)]),
            residuals=False,
        )


def _cox_data(x: Tensor, at_risk: RowsAtRisk, weights: Tensor | None) -> CoxData:
    """The rows of a fit: each is at risk at one event time, whose number is its time."""
    return CoxData(
        x=x,
        start=at_risk.number,
        stop=at_risk.number + 1.0,
        event=at_risk.event,
        weights=weights,
    )
