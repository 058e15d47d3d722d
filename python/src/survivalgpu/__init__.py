"""Cox models for large survival data, on a GPU or on all CPU cores.

:class:`CoxPH` is the estimator; :func:`fit_coxph` is the engine under it. Names are
loaded when they are first used, so that :mod:`survivalgpu.api` can be imported, and can
say what is missing, where PyTorch is not installed.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from survivalgpu.errors import (
    ConvergenceWarning,
    DeviceUnavailableError,
    InvalidArgumentError,
    MissingDependencyError,
    MissingTorchError,
    NotFittedError,
    NumericalError,
    SurvivalGPUError,
)

if TYPE_CHECKING:
    from survivalgpu.coxph import CoxData, CoxFit, fit_coxph
    from survivalgpu.estimators import CoxPH
    from survivalgpu.newton import NewtonControl

__version__ = "0.1.0"

__all__ = [
    "ConvergenceWarning",
    "CoxData",
    "CoxFit",
    "CoxPH",
    "DeviceUnavailableError",
    "InvalidArgumentError",
    "MissingDependencyError",
    "MissingTorchError",
    "NewtonControl",
    "NotFittedError",
    "NumericalError",
    "SurvivalGPUError",
    "__version__",
    "fit_coxph",
]

_LAZY = {
    "CoxData": "coxph",
    "CoxFit": "coxph",
    "CoxPH": "estimators",
    "NewtonControl": "newton",
    "fit_coxph": "coxph",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from survivalgpu.dependencies import require_torch

    require_torch()
    value = getattr(importlib.import_module(f"survivalgpu.{_LAZY[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
