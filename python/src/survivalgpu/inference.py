"""Tests, intervals and tail probabilities of a fitted model."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import torch

from survivalgpu.cholesky import generalised_cholesky
from survivalgpu.errors import InvalidArgumentError


@dataclass(frozen=True)
class ChiSquareTest:
    """A test of all coefficients at once.

    Attributes
    ----------
    name : str
        Of the test.
    statistic : float
        Chi-square statistic.
    df : int
        Degrees of freedom: the coefficients that are not redundant.
    p_value : float
        Upper tail of the chi-square distribution.
    """

    name: str
    statistic: float
    df: int
    p_value: float


def chi_square_tail(statistic: float, df: int) -> float:
    """Probability that a chi-square variable of ``df`` degrees exceeds ``statistic``.

    The upper regularised incomplete gamma function ``Q(df / 2, statistic / 2)``
    (Abramowitz and Stegun 1964, 26.4.19); 1 where ``df`` is 0.
    """
    if df == 0:
        return 1.0
    half = torch.tensor([df / 2, statistic / 2], dtype=torch.float64)
    return float(torch.special.gammaincc(half[0], half[1]))


def log_chi_square_tail(statistic: np.ndarray, df: np.ndarray) -> np.ndarray:
    """Log of :func:`chi_square_tail`, elementwise, also where that underflows.

    Far out, ``Q(a, x) = x^(a - 1) exp(-x) / Gamma(a)`` times the asymptotic series
    ``1 + (a - 1) / x + (a - 1)(a - 2) / x^2 + ...`` (Abramowitz and Stegun 1964, 6.5.32).

    Parameters
    ----------
    statistic : ndarray
        Any shape, from 0.
    df : ndarray
        At least 1, of a shape that broadcasts.
    """
    a, x = np.broadcast_arrays(np.asarray(df) / 2.0, np.asarray(statistic) / 2.0)
    far = x > 500.0 + 10.0 * a
    within = torch.from_numpy(np.where(far, 1.0, x))
    near = torch.special.gammaincc(torch.from_numpy(a.copy()), within).numpy()
    # the logarithms are NumPy's: PyTorch's wake its threads even for a few numbers
    with np.errstate(divide="ignore", invalid="ignore"):
        series, term = np.ones_like(x), np.ones_like(x)
        for number in range(1, 20):
            term = term * (a - number) / x
            series += term
        gamma = torch.lgamma(torch.from_numpy(a.copy())).numpy()
        beyond = (a - 1) * np.log(x) - x - gamma + np.log(series)
        beyond = np.where(np.isinf(x), -np.inf, beyond)
        return np.where(far, beyond, np.log(near))


def two_sided_normal_tail(z: np.ndarray) -> np.ndarray:
    """Probability ``erfc(|z| / sqrt(2))`` of a normal deviate beyond ``|z|``, ``(p,)``."""
    return np.array([math.erfc(abs(value) / math.sqrt(2)) for value in z], dtype=np.float64)


def normal_quantile(level: float) -> float:
    """Deviate that bounds the central ``level`` of the normal distribution.

    Raises
    ------
    InvalidArgumentError
        ``level`` is not between 0 and 1.
    """
    check_level(level)
    return NormalDist().inv_cdf((1 + level) / 2)


def check_level(level: float) -> None:
    """Refuse what is not a confidence level.

    Raises
    ------
    InvalidArgumentError
        ``level`` is not between 0 and 1.
    """
    if not isinstance(level, (int, float)) or not 0 < level < 1:
        raise InvalidArgumentError(
            "level", f"{level!r} is no confidence level.", "Use a number such as 0.95."
        )


def wald_statistic(difference: np.ndarray, variance: np.ndarray, tolerance: float) -> float:
    """Wald's chi-square ``d' V^-1 d``.

    Parameters
    ----------
    difference : ndarray
        ``(p,)`` coefficients less their value under the hypothesis; NaN for redundant
        columns, which are left out.
    variance : ndarray
        ``(p, p)`` of the coefficients.
    tolerance : float
        Share of the largest pivot below which one is singular.

    Notes
    -----
    Therneau and Grambsch (2000), *Modeling Survival Data*, section 3.4.
    """
    kept = ~np.isnan(difference)
    if not kept.any():
        return 0.0
    d = difference[kept]
    factors = generalised_cholesky(variance[np.ix_(kept, kept)][None], tolerance)
    return float(d @ factors.solve(d[None])[0])


def model_tests(
    coef: np.ndarray, loglik: np.ndarray, wald: float, score: float
) -> tuple[ChiSquareTest, ...]:
    """The three tests of all coefficients at once, as chi-square tests.

    The likelihood ratio statistic is ``2 (loglik[1] - loglik[0])``; each has as many
    degrees of freedom as there are coefficients that are not NaN. Therneau and Grambsch
    (2000), section 3.4.
    """
    df = int((~np.isnan(coef)).sum())
    statistics = {
        "Likelihood ratio test": 2 * float(loglik[1] - loglik[0]),
        "Wald test": wald,
        "Score (logrank) test": score,
    }
    return tuple(
        ChiSquareTest(name, value, df, chi_square_tail(value, df))
        for name, value in statistics.items()
    )
