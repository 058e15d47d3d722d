"""What a bootstrap of a Cox model comes to."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from survivalgpu.dependencies import require
from survivalgpu.inference import check_level
from survivalgpu.newton import CONVERGED
from survivalgpu.resampling.intervals import check_interval, interval


@dataclass(frozen=True, repr=False)
class CoxBootstrap:
    """Resampled coefficients of a Cox model.

    Attributes
    ----------
    names : tuple of str
        ``(p,)`` covariates.
    coef : ndarray
        ``(p,)`` the estimate; NaN for redundant covariates.
    coefficients : ndarray
        ``(R, p)`` of each resample; NaN where it could not be fitted, and for redundant
        covariates.
    loglik, iterations, status : ndarray
        ``(R,)`` log partial likelihood, number of iterations, and "converged" or why not:
        "infinite" (a coefficient), "singular" (a column), "no events", "ran out" or "not
        finite".
    kind : str
        ``"ordinary"``, ``"bayesian"`` or ``"frequencies"``.
    seed : int or None
        What the draws depend on; None where the resamples were given.
    n_subjects : int
        Number of subjects.
    acceleration : ndarray
        ``(p,)`` for the interval "bca", from the influence of the subjects.
    """

    names: tuple[str, ...]
    coef: np.ndarray
    coefficients: np.ndarray
    loglik: np.ndarray
    iterations: np.ndarray
    status: np.ndarray
    kind: str
    seed: int | None
    n_subjects: int
    acceleration: np.ndarray

    @property
    def failures(self) -> dict[str, int]:
        """How many resamples could not be fitted, by the reason."""
        return dict(Counter(str(s) for s in self.status if s != CONVERGED).most_common())

    @property
    def standard_errors(self) -> np.ndarray:
        """``(p,)`` standard deviations of the resampled coefficients."""
        return self._fitted().std(axis=0, ddof=1)

    @property
    def bias(self) -> np.ndarray:
        """``(p,)`` means of the resampled coefficients less the estimate."""
        return self._fitted().mean(axis=0) - self.coef

    @property
    def covariance(self) -> np.ndarray:
        """``(p, p)`` covariance of the resampled coefficients."""
        return np.cov(self._fitted(), rowvar=False).reshape(self.coef.size, self.coef.size)

    def confint(self, level: float = 0.95, kind: str = "percentile") -> np.ndarray:
        """Confidence limits of the coefficients.

        Parameters
        ----------
        level : float
            Confidence level, between 0 and 1.
        kind : {"percentile", "basic", "normal", "bca"}
            The interval; see :mod:`survivalgpu.resampling.intervals`.

        Returns
        -------
        ndarray
            ``(p, 2)`` lower and upper limits; resamples that could not be fitted are left
            out.

        Raises
        ------
        InvalidArgumentError
            ``level`` or ``kind`` is no such thing.

        Notes
        -----
        DiCiccio and Efron (1996), Statistical Science 11:189; Davison and Hinkley (1997),
        chapter 5.
        """
        check_level(level)
        check_interval(kind)
        parts = zip(self.coefficients.T, self.coef, self.acceleration, strict=True)
        return np.array([interval(t, t0, level, kind, a) for t, t0, a in parts]).reshape(-1, 2)

    def as_frame(self) -> Any:
        """Return the resamples as a pandas DataFrame.

        Returns
        -------
        DataFrame
            One row per resample: ``status``, ``loglik``, ``iterations`` and a column for
            each covariate.

        Raises
        ------
        MissingDependencyError
            pandas is not installed.
        """
        pandas = require("pandas", "as_frame()", "survivalgpu[dataframe]")
        table = pandas.DataFrame(
            {"status": self.status, "loglik": self.loglik, "iterations": self.iterations}
        )
        values = pandas.DataFrame(self.coefficients, columns=list(self.names))
        return pandas.concat([table, values], axis=1)

    def __repr__(self) -> str:
        text = f"CoxBootstrap: {self.status.size} resamples of {self.n_subjects} subjects"
        if self.seed is not None:
            text += f", seed {self.seed}"
        if self.failures:
            reasons = ", ".join(f"{number} {reason}" for reason, number in self.failures.items())
            text += f"; {sum(self.failures.values())} could not be fitted ({reasons})"
        return text

    def _fitted(self) -> np.ndarray:
        return self.coefficients[self.status == CONVERGED]
