"""Fit a Cox model: rows in, :class:`CoxFit` out.

The order of the work is the order of the modules: risk sets, design, partial
likelihood, Newton, result.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from survivalgpu.design import Design, build_design
from survivalgpu.linear_predictions import linear_predictors
from survivalgpu.newton import NewtonControl, NewtonResult, newton
from survivalgpu.partial_likelihood import PartialLikelihood
from survivalgpu.risk_sets import RiskSets, build_risk_sets
from survivalgpu.sparse import concatenated_ranges
from survivalgpu.threads import threads_for


@dataclass(frozen=True)
class CoxData:
    """Survival data on one device, in the order of the user's rows.

    Attributes
    ----------
    x : Tensor
        ``(n, p)`` float64 covariates.
    stop : Tensor
        ``(n,)`` float64 ends of follow-up.
    event : Tensor
        ``(n,)`` bool.
    start : Tensor or None
        ``(n,)`` float64 entry times of ``(start, stop]`` data.
    strata : Tensor or None
        ``(n,)`` int64 codes from 0.
    offset : Tensor or None
        ``(n,)`` float64.
    weights : Tensor or None
        ``(n,)`` positive float64, or ``(n, B)`` for ``B`` problems at once.
    """

    x: Tensor
    stop: Tensor
    event: Tensor
    start: Tensor | None = None
    strata: Tensor | None = None
    offset: Tensor | None = None
    weights: Tensor | None = None


@dataclass(frozen=True)
class CoxFit:
    """A fitted Cox model, or ``B`` of them that share rows and covariates.

    Attributes
    ----------
    coefficients : ndarray
        ``(B, p)`` log hazard ratios; a redundant column keeps its initial value.
    variance : ndarray
        ``(B, p, p)`` inverse information; zero for redundant columns.
    information : ndarray
        ``(B, p, p)`` minus the second derivatives at the end.
    loglik : ndarray
        ``(B, 2)`` partial log-likelihood at the initial values and at the end.
    score_test : ndarray
        ``(B,)`` score statistic at the initial values.
    score_vector : ndarray
        ``(B, p)`` at the end.
    newton : NewtonResult
        Iterations, rank and status, as survival counts them.
    means : ndarray
        ``(p,)`` what the linear predictor is centred at.
    linear_predictors : ndarray or None
        ``(n,)`` ``(x - means) beta + offset``; a single problem only.
    residuals : ndarray or None
        ``(n,)`` martingale residuals; a single problem only.
    """

    coefficients: np.ndarray
    variance: np.ndarray
    information: np.ndarray
    loglik: np.ndarray
    score_test: np.ndarray
    score_vector: np.ndarray
    newton: NewtonResult
    means: np.ndarray
    linear_predictors: np.ndarray | None
    residuals: np.ndarray | None


class PreparedRows:
    """Rows with the risk sets and the design of a fit, until they are let go.

    Parameters
    ----------
    data : CoxData
        The rows; at least one event.
    uncentred : ndarray, optional
        ``(p,)`` bool, columns left as they are (survival's ``nocenter``).
    """

    def __init__(self, data: CoxData, uncentred: np.ndarray | None = None) -> None:
        self.data = data
        with threads_for(data.x.numel()):
            self.risk_sets, self.design = sorted_problem(data, uncentred)

    def release(self) -> None:
        """Give the memory back, whoever still holds this object."""
        del self.data, self.risk_sets, self.design


def fit_coxph(
    data: CoxData,
    ties: str = "efron",
    init: np.ndarray | None = None,
    control: NewtonControl | None = None,
    uncentred: np.ndarray | None = None,
    residuals: bool = True,
    block_rows: int | None = None,
    compiled: bool = True,
    prepared: PreparedRows | None = None,
) -> CoxFit:
    """Fit by maximum partial likelihood.

    Parameters
    ----------
    data : CoxData
        The rows; at least one event.
    ties : {"efron", "breslow"}
        Treatment of tied event times.
    init : ndarray, optional
        ``(p,)`` or ``(B, p)`` initial values, 0 by default.
    control : NewtonControl, optional
        Iterations and tolerances; survival's defaults.
    uncentred : ndarray, optional
        ``(p,)`` bool, columns left as they are (survival's ``nocenter``).
    residuals : bool
        Whether to compute martingale residuals.
    block_rows : int, optional
        Rows per block of PyTorch's route.
    compiled : bool
        Take the compiled kernels on the CPU where they can do it.
    prepared : PreparedRows, optional
        Of ``data`` and ``uncentred``, where they are wanted after the fit too.

    Returns
    -------
    CoxFit

    Notes
    -----
    Cox (1972), JRSS B 34:187; formulas in :mod:`survivalgpu.partial_likelihood`.
    """
    control = control or NewtonControl()
    p = data.x.shape[1]
    n_problems = 1 if data.weights is None or data.weights.ndim == 1 else data.weights.shape[1]
    start = np.zeros(p) if init is None else np.asarray(init, dtype=np.float64)
    start = np.array(np.broadcast_to(start, (max(n_problems, np.atleast_2d(start).shape[0]), p)))
    # what overflows ends as a value that is not finite, and is reported as such
    with threads_for(data.x.numel()), np.errstate(all="ignore"):
        rows = prepared or PreparedRows(data, uncentred)
        likelihood = PartialLikelihood(rows.risk_sets, rows.design, ties, block_rows, compiled)
        scale = rows.design.scale.cpu().numpy()
        result = newton(_evaluator(likelihood), start / scale, control, rows.risk_sets.counting)
        return _cox_fit(data, likelihood, result, residuals)


def sorted_problem(data: CoxData, uncentred: np.ndarray | None) -> tuple[RiskSets, Design]:
    """Risk sets of the rows, and their design; ``uncentred`` as of :func:`fit_coxph`."""
    p, device = data.x.shape[1], data.x.device
    mask = np.zeros(p, dtype=bool) if uncentred is None else np.asarray(uncentred, dtype=bool)
    risk_sets = build_risk_sets(data.stop, data.event, data.start, data.strata)
    design = build_design(
        data.x,
        risk_sets,
        torch.as_tensor(mask, device=device),
        data.offset,
        data.weights,
        _scale_row(data, risk_sets),
    )
    return risk_sets, design


def _cox_fit(
    data: CoxData, likelihood: PartialLikelihood, result: NewtonResult, residuals: bool
) -> CoxFit:
    """Bring the result back to the scale of the covariates and the order of the rows."""
    design = likelihood.design
    scale = design.scale.cpu().numpy()
    coefficients = result.beta * scale
    predictors = martingale = None
    if coefficients.shape[0] == 1:
        beta = torch.as_tensor(coefficients[0], device=data.x.device)
        predictors = linear_predictors(data.x, beta, design.means, data.offset).cpu().numpy()
        if residuals:
            at = torch.as_tensor(result.beta[0], device=data.x.device)
            martingale = likelihood.martingale(at).cpu().numpy()
    return CoxFit(
        coefficients=coefficients,
        variance=result.variance * scale[:, None] * scale,
        information=result.information / scale[:, None] / scale,
        loglik=result.loglik,
        score_test=result.score_test,
        score_vector=result.score_vector / scale,
        newton=result,
        means=design.means.cpu().numpy(),
        linear_predictors=predictors,
        residuals=martingale,
    )


def _evaluator(likelihood: PartialLikelihood):
    """Wrap the likelihood for Newton's loop, which works on small NumPy arrays."""

    def evaluate(beta: np.ndarray, problems: np.ndarray):
        at = likelihood.restricted_to(problems).evaluate(
            torch.as_tensor(beta, device=likelihood.design.x1.device)
        )
        return tuple(t.cpu().numpy() for t in (at.loglik, at.score, at.information))

    return evaluate


def _scale_row(data: CoxData, risk_sets: RiskSets) -> int | None:
    """Row from which survival measures the spread of ``(start, stop]`` covariates.

    It is the one with the last end of follow-up in the first stratum, among the rows
    that are ever at risk.
    """
    if not risk_sets.counting or not risk_sets.n_used:
        return None
    # those at risk at the last event time of the first stratum that has one
    first_stratum = risk_sets.event_strata == risk_sets.event_strata[0]
    groups = torch.nonzero(risk_sets.group_hi == first_stratum.sum()).squeeze(1)
    first, stop = risk_sets.group_offsets[groups], risk_sets.group_offsets[groups + 1]
    candidates = risk_sets.order[concatenated_ranges(first, stop)]
    ends = data.stop[candidates]
    return int(candidates[ends == ends.max()].min())
