"""Fit a Cox model by the exact partial likelihood of tied times: rows in, CoxFit out."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from survivalgpu.coxph import CoxData, CoxFit
from survivalgpu.design import build_design
from survivalgpu.exact_likelihood import ExactLikelihood
from survivalgpu.exact_newton import newton_exact
from survivalgpu.linear_predictions import linear_predictors
from survivalgpu.newton import NewtonControl
from survivalgpu.partial_likelihood import PartialLikelihood
from survivalgpu.risk_sets import build_risk_sets
from survivalgpu.threads import threads_for


def fit_exact_coxph(
    data: CoxData,
    init: np.ndarray | None = None,
    control: NewtonControl | None = None,
    uncentred: np.ndarray | None = None,
    residuals: bool = True,
    batch_elements: int | None = None,
    compiled: bool = True,
) -> CoxFit:
    """Fit by the maximum of the exact partial likelihood.

    Parameters
    ----------
    data : CoxData
        The rows, without case weights: a subset of rows has no weight.
    init : ndarray, optional
        ``(p,)`` initial values, 0 by default.
    control : NewtonControl, optional
        Iterations and tolerances; survival's defaults.
    uncentred : ndarray, optional
        ``(p,)`` bool, columns left as they are (survival's ``nocenter``).
    residuals : bool
        Whether to compute martingale residuals. As survival's, they are those of
        Breslow's approximation at the exact fit's coefficients.
    batch_elements : int, optional
        Elements per batch of PyTorch's route.
    compiled : bool
        Take the compiled kernels on the CPU.

    Notes
    -----
    Gail, Lubin and Rubinstein (1981), Biometrika 68:703; formulas in
    :mod:`survivalgpu.exact_likelihood` and :mod:`survivalgpu.exact_subsets`.
    """
    control = control or NewtonControl()
    p, device = data.x.shape[1], data.x.device
    counting = data.start is not None
    mask = np.zeros(p, dtype=bool) if uncentred is None else np.asarray(uncentred, dtype=bool)
    start = np.zeros(p) if init is None else np.asarray(init, dtype=np.float64)
    with threads_for(data.x.numel()), np.errstate(all="ignore"):
        centred = ~torch.as_tensor(mask, device=device)
        means = torch.where(centred, data.x.mean(0), torch.zeros_like(centred, dtype=data.x.dtype))
        scale = np.ones(p) if counting else _scale(data.x, centred).cpu().numpy()
        likelihood = ExactLikelihood(
            data.x,
            data.stop,
            data.event,
            data.start,
            data.strata,
            data.offset,
            batch_elements,
            compiled,
        )

        def evaluate(beta: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            at = likelihood.evaluate(torch.as_tensor(beta * scale, device=device))
            loglik, score, information = (
                t.cpu().numpy() for t in (at.loglik, at.score, at.information)
            )
            return loglik, score * scale, information * scale[:, None] * scale

        result = newton_exact(evaluate, (start / scale)[None], control, counting)
        coefficients = result.beta * scale
        at = torch.as_tensor(coefficients[0], device=device)
        return CoxFit(
            coefficients=coefficients,
            variance=result.variance * scale[:, None] * scale,
            information=result.information / scale[:, None] / scale,
            loglik=result.loglik,
            score_test=result.score_test,
            score_vector=result.score_vector / scale,
            newton=result,
            means=means.cpu().numpy(),
            linear_predictors=linear_predictors(data.x, at, means, data.offset).cpu().numpy(),
            residuals=_breslow_residuals(data, likelihood, at).cpu().numpy() if residuals else None,
        )


def _scale(x: Tensor, centred: Tensor) -> Tensor:
    """Reciprocal standard deviations, survival's scale of right-censored covariates.

    Only its rule for singular columns depends on it. A column without spread, which
    survival refuses, keeps its own.
    """
    deviation = x.std(0) if x.shape[0] > 1 else torch.zeros_like(x[0])
    usable = centred & (deviation > 0)
    return torch.where(usable, 1.0 / deviation, torch.ones_like(deviation))


def _breslow_residuals(data: CoxData, exact: ExactLikelihood, beta: Tensor) -> Tensor:
    """Martingale residuals in the order of the data; 0 for rows never at risk."""
    likelihood = exact.without_ties
    if likelihood is None:
        risk_sets = build_risk_sets(data.stop, data.event, data.start, data.strata)
        uncentred = torch.zeros_like(beta, dtype=torch.bool)
        design = build_design(data.x, risk_sets, uncentred, data.offset)
        likelihood = PartialLikelihood(risk_sets, design, "breslow")
    return likelihood.martingale(beta / likelihood.design.scale)
