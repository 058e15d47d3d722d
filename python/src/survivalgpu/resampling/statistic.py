"""What is computed from the coefficients of each replicate: the user's statistic."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from survivalgpu.errors import InvalidArgumentError
from survivalgpu.newton import CONVERGED
from survivalgpu.resampling.intervals import acceleration_of
from survivalgpu.resampling.replicates import ReplicateFits

_REMEDY = "Give a function of the coefficients (p,) that returns one or more numbers."


def statistic_at(statistic: Callable[[np.ndarray], Any], beta: np.ndarray) -> np.ndarray:
    """Evaluate a statistic.

    Parameters
    ----------
    statistic : callable
        Takes ``(p,)`` coefficients, of which it gets a copy, and returns a number or
        ``(q,)`` of them.
    beta : ndarray
        ``(p,)``.

    Returns
    -------
    ndarray
        ``(q,)`` float64, ``q >= 1``.

    Raises
    ------
    InvalidArgumentError
        ``statistic`` is no function, or returns anything else.
    """
    if not callable(statistic):
        raise InvalidArgumentError("statistic", f"it is {statistic!r}.", _REMEDY)
    returned = statistic(beta.copy())
    try:
        value = np.asarray(returned)
    except ValueError:  # lists of unequal lengths
        value = np.empty((0, 0))
    if value.dtype.kind not in "iuf" or value.ndim > 1 or not value.size:
        raise InvalidArgumentError("statistic", f"it returned {returned!r}.", _REMEDY)
    return value.reshape(-1).astype(np.float64)


def statistic_of_replicates(
    statistic: Callable[[np.ndarray], Any], fits: ReplicateFits, at_estimate: np.ndarray
) -> np.ndarray:
    """Evaluate a statistic for each replicate.

    Parameters
    ----------
    statistic : callable
        As of :func:`statistic_at`.
    fits : ReplicateFits
        ``R`` replicates.
    at_estimate : ndarray
        ``(q,)`` its value in the sample.

    Returns
    -------
    ndarray
        ``(R, q)``, NaN where the replicate was not fitted.

    Raises
    ------
    InvalidArgumentError
        Another number of values than at the estimate.
    """
    values = np.full((fits.status.size, at_estimate.size), np.nan)
    for b in np.flatnonzero(fits.status == CONVERGED):
        value = statistic_at(statistic, fits.coefficients[b])
        if value.size != at_estimate.size:
            raise InvalidArgumentError(
                "statistic",
                f"it returned {value.size} value(s) for resample {b} (from 0) and "
                f"{at_estimate.size} for the estimate.",
                "It must return as many numbers for all coefficients.",
            )
        values[b] = value
    return values


def statistic_acceleration(
    statistic: Callable[[np.ndarray], Any],
    beta: np.ndarray,
    at_estimate: np.ndarray,
    influence: np.ndarray,
) -> np.ndarray:
    """Acceleration of a statistic, whose influence is that of the coefficients by its gradient.

    Parameters
    ----------
    statistic : callable
        As of :func:`statistic_at`.
    beta : ndarray
        ``(p,)`` the estimate; NaN for redundant covariates.
    at_estimate : ndarray
        ``(q,)`` the statistic there.
    influence : ndarray
        ``(n_subjects, p)`` of the subjects on the coefficients.

    Returns
    -------
    ndarray
        ``(q,)``.

    Notes
    -----
    The delta method (Davison and Hinkley 1997, section 2.7.2); central differences of steps
    ``eps^(1/3) max(|beta|, 0.01)``.
    """
    estimated = np.flatnonzero(~np.isnan(beta))
    gradient = np.empty((estimated.size, at_estimate.size))
    for row, j in enumerate(estimated):
        step = np.zeros_like(beta)
        step[j] = np.finfo(float).eps ** (1 / 3) * max(abs(beta[j]), 1e-2)
        rise = statistic_at(statistic, beta + step) - statistic_at(statistic, beta - step)
        gradient[row] = rise / (2 * step[j])
    return acceleration_of(influence[:, estimated] @ gradient)
