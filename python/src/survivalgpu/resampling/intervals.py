"""Confidence limits from resampled values, those of R's ``boot::boot.ci``.

Percentiles are interpolated between order statistics on the normal scale, as in Davison and
Hinkley (1997), *Bootstrap Methods and their Application*, section 5.2; BCa as in Efron
(1987), JASA 82:171, and DiCiccio and Efron (1996), Statistical Science 11:189.
"""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import torch

from survivalgpu.errors import InvalidArgumentError

INTERVALS = ("percentile", "basic", "normal", "bca")


def check_interval(kind: str) -> None:
    """Refuse what is not the name of an interval.

    Raises
    ------
    InvalidArgumentError
        ``kind`` is none of :data:`INTERVALS`.
    """
    if kind not in INTERVALS:
        raise InvalidArgumentError(
            "kind", f"{kind!r} is not an interval.", f"Use one of {', '.join(INTERVALS)}."
        )


def interval(
    resampled: np.ndarray, estimate: float, level: float, kind: str, acceleration: float
) -> np.ndarray:
    """Limits for one number.

    Parameters
    ----------
    resampled : ndarray
        ``(R,)`` resampled values; those that are not finite are left out.
    estimate : float
        The value in the sample.
    level : float
        Confidence level, between 0 and 1.
    kind : {"percentile", "basic", "normal", "bca"}
        The interval.
    acceleration : float
        For ``"bca"``, see :func:`acceleration_of`.

    Returns
    -------
    ndarray
        ``(2,)`` lower and upper limit; NaN where there is none.
    """
    values = np.sort(resampled[np.isfinite(resampled)])
    if values.size < 2 or not np.isfinite(estimate):
        return np.full(2, np.nan)
    tails = np.array([1 - level, 1 + level]) / 2
    if kind == "normal":
        z = np.array([NormalDist().inv_cdf(tail) for tail in tails])
        return 2 * estimate - values.mean() + z * values.std(ddof=1)
    if kind == "basic":
        return 2 * estimate - quantiles(values, 1 - tails)
    if kind == "bca":
        tails = bca_levels(values, estimate, tails, acceleration)
        if not np.isfinite(tails).all():
            return np.full(2, np.nan)
    return quantiles(values, tails)


def bca_levels(
    values: np.ndarray, estimate: float, tails: np.ndarray, acceleration: float
) -> np.ndarray:
    """Levels of the percentiles, corrected for bias and acceleration; as ``tails``."""
    bias = _normal_quantile(np.array([(values < estimate).mean()]))[0]
    with np.errstate(invalid="ignore"):
        shifted = bias + _normal_quantile(tails)
        corrected = bias + shifted / (1 - acceleration * shifted)
    return torch.special.ndtr(torch.as_tensor(corrected)).numpy()


def acceleration_of(influence: np.ndarray) -> np.ndarray:
    """``sum L^3 / (6 (sum L^2)^1.5)`` of each column of ``(n_subjects, p)`` influences."""
    with np.errstate(invalid="ignore"):
        return (influence**3).sum(axis=0) / (6 * (influence**2).sum(axis=0) ** 1.5)


def quantiles(values: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Quantiles of sorted values; beyond the first and last order statistic, these."""
    n = values.size
    rank = (n + 1) * levels
    below = np.clip(np.floor(rank), 1, n).astype(int)
    above = np.minimum(below + 1, n)
    low, high = _normal_quantile(below / (n + 1)), _normal_quantile(above / (n + 1))
    inside = (above > below) & (rank > 1)
    gap = np.where(inside, high - low, 1.0)
    share = np.where(inside, (_normal_quantile(levels) - low) / gap, 0.0)
    return values[below - 1] + share * (values[above - 1] - values[below - 1])


def _normal_quantile(levels: np.ndarray) -> np.ndarray:
    return torch.special.ndtri(torch.as_tensor(levels, dtype=torch.float64)).numpy()
