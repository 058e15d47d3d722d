"""Checked rows to a fitted model: what an estimator stores, in plain arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from survivalgpu.convergence import check_finite_fit, convergence_messages, redundant_columns
from survivalgpu.coxph import CoxData, CoxFit, fit_coxph
from survivalgpu.device import as_tensor
from survivalgpu.inference import wald_statistic
from survivalgpu.inputs import ModelRows, initial_values
from survivalgpu.newton import CONVERGED
from survivalgpu.settings import Settings
from survivalgpu.timefix import fix_times


@dataclass(frozen=True)
class FittedModel:
    """A fitted Cox model.

    Attributes
    ----------
    coef : ndarray
        ``(p,)`` log hazard ratios; NaN for redundant covariates.
    variance : ndarray
        ``(p, p)`` inverse information.
    standard_errors : ndarray
        ``(p,)``; NaN for redundant covariates.
    loglik : ndarray
        ``(2,)`` at the initial values and at the end.
    score_test, wald_test : float
        Chi-square statistics against the initial values.
    n_iter : int
        Iterations as survival counts them.
    status : str
        Why the iteration ended.
    converged : bool
        Whether it ended by convergence.
    means : ndarray
        ``(p,)`` at which the linear predictors are centred.
    offset_centre : float
        Mean offset, taken off the linear predictors.
    n, n_events : int
        Rows, and events among them.
    linear_predictors, martingale_residuals : ndarray
        ``(n,)``.
    feature_names_in : ndarray
        ``(p,)`` of str.
    n_features_in : int
        ``p``.
    ties, device : str
        Rule for ties, and the device that computed.
    """

    coef: np.ndarray
    variance: np.ndarray
    standard_errors: np.ndarray
    loglik: np.ndarray
    score_test: float
    wald_test: float
    n_iter: int
    status: str
    converged: bool
    means: np.ndarray
    offset_centre: float
    n: int
    n_events: int
    linear_predictors: np.ndarray
    martingale_residuals: np.ndarray
    feature_names_in: np.ndarray
    n_features_in: int
    ties: str
    device: str


def fit_model(rows: ModelRows, settings: Settings, init: Any) -> tuple[FittedModel, list[str]]:
    """Fit checked rows.

    Parameters
    ----------
    rows : ModelRows
        Covariates, response, strata, weights and offset.
    settings : Settings
        Numerical options.
    init : array-like or None
        ``(p,)`` initial values.

    Returns
    -------
    model : FittedModel
        The result.
    messages : list of str
        What is doubtful about its convergence.

    Raises
    ------
    InvalidArgumentError
        ``init`` is unsuitable, or ``timefix`` would empty an interval.
    NumericalError
        The fit overflowed.
    """
    init = initial_values(init, rows.covariates.x, rows.offset)
    data = model_data(rows, settings)
    uncentred = uncentred_columns(rows, settings)
    fit = fit_coxph(data, settings.ties, init, settings.control, uncentred)
    check_finite_fit(fit)
    names, counting = rows.covariates.names, data.start is not None
    messages = convergence_messages(fit, names, settings.control, counting)
    return _fitted(rows, fit, settings, init, _offset_centre(rows)), messages


def model_data(rows: ModelRows, settings: Settings) -> CoxData:
    """Checked rows on the device of the settings, their offset less its mean.

    Raises
    ------
    InvalidArgumentError
        ``timefix`` would empty an interval.
    """
    response = rows.response
    stop, start = response.stop, response.start
    if settings.timefix:
        stop, start = fix_times(stop, start)

    def on_device(array: np.ndarray | None) -> Any:
        return None if array is None else as_tensor(array, settings.device)

    return CoxData(
        x=on_device(rows.covariates.x),
        stop=on_device(stop),
        event=on_device(response.event),
        start=on_device(start),
        strata=on_device(rows.strata),
        offset=on_device(None if rows.offset is None else rows.offset - _offset_centre(rows)),
        weights=on_device(rows.weights),
    )


def uncentred_columns(rows: ModelRows, settings: Settings) -> np.ndarray:
    """``(p,)`` bool, the covariates that the settings leave uncentred."""
    columns = rows.covariates.x.T
    return np.array([np.isin(column, settings.nocenter).all() for column in columns], dtype=bool)


def _offset_centre(rows: ModelRows) -> float:
    return 0.0 if rows.offset is None else float(rows.offset.mean())


def _fitted(
    rows: ModelRows, fit: CoxFit, settings: Settings, init: np.ndarray | None, centre: float
) -> FittedModel:
    redundant = redundant_columns(fit, rows.response.start is not None, settings.control)
    coef = np.where(redundant, np.nan, fit.coefficients[0])
    variance = fit.variance[0]
    status = str(fit.newton.status[0])
    hypothesis = 0.0 if init is None else init
    return FittedModel(
        coef=coef,
        variance=variance,
        standard_errors=np.where(redundant, np.nan, np.sqrt(np.diagonal(variance))),
        loglik=fit.loglik[0],
        score_test=float(fit.score_test[0]),
        wald_test=wald_statistic(coef - hypothesis, variance, settings.control.toler_chol),
        n_iter=int(fit.newton.iterations[0]),
        status=status,
        converged=status == CONVERGED,
        means=fit.means,
        offset_centre=centre,
        n=rows.covariates.x.shape[0],
        n_events=int(rows.response.event.sum()),
        linear_predictors=fit.linear_predictors,
        martingale_residuals=fit.residuals,
        feature_names_in=np.array(rows.covariates.names, dtype=object),
        n_features_in=len(rows.covariates.names),
        ties=settings.ties,
        device=str(settings.device),
    )
