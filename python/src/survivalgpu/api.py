"""The functions R may call: NumPy arrays in, a plain dict out.

Every function returns ``{"ok": True, ...}`` or ``{"ok": False, "error": {...}}`` with
the parts of the error as strings, since a Python exception reaches R without them.
This module is importable without PyTorch, so that R can say what is missing.
"""

from __future__ import annotations

import functools
import platform
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from survivalgpu.dependencies import require_torch
from survivalgpu.errors import MissingTorchError, SurvivalGPUError

if TYPE_CHECKING:
    from survivalgpu.coxph import CoxData


def _plain(function: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """Return errors raised on purpose as a dict; others pass and are chained by R."""

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> dict[str, Any]:
        try:
            require_torch()
            _spare_lost_threads()
            return {"ok": True, **function(*args, **kwargs)}
        except SurvivalGPUError as error:
            return {"ok": False, "error": error.parts()}

    return wrapped


def _spare_lost_threads() -> None:
    from survivalgpu.threads import spare_lost_threads

    spare_lost_threads()


@_plain
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

    Returns
    -------
    dict
        ``coefficients`` (p,), ``var`` (p, p), ``loglik`` (2,), ``score``, ``iter``,
        ``flag`` (one code for two-column ``y``; rank, rescalings, halvings and
        non-convergence for three), ``u`` (p,), ``means`` (p,), ``linear_predictors``
        (n,), ``residuals`` (n,) or None.
    """
    from survivalgpu.coxph import fit_coxph
    from survivalgpu.newton import NewtonControl

    data = _cox_data(x, y, strata, offset, weights, device)
    counting = data.start is not None
    fit = fit_coxph(
        data,
        ties=ties,
        init=init,
        control=NewtonControl(int(iter_max), float(eps), float(toler_chol)),
        uncentred=uncentred,
        residuals=bool(resid),
    )
    return {
        "coefficients": fit.coefficients[0],
        "var": _survival_variance(fit, counting, int(iter_max)),
        "loglik": fit.loglik[0],
        "score": float(fit.score_test[0]),
        "iter": int(fit.newton.iterations[0]),
        "flag": _flags(fit.newton, counting),
        "u": fit.score_vector[0],
        "means": fit.means,
        "linear_predictors": fit.linear_predictors,
        "residuals": fit.residuals,
    }


@_plain
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

    data = _cox_data(x, y, strata, offset, None, device)
    counting = data.start is not None
    fit = fit_exact_coxph(
        data,
        init=init,
        control=NewtonControl(int(iter_max), float(eps), float(toler_chol)),
        uncentred=uncentred,
        residuals=bool(resid),
    )
    ran_out = fit.newton.status[0] == RAN_OUT
    return {
        "coefficients": fit.coefficients[0],
        "var": _survival_variance(fit, counting, int(iter_max)),
        "loglik": fit.loglik[0],
        "score": float(fit.score_test[0]),
        "iter": int(fit.newton.iterations[0]),
        "flag": 1000 if ran_out else int(fit.newton.rank[0]),
        "u": fit.score_vector[0],
        "means": fit.means,
        "linear_predictors": fit.linear_predictors,
        "residuals": fit.residuals,
    }


@_plain
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

    data = _cox_data(x, y, strata, offset, weights, device)
    return {"likelihood": UserLikelihood(data, ties)}


@_plain
def evaluate_cox_likelihood(likelihood: Any, beta: np.ndarray) -> dict[str, Any]:
    """Evaluate at ``beta`` ``(p,)``: ``loglik``, ``score`` (p,) and ``information`` (p, p)."""
    loglik, score, information = likelihood.evaluate(np.asarray(beta))
    return {"loglik": loglik, "score": score, "information": information}


@_plain
def cox_likelihood_residuals(likelihood: Any, beta: np.ndarray) -> dict[str, Any]:
    """Martingale ``residuals`` (n,) at ``beta`` ``(p,)``."""
    return {"residuals": likelihood.martingale(np.asarray(beta))}


@_plain
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


@_plain
def cox_score_residuals(
    rows: dict[str, Any],
    device: str,
    weighted: bool,
    groups: np.ndarray | None,
    n_groups: int,
    matrix: np.ndarray | None,
) -> dict[str, Any]:
    """Score residuals at given linear predictors; dfbeta where ``matrix`` is the variance.

    Parameters
    ----------
    rows : dict
        ``x`` (n, p), ``y`` (n, 2 or 3), ``strata`` and ``weights`` (n,) or None,
        ``linear_predictors`` (n,), ``ties``: see :func:`fit_cox`.
    device : str
        As :func:`survivalgpu.device.resolve_device` takes it.
    weighted : bool
        Whether to multiply by the case weights.
    groups : ndarray or None
        ``(n,)`` codes ``0 .. n_groups - 1`` of rows to add up.
    n_groups : int
        Number of groups.
    matrix : ndarray or None
        ``(p, p)``, multiplied from the right.

    Returns
    -------
    dict
        ``residuals``, ``(n, p)`` or ``(n_groups, p)``.
    """
    from survivalgpu.device import as_tensor, resolve_device
    from survivalgpu.score_residuals import Collapse, score_residuals_of_rows
    from survivalgpu.threads import threads_for

    on = resolve_device(device)
    fitted = _fitted_rows(rows, on)
    collapse = None
    if groups is not None:
        codes = as_tensor(np.asarray(groups), on).long().reshape(-1)
        collapse = Collapse(codes, int(n_groups))
    right = None if matrix is None else as_tensor(np.asarray(matrix), on)
    # a column is what threads share
    with threads_for(fitted.stop.numel() // 4):
        residuals = score_residuals_of_rows(fitted, bool(weighted), collapse, right)
    return {"residuals": residuals.cpu().numpy()}


@_plain
def cox_schoenfeld_residuals(rows: dict[str, Any], device: str) -> dict[str, Any]:
    """Schoenfeld residuals; arguments as in :func:`cox_score_residuals`.

    Returns
    -------
    dict
        ``rows`` (N,), 0-based, of the events by stratum, time and row; ``residuals``
        (N, p).
    """
    from survivalgpu.device import resolve_device
    from survivalgpu.fitted_risks import FittedRisks
    from survivalgpu.schoenfeld import schoenfeld_residuals
    from survivalgpu.threads import threads_for

    fitted = _fitted_rows(rows, resolve_device(device))
    with threads_for(fitted.stop.numel() // 4):
        found = schoenfeld_residuals(FittedRisks(fitted))
    return {
        "rows": found.rows.cpu().numpy().astype(np.int32),
        "residuals": found.residuals.cpu().numpy(),
    }


@_plain
def cox_zph(
    rows: dict[str, Any], transform: str, transformed: np.ndarray | None, device: str
) -> dict[str, Any]:
    """Sums for the test of proportional hazards; ``rows`` as in :func:`cox_score_residuals`.

    Parameters
    ----------
    transform : str
        ``"km"`` or ``"rank"``; anything else where ``transformed`` is given.
    transformed : ndarray or None
        ``(n,)`` transformed ends of follow-up.

    Returns
    -------
    dict
        ``u`` (2p,), ``imat`` (2p, 2p), ``schoen`` (N, p), ``rows`` (N,) 0-based, ``x`` (N,)
        transformed times, ``used`` (S, p): see
        :class:`survivalgpu.proportional_hazards.ZphSums`.
    """
    from survivalgpu.device import as_tensor, resolve_device
    from survivalgpu.proportional_hazards import zph_sums
    from survivalgpu.threads import threads_for

    on = resolve_device(device)
    fitted = _fitted_rows(rows, on)
    of_time = transform if transformed is None else as_tensor(np.asarray(transformed), on)
    with threads_for(fitted.x.numel()):
        sums = zph_sums(fitted, of_time)
    return {
        "u": sums.score.cpu().numpy(),
        "imat": sums.information.cpu().numpy(),
        "schoen": sums.schoenfeld.cpu().numpy(),
        "rows": sums.rows.cpu().numpy().astype(np.int32),
        "x": sums.transformed.cpu().numpy(),
        "used": sums.used.cpu().numpy().astype(np.int32),
    }


def _fitted_rows(rows: dict[str, Any], device: Any) -> Any:
    """Rows with linear predictors as tensors on ``device``."""
    from survivalgpu.device import as_tensor
    from survivalgpu.fitted_risks import FittedRows

    def vector(values: Any) -> Any:
        return None if values is None else as_tensor(np.asarray(values), device)

    y = np.asarray(rows["y"])
    counting = y.shape[1] == 3
    return FittedRows(
        x=vector(rows["x"]),
        linear_predictors=vector(rows["linear_predictors"]),
        stop=vector(y[:, 1 if counting else 0]),
        event=vector(y[:, -1] == 1),
        start=vector(y[:, 0]) if counting else None,
        strata=None if rows["strata"] is None else vector(_stratum_codes(rows["strata"])),
        weights=vector(rows["weights"]),
        ties=rows["ties"],
    )


def _cox_data(x: Any, y: Any, strata: Any, offset: Any, weights: Any, device: str) -> CoxData:
    """The rows of a fit on ``device``; arguments as of :func:`fit_cox`."""
    from survivalgpu.coxph import CoxData
    from survivalgpu.device import as_tensor, resolve_device

    on = resolve_device(device)
    y = np.asarray(y)
    counting = y.shape[1] == 3
    return CoxData(
        x=as_tensor(np.asarray(x), on),
        stop=as_tensor(y[:, 1 if counting else 0], on),
        event=as_tensor(y[:, -1] == 1, on),
        start=as_tensor(y[:, 0], on) if counting else None,
        strata=None if strata is None else as_tensor(_stratum_codes(strata), on),
        offset=None if offset is None else as_tensor(np.asarray(offset), on),
        weights=None if weights is None else as_tensor(np.asarray(weights), on),
    )


def _stratum_codes(strata: Any) -> np.ndarray:
    """Stratum codes from 0 in the order of the labels, some of them perhaps unused."""
    codes = np.asarray(strata).astype(np.int64).reshape(-1)
    codes -= codes.min()
    if codes.max() >= 2 * codes.size:
        codes = np.unique(codes, return_inverse=True)[1].reshape(-1)
    return codes


@_plain
def survival_curves(
    rows: dict[str, Any],
    kind: str,
    new_x: np.ndarray,
    new_risk: np.ndarray,
    variance: np.ndarray | None,
    device: str,
) -> dict[str, Any]:
    """Survival curves at all times of the fitted rows, for new covariates.

    Parameters
    ----------
    rows : dict
        ``y`` (n, 2 or 3), ``risk`` (n,), and each of these or None: ``strata`` (n,)
        codes ``1 .. S``, every one present; ``weights`` (n,); ``x`` (n, p), needed with
        ``variance``; ``center`` (p,), see :class:`survivalgpu.baseline.BaselineRows`.
    kind : str
        As :func:`survivalgpu.baseline.baseline_tables` takes it.
    new_x, new_risk : ndarray
        ``(m, p)`` and ``(m,)``, whose curves.
    variance : ndarray or None
        ``(p, p)`` variance of the coefficients; None where no standard errors are wanted.
    device : str
        As :func:`survivalgpu.device.resolve_device` takes it.

    Returns
    -------
    dict
        ``n`` and ``n_times`` (S,); ``time``, ``n_risk``, ``n_event``, ``n_censor`` (L,);
        ``surv``, ``cumhaz`` and ``std_err`` (L, m), the last None without ``variance``.
    """
    from survivalgpu import curves
    from survivalgpu.device import as_tensor, resolve_device
    from survivalgpu.threads import threads_for

    on = resolve_device(device)
    fitted = _baseline_rows(rows, on)
    new = curves.NewRisks(as_tensor(np.asarray(new_x), on), as_tensor(np.asarray(new_risk), on))
    var = None if variance is None else as_tensor(np.asarray(variance), on)
    with threads_for(fitted.stop.numel()):
        table, result = curves.survival_curves(fitted, kind, new, var)
    return {
        "n": table.n_rows.cpu().numpy().astype(np.int32),
        "n_times": table.n_times.cpu().numpy().astype(np.int32),
        **_counts_by_time(table),
        "surv": result.survival.cpu().numpy().T,
        "cumhaz": result.hazard.cpu().numpy().T,
        "std_err": None if result.error is None else result.error.cpu().numpy().T,
    }


@_plain
def hazard_steps(rows: dict[str, Any], kind: str, device: str) -> dict[str, Any]:
    """Steps of the baseline hazard of the rows of one stratum, at all their times.

    Parameters
    ----------
    rows, kind, device
        See :func:`survival_curves`; ``x`` is needed.

    Returns
    -------
    dict
        ``time``, ``n_risk``, ``n_event``, ``n_censor``, ``hazard``, ``cumhaz``, ``varhaz``
        and ``surv`` (L,), the last None but for Kalbfleisch and Prentice's estimate;
        ``xbar`` (L, p).
    """
    from survivalgpu import curves
    from survivalgpu.device import resolve_device
    from survivalgpu.threads import threads_for

    fitted = _baseline_rows(rows, resolve_device(device))
    with threads_for(fitted.stop.numel()):
        table, steps = curves.hazard_steps(fitted, kind)
    return {
        **_counts_by_time(table),
        "hazard": steps.hazard.cpu().numpy(),
        "cumhaz": steps.cumulative.cpu().numpy(),
        "varhaz": steps.variance.cpu().numpy(),
        "xbar": steps.mean_hazard.cpu().numpy(),
        "surv": None if steps.factor is None else steps.factor.cpu().numpy(),
    }


def _counts_by_time(table: Any) -> dict[str, np.ndarray]:
    """Times, and the case weights at risk, with an event and censored at each."""
    return {
        "time": table.time.cpu().numpy(),
        "n_risk": table.at_risk.cpu().numpy(),
        "n_event": table.events.cpu().numpy(),
        "n_censor": table.censored.cpu().numpy(),
    }


@_plain
def expected_events(
    rows: dict[str, Any],
    kind: str,
    new: dict[str, Any],
    variance: np.ndarray | None,
    entry_tables: bool,
    device: str,
) -> dict[str, Any]:
    """Cumulative baseline hazards at the times of new rows.

    Parameters
    ----------
    rows, kind, variance, device
        The fitted rows; see :func:`survival_curves`.
    new : dict
        ``times`` (m, 1), ends of follow-up, or (m, 2), entry times and ends; ``strata``
        (m,) codes as those of the rows, or None; ``x`` (m, p), needed with ``variance``.
    entry_tables : bool
        See :func:`survivalgpu.expected.expected_events`.

    Returns
    -------
    dict
        ``hazard`` and ``variance``, as ``times``; the latter None without ``variance``.
    """
    from survivalgpu import expected
    from survivalgpu.baseline import baseline_tables
    from survivalgpu.device import as_tensor, resolve_device
    from survivalgpu.threads import threads_for

    on = resolve_device(device)
    fitted = _baseline_rows(rows, on)
    times = np.asarray(new["times"])
    new_rows = expected.NewRows(
        times=tuple(as_tensor(column, on) for column in times.T),
        strata=_codes_from_zero(new["strata"], on),
        x=None if new["x"] is None else as_tensor(np.asarray(new["x"]), on),
    )
    var = None if variance is None else as_tensor(np.asarray(variance), on)
    with threads_for(fitted.stop.numel() + len(times)):
        hazards, variances = expected.expected_events(
            baseline_tables(fitted, kind), new_rows, var, bool(entry_tables)
        )
    return {
        "hazard": np.stack([h.cpu().numpy() for h in hazards]).T,
        "variance": np.stack([v.cpu().numpy() for v in variances]).T if variances else None,
    }


@_plain
def linear_predictions(
    x: np.ndarray,
    center: np.ndarray,
    columns: np.ndarray,
    sizes: np.ndarray,
    coefficients: np.ndarray,
    variance: np.ndarray | None,
    device: str,
) -> dict[str, Any]:
    """Linear predictors, whole or by term, and their standard errors.

    Parameters
    ----------
    x, center, coefficients, variance
        See :func:`survivalgpu.linear_predictions.linear_predictions`.
    columns, sizes : ndarray
        Columns of the terms, from 1, one term after another; ``(T,)`` columns of each.
    device : str
        As :func:`survivalgpu.device.resolve_device` takes it.

    Returns
    -------
    dict
        ``fit`` and ``se`` (n, T), the latter None without ``variance``.
    """
    from survivalgpu import linear_predictions as predictions
    from survivalgpu.device import as_tensor, resolve_device
    from survivalgpu.threads import threads_for

    on = resolve_device(device)
    rows = as_tensor(np.asarray(x), on)
    places = np.split(np.asarray(columns).astype(np.int64) - 1, np.cumsum(sizes)[:-1].astype(int))
    with threads_for(rows.numel()):
        fit, errors = predictions.linear_predictions(
            rows,
            as_tensor(np.asarray(center), on),
            [as_tensor(place, on) for place in places],
            as_tensor(np.asarray(coefficients), on),
            None if variance is None else as_tensor(np.asarray(variance), on),
        )
    return {
        "fit": fit.cpu().numpy().T,
        "se": None if errors is None else errors.cpu().numpy().T,
    }


def _baseline_rows(rows: dict[str, Any], on: Any) -> Any:
    """Rows of a fitted model on their device."""
    from survivalgpu.baseline import BaselineRows
    from survivalgpu.device import as_tensor

    y = np.asarray(rows["y"])
    counting = y.shape[1] == 3
    rest = {
        name: None if rows[name] is None else as_tensor(np.asarray(rows[name]), on)
        for name in ("risk", "weights", "x", "center")
    }
    return BaselineRows(
        stop=as_tensor(y[:, 1 if counting else 0], on),
        event=as_tensor(y[:, -1] == 1, on),
        start=as_tensor(y[:, 0], on) if counting else None,
        strata=_codes_from_zero(rows["strata"], on),
        **rest,
    )


def _codes_from_zero(codes: Any, on: Any) -> Any:
    """R's codes from 1 as a tensor of codes from 0."""
    from survivalgpu.device import as_tensor

    return None if codes is None else as_tensor(np.asarray(codes), on).long() - 1


@_plain
def resolve_device(name: str) -> dict[str, Any]:
    """Name the device that would compute, and whether ``"auto"`` fell back to the CPU."""
    from survivalgpu.device import resolve_device as resolve

    device = resolve(name)
    return {"device": str(device), "fell_back": name == "auto" and device.type == "cpu"}


def device_report() -> dict[str, Any]:
    """Describe Python, PyTorch and the devices; works without PyTorch."""
    report: dict[str, Any] = {
        "python": platform.python_version(),
        "executable": sys.executable,
        "numpy": np.__version__,
        "torch": None,
        "torch_error": None,
        "cuda": False,
        "cuda_devices": [],
        "mps": False,
        "threads": None,
        "libraries": [],
    }
    try:
        require_torch()
    except MissingTorchError as error:
        report["torch_error"] = error.found
        return report
    import torch

    report["torch"] = str(torch.__version__)
    report["cuda"] = bool(torch.cuda.is_available())
    report["cuda_version"] = torch.version.cuda
    report["cuda_devices"] = [_describe_gpu(i) for i in range(torch.cuda.device_count())]
    report["mps"] = bool(torch.backends.mps.is_available())
    report["threads"] = torch.get_num_threads()
    lines = torch.__config__.parallel_info().splitlines()
    wanted = ("OpenMP", "MKL", "Intel(R)", "ATen parallel backend")
    report["libraries"] = [line.strip() for line in lines if any(w in line for w in wanted)]
    return report


def _describe_gpu(index: int) -> dict[str, Any]:
    import torch

    free, total = torch.cuda.mem_get_info(index)
    return {
        "name": torch.cuda.get_device_name(index),
        "total_memory": float(total),
        "free_memory": float(free),
    }


@_plain
def concordance(
    x: np.ndarray,
    y: np.ndarray,
    strata: np.ndarray | None,
    weights: np.ndarray | None,
    cluster: np.ndarray | None,
    time_weight: str,
    last_time: float | None,
    pooled: bool,
    device: str,
    dfbeta: bool,
    influence: bool,
) -> dict[str, Any]:
    """Count the pairs of one data set, checked by the front end.

    Parameters
    ----------
    x : ndarray
        ``(n,)`` finite float64 predictor.
    y : ndarray
        ``(n, 2)`` time, status or ``(n, 3)`` start, stop, status; at least one event.
    strata, cluster : ndarray or None
        ``(n,)`` int32 labels.
    weights : ndarray or None
        ``(n,)`` positive float64.
    time_weight, last_time, pooled
        See :func:`survivalgpu.concordance.concordance`.
    device : str
        As :func:`survivalgpu.device.resolve_device` takes it.
    dfbeta, influence : bool
        Whether to return these.

    Returns
    -------
    dict
        ``concordance``, ``counts`` (S, 5) by ascending label of the strata, ``var``, ``cvar``;
        ``dfbeta`` (n,) on the scale of Somers' d and ``influence`` (n, 5), or None.
    """
    from survivalgpu.codes import dense_codes
    from survivalgpu.concordance import ConcordanceData
    from survivalgpu.concordance_summary import summarise_concordance
    from survivalgpu.device import as_tensor, resolve_device
    from survivalgpu.threads import threads_for

    on = resolve_device(device)
    y = np.asarray(y)
    with threads_for(y.size):
        data = ConcordanceData(
            x=as_tensor(np.asarray(x), on),
            stop=as_tensor(y[:, -2], on),
            event=as_tensor(y[:, -1] == 1, on),
            start=as_tensor(y[:, 0], on) if y.shape[1] == 3 else None,
            strata=None if strata is None else as_tensor(dense_codes(strata), on),
            weights=None if weights is None else as_tensor(np.asarray(weights), on),
        )
        summary = summarise_concordance(
            data,
            cluster=None if cluster is None else as_tensor(dense_codes(cluster), on),
            time_weight=str(time_weight),
            last_time=last_time,
            pooled=bool(pooled),
            dfbeta=bool(dfbeta),
            influence=bool(influence),
        )
    return vars(summary)
