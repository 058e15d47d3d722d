"""The numerical options of a fit, checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from survivalgpu.device import resolve_device
from survivalgpu.errors import InvalidArgumentError
from survivalgpu.newton import NewtonControl
from survivalgpu.validation import as_float_vector, check_count, check_ties


@dataclass(frozen=True)
class Settings:
    """Options of a fit other than its rows.

    Attributes
    ----------
    ties : str
        ``"efron"`` or ``"breslow"``.
    device : torch.device
        Where to compute.
    control : NewtonControl
        Iterations and tolerances.
    nocenter : ndarray
        Covariates with these values only are neither centred nor scaled.
    timefix : bool
        Whether to make times equal that differ by rounding.
    """

    ties: str
    device: torch.device
    control: NewtonControl
    nocenter: np.ndarray
    timefix: bool


def check_settings(
    *,
    ties: Any,
    device: Any,
    iter_max: Any,
    eps: Any,
    toler_chol: Any,
    nocenter: Any,
    timefix: Any,
) -> Settings:
    """Check options as a user gave them.

    Raises
    ------
    InvalidArgumentError
        One is of a wrong type or out of range.
    DeviceUnavailableError
        The device is not there.
    """
    if not isinstance(timefix, (bool, np.bool_)):
        raise InvalidArgumentError("timefix", f"it is {timefix!r}.", "Use True or False.")
    control = NewtonControl(
        check_count("iter_max", iter_max, 0),
        _positive("eps", eps),
        _positive("toler_chol", toler_chol),
    )
    values = np.atleast_1d(() if nocenter is None else nocenter)
    return Settings(
        ties=check_ties(ties),
        device=resolve_device(device),
        control=control,
        nocenter=as_float_vector("nocenter", values),
        timefix=bool(timefix),
    )


def _positive(name: str, value: Any) -> float:
    number = isinstance(value, (int, float, np.floating, np.integer))
    if isinstance(value, bool) or not number or not 0 < value < np.inf:
        raise InvalidArgumentError(name, f"it is {value!r}.", "Use a number > 0.")
    return float(value)
