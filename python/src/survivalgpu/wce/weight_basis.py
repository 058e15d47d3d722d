"""The basis of a weight function: cubic B-splines of the days since a dose.

A weight function is ``w(u) = sum_j theta_j B_j(u)`` on the days ``u = 1 .. cutoff``, where
``u = 1`` is the current day. Interior knots stand at rounded quantiles of these days, four
knots at one day's distance beyond either end (Sylvestre and Abrahamowicz 2009, Statistics in
Medicine 28:3437).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from survivalgpu.errors import InvalidArgumentError

_ORDER = 4
# Functions that a constraint takes away from one end: the weight and its slope end at 0.
_CONSTRAINED = 2


@dataclass(frozen=True)
class WeightBasis:
    """B-splines of one weight function.

    Attributes
    ----------
    knots : ndarray
        ``(L + 8,)`` all knots, ascending.
    values : ndarray
        ``(cutoff, J)`` each function at ``u = 1 .. cutoff``.
    first : int
        Number, from 1, of the first of the ``J`` functions; 3 under a left constraint.
    """

    knots: np.ndarray
    values: np.ndarray
    first: int

    @property
    def cutoff(self) -> int:
        """Days over which doses count."""
        return self.values.shape[0]

    @cached_property
    def cumulated(self) -> np.ndarray:
        """``(cutoff + 1, J)``: row ``m`` is the sum of ``values`` over ``u = 1 .. m``."""
        total = np.zeros((self.cutoff + 1, self.values.shape[1]))
        np.cumsum(self.values, axis=0, out=total[1:])
        return total


def interior_knots(n_knots: int, cutoff: int) -> np.ndarray:
    """Place ``n_knots`` knots at rounded quantiles of ``1 .. cutoff``.

    Quantiles are R's (type 7), in R's own arithmetic: where one lies half-way between two
    days, its last bit decides to which it is rounded.
    """
    place = 1.0 + (cutoff - 1) * (np.arange(1, n_knots + 1) * (1.0 / (n_knots + 1)))
    below = np.floor(place)
    share = place - below
    return np.round((1.0 - share) * below + share * (below + 1.0))


def weight_basis(
    cutoff: int, n_knots: int, constrained: str | None = None, interior: np.ndarray | None = None
) -> WeightBasis:
    """Make the basis of a weight function on ``1 .. cutoff``.

    Parameters
    ----------
    cutoff : int
        Days over which doses count.
    n_knots : int
        Number of interior knots.
    constrained : {None, "right", "left"}
        End of the interval at which the weight goes smoothly to 0: ``"right"`` for doses
        long ago, ``"left"`` for current ones.
    interior : ndarray, optional
        ``(n_knots,)`` ascending knots in place of :func:`interior_knots`.

    Raises
    ------
    InvalidArgumentError
        There are too few days for so many knots.
    """
    inner = interior_knots(n_knots, cutoff) if interior is None else interior
    before, after = np.arange(-3.0, 1.0), cutoff + np.arange(4.0)
    knots = np.concatenate([before, inner, after])
    if (np.diff(knots) <= 0).any():
        raise InvalidArgumentError(
            "nknots",
            f"{n_knots} knots do not fit between day 1 and the cutoff of {cutoff} days.",
            "Use fewer knots or a longer cutoff.",
        )
    values = bsplines(np.arange(1.0, cutoff + 1.0), knots)
    keep = slice(
        _CONSTRAINED if constrained == "left" else 0,
        -_CONSTRAINED if constrained == "right" else None,
    )
    return WeightBasis(knots, np.ascontiguousarray(values[:, keep]), (keep.start or 0) + 1)


def bsplines(at: np.ndarray, knots: np.ndarray) -> np.ndarray:
    """Cubic B-splines on distinct ``(L,)`` knots at ``(m,)`` points, ``(m, L - 4)``.

    Notes
    -----
    De Boor (1978), *A Practical Guide to Splines*, chapter X: a spline of one order more is a
    mean of two neighbours, weighted by the distances to their knots.
    """
    points = at[:, None]
    spline = ((knots[:-1] <= points) & (points < knots[1:])).astype(np.float64)
    for degree in range(1, _ORDER):
        rise = (points - knots[: -degree - 1]) / (knots[degree:-1] - knots[: -degree - 1])
        fall = (knots[degree + 1 :] - points) / (knots[degree + 1 :] - knots[1:-degree])
        spline = rise * spline[:, :-1] + fall * spline[:, 1:]
    return spline
