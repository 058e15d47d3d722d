"""P-values of permutation tests, of each term and adjusted for all of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from survivalgpu.inference import log_chi_square_tail

# Permutations that change nothing give the statistic of the data up to rounding.
_ROUNDING = 1e-8


@dataclass(frozen=True)
class PermutationPValues:
    """P-values of ``T`` terms.

    Attributes
    ----------
    each : ndarray
        ``(T,)`` of each term by itself.
    adjusted : ndarray
        ``(T,)`` single-step max-T.
    stepdown : ndarray
        ``(T,)`` step-down max-T.
    """

    each: np.ndarray
    adjusted: np.ndarray
    stepdown: np.ndarray


def permutation_p_values(
    observed: np.ndarray, null: np.ndarray, df: np.ndarray
) -> PermutationPValues:
    """Compare the statistics of the data with those of its permutations.

    With ``b`` of ``R`` permutations at least as large as the data, ``p = (1 + b) / (1 + R)``
    (Phipson and Smyth 2010, Statistical Applications in Genetics and Molecular Biology 9:39).
    For the adjusted ones, each permutation's largest statistic is what the terms are
    compared with, on the scale of minus the log of the chi-square p-value, so that terms of
    different degrees of freedom count alike; step-down, the largest of the terms that are
    not larger in the data (Westfall and Young 1993, *Resampling-Based Multiple Testing*,
    algorithms 2.5 and 4.1).

    Parameters
    ----------
    observed : ndarray
        ``(T,)`` chi-square statistics of the data.
    null : ndarray
        ``(R, T)`` of the permutations; NaN counts as larger than any.
    df : ndarray
        ``(T,)`` degrees of freedom.
    """
    data = -log_chi_square_tail(observed, df)
    permuted = -log_chi_square_tail(np.where(np.isnan(null), np.inf, null), df)
    bound = np.where(np.isnan(data), np.inf, data * (1 - _ROUNDING))
    n = null.shape[0]

    def share(larger: np.ndarray) -> np.ndarray:
        return (1 + larger.sum(axis=0)) / (1 + n)

    descending = np.argsort(-bound, kind="stable")
    # the largest of the terms from each place on
    largest = np.maximum.accumulate(permuted[:, descending[::-1]], axis=1)[:, ::-1]
    stepdown = np.empty(observed.shape)
    stepdown[descending] = np.maximum.accumulate(share(largest >= bound[descending]))
    return PermutationPValues(
        each=share(permuted >= bound), adjusted=share(largest[:, :1] >= bound), stepdown=stepdown
    )
