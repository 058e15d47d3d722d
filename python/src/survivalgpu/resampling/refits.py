"""Likelihood ratio and Wald statistics of permuted terms: a fit for each permutation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from torch import Tensor

from survivalgpu.coxph import CoxData, fit_coxph
from survivalgpu.fitted_risks import is_exact
from survivalgpu.inference import wald_statistic
from survivalgpu.newton import CONVERGED, NewtonControl
from survivalgpu.resampling.null_scores import null_fit


class TermRefits:
    """Fits a model again with permuted values of one term.

    Fits start at the null model's coefficients.

    Parameters
    ----------
    data : CoxData
        The rows, all covariates.
    values : Tensor
        ``(m, q)`` the term's columns by subject.
    columns : ndarray
        ``(q,)`` places of the term's columns.
    subjects : Tensor
        ``(n,)`` int64 subject of each row.
    ties, control
        As for :func:`survivalgpu.coxph.fit_coxph`.
    statistic : {"lrt", "wald"}
    """

    def __init__(
        self,
        data: CoxData,
        values: Tensor,
        columns: np.ndarray,
        subjects: Tensor,
        ties: str,
        control: NewtonControl,
        statistic: str,
    ) -> None:
        self.values, self._columns, self._subjects = values, columns, subjects
        self._ties, self._control, self._statistic = ties, control, statistic
        null = null_fit(data, columns, ties, control)
        self._null_loglik = float(null.loglik[0, 1])
        self._start = np.zeros(data.x.shape[1])
        self._start[np.setdiff1d(np.arange(data.x.shape[1]), columns)] = null.coefficients[0]
        self._data = replace(data, x=data.x.clone())
        self._uncentred = np.array([is_exact(column) for column in data.x.T], dtype=bool)

    def __call__(self, donor: Tensor) -> float:
        """Statistic under the permutation ``(m,)``; NaN where its fit has none.

        The likelihood ratio stays good where a coefficient grows without bound; Wald's
        statistic needs a fit that converged.
        """
        permuted = self.values[donor.long()]
        for j, column in enumerate(self._columns.tolist()):
            self._data.x[:, column] = permuted[:, j][self._subjects]
        fit = fit_coxph(
            self._data,
            self._ties,
            self._start,
            self._control,
            self._uncentred,
            residuals=False,
        )
        if self._statistic == "lrt":
            ratio = 2.0 * (float(fit.loglik[0, 1]) - self._null_loglik)
            return max(ratio, 0.0) if np.isfinite(ratio) else np.nan
        if fit.newton.status[0] != CONVERGED:
            return np.nan
        variance = fit.variance[0][np.ix_(self._columns, self._columns)]
        kept = np.diagonal(variance) > 0
        coefficients = np.where(kept, fit.coefficients[0][self._columns], np.nan)
        return wald_statistic(coefficients, variance, self._control.toler_chol)
