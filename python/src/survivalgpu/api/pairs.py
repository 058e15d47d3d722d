"""Concordance for R."""

from __future__ import annotations

from typing import Any

import numpy as np

from survivalgpu.api.boundary import plain


@plain
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
