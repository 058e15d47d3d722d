"""Six shapes of a weight function, after Sylvestre and Abrahamowicz (2009), Stat Med 28:3437."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from survivalgpu.errors import InvalidArgumentError


def _bell(centre: float, spread: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda v: np.exp(-0.5 * ((v - centre) / spread) ** 2)


# By the time since the dose, v = u / cutoff in (0, 1].
SHAPES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "exponential": lambda v: np.exp(-7.0 * v),
    "bilinear": lambda v: np.maximum(1.0 - v / 0.3, 0.0),
    "early peak": _bell(0.08, 0.1),
    "inverted U": _bell(0.4, 0.12),
    "constant": np.ones_like,
    "hat": lambda v: np.minimum(v / 0.3, np.clip((1.0 - v) / 0.7, 0.0, 1.0)),
}


def weight_function(shape: str, cutoff: int) -> np.ndarray:
    """Return the weights of the days ``u = 1 .. cutoff`` since a dose, which sum to 1.

    Parameters
    ----------
    shape : str
        ``"exponential"`` decay, ``"bilinear"`` (linear decay, then 0), ``"early peak"``,
        ``"inverted U"``, ``"constant"``, or ``"hat"`` (linear rise, linear decay).
    cutoff : int
        Number of days.
    """
    if shape not in SHAPES:
        names = ", ".join(f'"{name}"' for name in SHAPES)
        raise InvalidArgumentError("weight", f'there is no shape "{shape}".', f"Use {names}.")
    weights = SHAPES[shape](np.arange(1, cutoff + 1) / cutoff)
    return weights / weights.sum()
