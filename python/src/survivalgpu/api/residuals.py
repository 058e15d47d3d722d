"""Residuals and the test of proportional hazards for R."""

from __future__ import annotations

from typing import Any

import numpy as np

from survivalgpu.api.boundary import plain, stratum_codes


@plain
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
        ``linear_predictors`` (n,), ``ties``: see :func:`fit_cox`. Or, in place of the first
        four, ``prepared``: what that function has kept of them.
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


@plain
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


@plain
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

    prepared = rows.get("prepared")
    if prepared is not None:
        data = prepared.data
        return FittedRows(
            x=data.x,
            linear_predictors=vector(rows["linear_predictors"]),
            stop=data.stop,
            event=data.event,
            start=data.start,
            strata=data.strata,
            weights=data.weights,
            ties=rows["ties"],
            risk_sets=prepared.risk_sets,
            design=prepared.design,
        )
    y = np.asarray(rows["y"])
    counting = y.shape[1] == 3
    return FittedRows(
        x=vector(rows["x"]),
        linear_predictors=vector(rows["linear_predictors"]),
        stop=vector(y[:, 1 if counting else 0]),
        event=vector(y[:, -1] == 1),
        start=vector(y[:, 0]) if counting else None,
        strata=None if rows["strata"] is None else vector(stratum_codes(rows["strata"])),
        weights=vector(rows["weights"]),
        ties=rows["ties"],
    )
