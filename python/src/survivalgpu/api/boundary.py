"""What every function that R calls shares: errors as a dict, rows as tensors."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from survivalgpu.dependencies import require_torch
from survivalgpu.errors import SurvivalGPUError

if TYPE_CHECKING:
    from survivalgpu.coxph import CoxData


def plain(function: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
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


def cox_data(x: Any, y: Any, strata: Any, offset: Any, weights: Any, device: str) -> CoxData:
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
        strata=None if strata is None else as_tensor(stratum_codes(strata), on),
        offset=None if offset is None else as_tensor(np.asarray(offset), on),
        weights=None if weights is None else as_tensor(np.asarray(weights), on),
    )


def write_to(address: float, values: np.ndarray) -> None:
    """Copy ``(n,)`` float64 values to memory that R has for them."""
    if values.size:
        target = (ctypes.c_double * values.size).from_address(int(address))
        np.ctypeslib.as_array(target)[:] = values


def stratum_codes(strata: Any) -> np.ndarray:
    """Stratum codes from 0 in the order of the labels, some of them perhaps unused."""
    codes = np.asarray(strata).astype(np.int64).reshape(-1)
    codes -= codes.min()
    if codes.max() >= 2 * codes.size:
        codes = np.unique(codes, return_inverse=True)[1].reshape(-1)
    return codes
