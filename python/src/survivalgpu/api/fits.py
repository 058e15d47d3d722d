"""Fits and likelihoods for R."""

from __future__ import annotations

from typing import Any

import numpy as np

from survivalgpu.api.boundary import cox_data, plain, write_to


@plain
def fit_cox(
    x: np.ndarray,
    y: np.ndarray,
    strata: np.ndarray | None,
    offset: np.ndarray | None,
    weights: np.ndarray | None,
    init: np.ndarray | None,
    ties: str,
    device: str,
    iter_max: int,
    eps: float,
    toler_chol: float,
    uncentred: np.ndarray,
    resid: bool,
    into: dict[str, float] | None = None,
    keep: bool = False,
) -> dict[str, Any]:
    """Fit one Cox model, checked by the front end, and return survival's quantities.

    Parameters
    ----------
    x : ndarray
        ``(n, p)`` float64, any memory order, never written to; ``p`` may be 0.
    y : ndarray
        ``(n, 2)`` time, status or ``(n, 3)`` start, stop, status.
    strata : ndarray or None
        ``(n,)`` labels of strata.
    offset, weights : ndarray or None
        ``(n,)`` float64.
    init : ndarray or None
        ``(p,)`` initial values.
    ties : str
        ``"efron"`` or ``"breslow"``.
    device : str
        As :func:`survivalgpu.device.resolve_device` takes it.
    iter_max, eps, toler_chol
        See :class:`survivalgpu.newton.NewtonControl`.
    uncentred : ndarray
        ``(p,)`` bool, columns that are neither centred nor scaled.
    resid : bool
        Whether to return martingale residuals.
    into : dict, optional
        Addresses of memory for (n,) float64, by the names ``linear_predictors`` and
        ``residuals``. What has one is written there, and left out of the result.
    keep : bool
        Whether to return the rows as the fit has prepared them.

    Returns
    -------
    dict
        ``coefficients`` (p,), ``var`` (p, p), ``loglik`` (2,), ``score``, ``iter``,
        ``flag`` (one code for two-column ``y``; rank, rescalings, halvings and
        non-convergence for three), ``u`` (p,), ``means`` (p,), ``linear_predictors``
        (n,), ``residuals`` (n,) or None; ``prepared``, for :func:`cox_score_residuals`, or None.
    """
    from survivalgpu.coxph import PreparedRows, fit_coxph
    from survivalgpu.newton import NewtonControl

    data = cox_data(x, y, strata, offset, weights, device)
    counting = data.start is not None
    prepared = PreparedRows(data, uncentred) if keep else None
    fit = fit_coxph(
        data,
        ties=ties,
        init=init,
        control=NewtonControl(int(iter_max), float(eps), float(toler_chol)),
        uncentred=uncentred,
        residuals=bool(resid),
        prepared=prepared,
    )
    return {
        **fit_as_survivals(fit, counting, int(iter_max)),
        **_numbers_by_row(fit, into),
        "prepared": prepared,
    }


def fit_as_survivals(fit: Any, counting: bool, iter_max: int) -> dict[str, Any]:
    """A fit's first problem, as :func:`fit_cox` describes it, without its numbers by row."""
    return {
        "coefficients": fit.coefficients[0],
        "var": _survival_variance(fit, counting, iter_max),
        "loglik": fit.loglik[0],
        "score": float(fit.score_test[0]),
        "iter": int(fit.newton.iterations[0]),
        "flag": _flags(fit.newton, counting),
        "u": fit.score_vector[0],
        "means": fit.means,
    }


@plain
def release_rows(prepared: Any) -> dict[str, Any]:
    """Give the memory of what :func:`fit_cox` has kept back; the answer is empty."""
    prepared.release()
    return {}


@plain
def fit_exact(
    x: np.ndarray,
    y: np.ndarray,
    strata: np.ndarray | None,
    offset: np.ndarray | None,
    init: np.ndarray | None,
    device: str,
    iter_max: int,
    eps: float,
    toler_chol: float,
    uncentred: np.ndarray,
    resid: bool,
    into: dict[str, float] | None = None,
) -> dict[str, Any]:
    """Fit one Cox model by the exact partial likelihood; arguments as of :func:`fit_cox`.

    Returns
    -------
    dict
        As of :func:`fit_cox`; ``flag`` is one code: the rank, or 1000 where the iterations
        ran out.
    """
    from survivalgpu.exact_coxph import fit_exact_coxph
    from survivalgpu.newton import RAN_OUT, NewtonControl

    data = cox_data(x, y, strata, offset, None, device)
    counting = data.start is not None
    fit = fit_exact_coxph(
        data,
        init=init,
        control=NewtonControl(int(iter_max), float(eps), float(toler_chol)),
        uncentred=uncentred,
        residuals=bool(resid),
    )
    ran_out = fit.newton.status[0] == RAN_OUT
    flag = 1000 if ran_out else int(fit.newton.rank[0])
    numbers = fit_as_survivals(fit, counting, int(iter_max))
    return {**numbers, "flag": flag, **_numbers_by_row(fit, into)}


@plain
def cox_likelihood(
    x: np.ndarray,
    y: np.ndarray,
    strata: np.ndarray | None,
    offset: np.ndarray | None,
    weights: np.ndarray | None,
    ties: str,
    device: str,
) -> dict[str, Any]:
    """Prepare a partial likelihood; arguments as of :func:`fit_cox`, with ``p`` at least 1.

    Returns
    -------
    dict
        ``likelihood``, for the front end to hand back while it maximises, and to drop then.
    """
    from survivalgpu.user_likelihood import UserLikelihood

    data = cox_data(x, y, strata, offset, weights, device)
    return {"likelihood": UserLikelihood(data, ties)}


@plain
def evaluate_cox_likelihood(likelihood: Any, beta: np.ndarray) -> dict[str, Any]:
    """Evaluate at ``beta`` ``(p,)``: ``loglik``, ``score`` (p,) and ``information`` (p, p)."""
    loglik, score, information = likelihood.evaluate(np.asarray(beta))
    return {"loglik": loglik, "score": score, "information": information}


@plain
def cox_likelihood_residuals(likelihood: Any, beta: np.ndarray) -> dict[str, Any]:
    """Martingale ``residuals`` (n,) at ``beta`` ``(p,)``."""
    return {"residuals": likelihood.martingale(np.asarray(beta))}


@plain
def factor_information(
    information: np.ndarray, score: np.ndarray, toler_chol: float
) -> dict[str, Any]:
    """Factor an information matrix ``F D F'`` by survival's rule for singular columns.

    Returns
    -------
    dict
        ``step`` (p,), the Newton step of ``score``; ``factor`` F and ``inverse_factor``
        (p, p); ``inverse_pivots`` (p,) of D, 0 for redundant columns; ``rank``.
    """
    from survivalgpu.cholesky import generalised_cholesky

    factors = generalised_cholesky(np.asarray(information)[None], float(toler_chol))
    pivots = factors.pivots[0]
    return {
        "step": factors.solve(np.asarray(score).reshape(1, -1))[0],
        "factor": factors.factor[0],
        "inverse_factor": np.linalg.inv(factors.factor[0]),
        "inverse_pivots": np.divide(1.0, pivots, out=np.zeros_like(pivots), where=pivots != 0),
        "rank": int(factors.rank[0]),
    }


def _numbers_by_row(fit: Any, into: dict[str, float] | None) -> dict[str, np.ndarray | None]:
    """What a fit gives for each row, less what ``into`` has an address for, which is written."""
    values = {"linear_predictors": fit.linear_predictors, "residuals": fit.residuals}
    for name, address in (into or {}).items():
        write_to(address, values.pop(name))
    return values


def _survival_variance(fit: Any, counting: bool, iter_max: int) -> np.ndarray:
    """Variance as survival reports it.

    When right-censored data run out of iterations (which survival warns of), its routine
    returns the inverse of the diagonal of the information only. Python users get the
    whole inverse; R users what ``coxph`` prints.
    """
    from survivalgpu.newton import RAN_OUT

    if counting or iter_max <= 1 or fit.newton.status[0] != RAN_OUT:
        return fit.variance[0]
    diagonal = np.diagonal(fit.information[0])
    positive = diagonal > 0
    return np.diag(np.divide(1.0, diagonal, out=np.zeros_like(diagonal), where=positive))


def _flags(result: Any, counting: bool) -> np.ndarray:
    """survival's return codes for the first problem."""
    from survivalgpu.newton import RAN_OUT

    ran_out = result.status[0] == RAN_OUT
    rank = int(result.rank[0])
    if counting:
        return np.array([rank, 0, int(result.halvings[0]), int(ran_out)], dtype=np.int32)
    if ran_out:
        return np.array([1000], dtype=np.int32)
    return np.array([-2 if result.halving[0] else rank], dtype=np.int32)
