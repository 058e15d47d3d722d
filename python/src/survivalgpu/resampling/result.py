"""What a bootstrap of a Cox model comes to."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from survivalgpu.dependencies import require
from survivalgpu.errors import InvalidArgumentError
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
    statistic, statistic_t0, statistic_acceleration : ndarray or None
        ``(R, q)`` the user's statistic of each resample, NaN where it could not be fitted;
        ``(q,)`` at the estimate; and ``(q,)`` as ``acceleration``, by the statistic's
        gradient. None without a statistic.
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
    statistic: np.ndarray | None = None
    statistic_t0: np.ndarray | None = None
    statistic_acceleration: np.ndarray | None = None

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

    def confint(
        self, level: float = 0.95, kind: str = "percentile", of: str = "coefficients"
    ) -> np.ndarray:
        """Confidence limits of the coefficients or of the statistic.

        Parameters
        ----------
        level : float
            Confidence level, between 0 and 1.
        kind : {"percentile", "basic", "normal", "bca"}
            The interval; see :mod:`survivalgpu.resampling.intervals`.
        of : {"coefficients", "statistic"}
            Of what.

        Returns
        -------
        ndarray
            ``(p, 2)``, or ``(q, 2)`` of a statistic, lower and upper limits; resamples that
            could not be fitted are left out.

        Raises
        ------
        InvalidArgumentError
            ``level``, ``kind`` or ``of`` is no such thing, or there is no statistic.

        Notes
        -----
        DiCiccio and Efron (1996), Statistical Science 11:189; Davison and Hinkley (1997),
        chapter 5.
        """
        check_level(level)
        check_interval(kind)
        parts = zip(*self._resampled(of), strict=True)
        return np.array([interval(t, t0, level, kind, a) for t, t0, a in parts]).reshape(-1, 2)

    def as_frame(self) -> Any:
        """Return the resamples as a pandas DataFrame.

        Returns
        -------
        DataFrame
            One row per resample: ``status``, ``loglik``, ``iterations`` and a column for
            each covariate, then ``statistic0``, ``statistic1``, ... where there is one.

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
        tables = [table, values]
        if self.statistic is not None:
            tables.append(pandas.DataFrame(self.statistic).add_prefix("statistic"))
        return pandas.concat(tables, axis=1)

    def __repr__(self) -> str:
        text = f"CoxBootstrap: {self.status.size} resamples of {self.n_subjects} subjects"
        if self.seed is not None:
            text += f", seed {self.seed}"
        if self.failures:
            reasons = ", ".join(f"{number} {reason}" for reason, number in self.failures.items())
            text += f"; {sum(self.failures.values())} could not be fitted ({reasons})"
        return text

    def _resampled(self, of: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Resampled values ``(q, R)``, estimates and accelerations ``(q,)``."""
        if of == "coefficients":
            return self.coefficients.T, self.coef, self.acceleration
        if of != "statistic":
            raise InvalidArgumentError("of", f"it is {of!r}.", 'Use "coefficients" or "statistic".')
        if self.statistic is None:
            raise InvalidArgumentError(
                "of", "no statistic was computed.", "Give `statistic` to bootstrap()."
            )
        return self.statistic.T, self.statistic_t0, self.statistic_acceleration

    def _fitted(self) -> np.ndarray:
        return self.coefficients[self.status == CONVERGED]
