"""Survival curves, baseline hazards and expected events for R."""

from __future__ import annotations

from typing import Any

import numpy as np

from survivalgpu.api.boundary import plain


@plain
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


@plain
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


@plain
def expected_events(
    rows: dict[str, Any],
    kind: str,
    new: dict[str, Any],
    coefficients: np.ndarray | None,
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
        ``y`` (m, 2 or 3), the response, of which the times are looked at; ``strata``
        (m,) codes as those of the rows, or None; ``x`` (m, p), needed with ``variance``
        and ``coefficients``.
    coefficients : ndarray or None
        ``(p,)`` for the risks of the new rows, which are measured from ``center``; None
        where they are not wanted.
    entry_tables : bool
        See :func:`survivalgpu.expected.expected_events`.

    Returns
    -------
    dict
        ``hazard`` and ``variance`` (m, 1 or 2), one column per time of a row, the latter
        None without ``variance``; ``risk`` (m, 1), None without ``coefficients``.
    """
    from survivalgpu import expected
    from survivalgpu.baseline import baseline_tables
    from survivalgpu.device import as_tensor, resolve_device
    from survivalgpu.linear_predictions import linear_predictors
    from survivalgpu.threads import threads_for

    on = resolve_device(device)
    fitted = _baseline_rows(rows, on)
    times = np.asarray(new["y"])[:, :-1]
    new_rows = expected.NewRows(
        times=tuple(as_tensor(column, on) for column in times.T),
        strata=_codes_from_zero(new["strata"], on),
        x=None if new["x"] is None else as_tensor(np.asarray(new["x"]), on),
    )
    var, beta = (
        None if array is None else as_tensor(np.asarray(array), on)
        for array in (variance, coefficients)
    )
    with threads_for(fitted.stop.numel() + len(times)):
        hazards, variances = expected.expected_events(
            baseline_tables(fitted, kind), new_rows, var, bool(entry_tables)
        )
        risk = []
        if beta is not None:
            risk = [linear_predictors(new_rows.x, beta, fitted.center).exp_()]
    return {
        "hazard": _as_columns(hazards),
        "variance": _as_columns(variances),
        "risk": _as_columns(risk),
    }


def _as_columns(tensors: list[Any]) -> np.ndarray | None:
    """Vectors side by side; a single one is not copied. None where there are none."""
    if len(tensors) < 2:
        return tensors[0].cpu().numpy()[:, None] if tensors else None
    return np.stack([tensor.cpu().numpy() for tensor in tensors]).T


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


@plain
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
