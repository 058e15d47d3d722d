"""Generalised Cholesky decomposition with survival's rule for singular columns.

``A = F D F'`` with ``F`` unit lower triangular and ``D`` diagonal. A pivot below
``tolerance`` times the largest diagonal element of ``A``, or not finite, marks its
column as redundant given those before it: its ``D`` is zero, and solutions and
inverses are zero there (Therneau and Grambsch 2000, appendix).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_PANEL = 32


@dataclass(frozen=True)
class GeneralisedCholesky:
    """Factors of ``B`` symmetric matrices.

    Attributes
    ----------
    factor : ndarray
        ``(B, p, p)`` unit lower triangular.
    pivots : ndarray
        ``(B, p)``, zero for redundant columns.
    rank : ndarray
        ``(B,)`` int, number of columns kept; negative if a matrix is not non-negative
        definite.
    """

    factor: np.ndarray
    pivots: np.ndarray
    rank: np.ndarray

    def select(self, mask: np.ndarray) -> GeneralisedCholesky:
        """The factors of some of the matrices."""
        return GeneralisedCholesky(self.factor[mask], self.pivots[mask], self.rank[mask])

    def solve(self, y: np.ndarray) -> np.ndarray:
        """Solve ``A z = y`` for ``(B, p)`` right-hand sides; redundant columns give 0."""
        p = y.shape[1]
        z = np.array(y, dtype=np.float64)
        for i in range(p - 1):
            z[:, i + 1 :] -= self.factor[:, i + 1 :, i] * z[:, i, None]
        z *= self._inverse_pivots()
        for i in range(p - 1, 0, -1):
            z[:, :i] -= self.factor[:, i, :i] * z[:, i, None]
        return np.where(self.pivots == 0, 0.0, z)

    def inverse(self) -> np.ndarray:
        """Inverse ``(B, p, p)``, zero in the rows and columns of redundant columns."""
        n_problems, p = self.pivots.shape
        # substitution by hand: a library's solver wakes its threads even for 3 x 3
        inverse_factor = np.zeros((n_problems, p, p))
        inverse_factor[:, np.arange(p), np.arange(p)] = 1.0
        for i in range(p - 1):
            done = inverse_factor[:, i, None, : i + 1]
            inverse_factor[:, i + 1 :, : i + 1] -= self.factor[:, i + 1 :, i, None] * done
        scaled = inverse_factor * self._inverse_pivots()[..., None]
        inverse = np.swapaxes(inverse_factor, 1, 2) @ scaled
        kept = self.pivots != 0
        inverse = np.where(kept[:, :, None] & kept[:, None, :], inverse, 0.0)
        return (inverse + np.swapaxes(inverse, 1, 2)) / 2

    def _inverse_pivots(self) -> np.ndarray:
        return np.divide(1.0, self.pivots, out=np.zeros_like(self.pivots), where=self.pivots != 0)


def generalised_cholesky(matrix: np.ndarray, tolerance: float) -> GeneralisedCholesky:
    """Factor ``(B, p, p)`` symmetric matrices; only finite pivots above the rule are kept."""
    n_problems, p, _ = matrix.shape
    work = np.array(matrix, dtype=np.float64)
    factor = np.zeros_like(work)
    pivots = np.zeros((n_problems, p))
    diagonal = np.diagonal(matrix, axis1=1, axis2=2)
    positive = np.where(diagonal > 0, diagonal, 0.0)
    largest = positive.max(axis=1) if p else np.zeros(n_problems)
    threshold = largest * tolerance
    indefinite = np.zeros(n_problems, dtype=bool)
    with np.errstate(all="ignore"):
        for first in range(0, p, _PANEL):
            last = min(first + _PANEL, p)
            for i in range(first, last):
                pivot = work[:, i, i]
                kept = np.isfinite(pivot) & (pivot >= threshold) & (largest > 0)
                indefinite |= pivot < -8 * threshold
                pivots[:, i] = np.where(kept, pivot, 0.0)
                column = np.where(kept[:, None], work[:, i:, i] / pivot[:, None], 0.0)
                column[:, 0] = 1.0
                factor[:, i:, i] = column
                # the rest of the panel now, the columns after it in one product below
                update = column[:, 1:, None] * (
                    pivots[:, i, None, None] * column[:, None, 1 : last - i]
                )
                work[:, i + 1 :, i + 1 : last] -= np.where(kept[:, None, None], update, 0.0)
            panel = factor[:, last:, first:last]
            scaled = panel * pivots[:, None, first:last]
            work[:, last:, last:] -= scaled @ np.swapaxes(panel, 1, 2)
    rank = (pivots != 0).sum(axis=1) * np.where(indefinite & (largest > 0), -1, 1)
    return GeneralisedCholesky(factor, pivots, rank)
