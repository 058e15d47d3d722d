"""The Python user's door: an estimator with ``fit``, ``predict`` and ``summary``."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np

from survivalgpu.errors import ConvergenceWarning, NotFittedError
from survivalgpu.fitted_model import fit_model
from survivalgpu.formula_design import FormulaDesign, read_formula
from survivalgpu.inference import model_tests, normal_quantile, two_sided_normal_tail
from survivalgpu.inputs import ModelRows, log_offset, model_rows, same_covariates
from survivalgpu.newton import NewtonControl
from survivalgpu.parameters import Parameters
from survivalgpu.resampling.estimator import Resampled
from survivalgpu.settings import check_settings
from survivalgpu.summary import CoxSummary


class CoxPH(Parameters, Resampled):
    """Cox's proportional hazards model, fitted by maximum partial likelihood.

    The numbers are those of ``survival::coxph`` in R. The hazard of a row with
    covariates ``x`` in stratum ``s`` is ``h_s(t) exp(x beta + offset)``; ``beta`` maximises
    the partial likelihood (Cox 1972) with ties by Efron (1977) or Breslow (1974). All
    arithmetic is in float64.

    Parameters
    ----------
    ties : {"efron", "breslow"}
        Treatment of tied event times.
    device : str
        ``"auto"``: the first CUDA device, else the CPU; ``"cpu"``, ``"cuda"``, ``"cuda:1"``.
    init : array-like, optional
        ``(p,)`` initial values; 0 by default.
    iter_max : int
        Largest number of Newton iterations; 0 evaluates at the initial values.
    eps : float
        Converged when the relative change of the log-likelihood is at most this.
    toler_chol : float
        Share of the largest pivot of the information matrix below which a covariate
        counts as a linear combination of those before it.
    nocenter : tuple of float or None
        Covariates with values in this set only are neither centred nor scaled.
    timefix : bool
        Make times equal that differ by rounding only.

    Attributes
    ----------
    coef_ : ndarray
        ``(p,)`` log hazard ratios; NaN for redundant covariates.
    variance_ : ndarray
        ``(p, p)`` inverse of the information; 0 for redundant covariates. Case weights
        do not make it robust.
    standard_errors_ : ndarray
        ``(p,)``; NaN for redundant covariates.
    loglik_ : ndarray
        ``(2,)`` log partial likelihood at the initial values and at the end.
    score_test_, wald_test_ : float
        Chi-square statistics of the hypothesis that the initial values are true.
    n_iter_ : int
        Iterations, as survival counts them.
    status_ : str
        Why the iteration ended; ``converged_`` : bool says whether by convergence.
    means_ : ndarray
        ``(p,)`` at which ``linear_predictors_`` are centred.
    n_, n_events_, n_missing_ : int
        Rows used, events among them, and rows that a formula left out for missing values.
    linear_predictors_ : ndarray
        ``(n,)`` ``(x - means_) beta + offset - mean(offset)``.
    martingale_residuals_ : ndarray
        ``(n,)`` observed less expected events.
    feature_names_in_ : ndarray
        ``(p,)`` of str; ``n_features_in_`` : int is their number.
    device_ : str
        The device that computed.

    Notes
    -----
    Cox (1972), JRSS B 34:187. Efron (1977), JASA 72:557. Breslow (1974), Biometrics
    30:89. Therneau and Grambsch (2000), *Modeling Survival Data*.

    Examples
    --------
    >>> from survivalgpu import CoxPH
    >>> X = [[0.0], [1.0], [0.0], [1.0], [1.0], [0.0]]
    >>> time, event = [5, 1, 6, 2, 4, 3], [1, 1, 0, 1, 1, 1]
    >>> model = CoxPH(device="cpu").fit(X, (time, event))
    >>> model.coef_.round(4)
    array([1.6878])
    >>> model
    CoxPH(device='cpu')
    """

    def __init__(
        self,
        *,
        ties: str = "efron",
        device: str = "auto",
        init: Any = None,
        iter_max: int = 20,
        eps: float = 1e-9,
        toler_chol: float = NewtonControl.toler_chol,
        nocenter: tuple[float, ...] | None = (-1, 0, 1),
        timefix: bool = True,
    ) -> None:
        self.ties = ties
        self.device = device
        self.init = init
        self.iter_max = iter_max
        self.eps = eps
        self.toler_chol = toler_chol
        self.nocenter = nocenter
        self.timefix = timefix

    # ---- fitting -----------------------------------------------------------------------

    def fit(
        self,
        X: Any,
        y: Any,
        *,
        entry: Any = None,
        strata: Any = None,
        weights: Any = None,
        offset: Any = None,
    ) -> CoxPH:
        """Fit the model.

        Rows are matched by position. Missing or infinite values are an error.

        Parameters
        ----------
        X : DataFrame or array-like
            ``(n, p)`` covariates, numbers or booleans.
        y : structured array, DataFrame, tuple, list or ndarray
            Follow-up: a structured array with one bool field (event) and one number field
            (time); or columns time and event, or start, stop and event, as a tuple or
            list of columns, a DataFrame, or an array ``(n, 2)`` or ``(n, 3)``. Times are in
            any one unit; a row is at risk at ``t`` if ``start < t <= stop``.
        entry : array-like, optional
            ``(n,)`` entry times (left truncation), where ``y`` has no start.
        strata : array-like or DataFrame, optional
            ``(n,)`` labels of any type, each with its own baseline hazard; of a table, the
            combinations of its columns.
        weights : array-like, optional
            ``(n,)`` positive case weights.
        offset : array-like, optional
            ``(n,)`` known part of the log hazard.

        Returns
        -------
        CoxPH
            The estimator itself.

        Raises
        ------
        InvalidArgumentError
            An argument is at fault; the message names it, the row, and the remedy.
        DeviceUnavailableError
            The device is not there.
        NumericalError
            The fit overflowed.

        Warns
        -----
        ConvergenceWarning
            The fit ran out of iterations, or a coefficient may be infinite.
        """
        self._forget()
        rows = model_rows(X, y, entry, strata, weights, offset)
        return self._fit_rows(rows, design=None, n_missing=0)

    @classmethod
    def from_formula(
        cls,
        formula: str,
        data: Any,
        *,
        weights: Any = None,
        na_action: str = "drop",
        context: Mapping[str, Any] | None = None,
        **params: Any,
    ) -> CoxPH:
        """Fit the model that a formula describes.

        Needs the packages formulaic and pandas: ``pip install survivalgpu[formula]``.

        Parameters
        ----------
        formula : str
            ``"Surv(time, event) ~ terms"`` or ``"Surv(start, stop, event) ~ terms"``, with
            ``strata(a, b)`` and ``offset(o)`` among the terms; factors (text, categories,
            ``C(x)``) are coded against their first level. An event is True or 1, or 2 if
            its absence is 1. See :mod:`survivalgpu.formula`.
        data : DataFrame
            ``n`` rows.
        weights : str or array-like, optional
            ``(n,)`` positive case weights, or an expression of columns.
        na_action : {"drop", "raise"}
            Leave out rows with a missing value in any variable of the model, and keep
            their number in ``n_missing_``; or refuse them.
        context : mapping, optional
            Functions and values the formula may use.
        **params
            As for the constructor.

        Returns
        -------
        CoxPH
            A fitted estimator.

        Raises
        ------
        MissingDependencyError
            formulaic is not installed.
        InvalidArgumentError, DeviceUnavailableError, NumericalError
            As in :meth:`fit`.
        """
        estimator = cls().set_params(**params)
        read = read_formula(formula, data, weights, na_action, context)
        return estimator._fit_rows(read.rows, read.design, read.n_missing)

    def _fit_rows(self, rows: ModelRows, design: FormulaDesign | None, n_missing: int) -> CoxPH:
        parameters = self.get_params()
        init = parameters.pop("init")
        model, messages = fit_model(rows, check_settings(**parameters), init)
        for message in messages:
            warnings.warn(message, ConvergenceWarning, stacklevel=3)
        for field in fields(model):
            setattr(self, f"{field.name}_", getattr(model, field.name))
        self.n_missing_ = n_missing
        self._design_, self._named_ = design, rows.covariates.named
        return self

    # ---- prediction --------------------------------------------------------------------

    def predict(self, X: Any, *, offset: Any = None) -> np.ndarray:
        """Risk score of each row: its log hazard relative to the average covariates.

        ``(x - means_) beta + offset - mean(offset of the fit)``, that of
        ``predict(type = "lp", reference = "sample")`` in R: also with strata, it is
        relative to the means over all rows. On the rows of the fit it equals
        ``linear_predictors_``. Redundant covariates count as 0.

        Parameters
        ----------
        X : DataFrame or array-like
            ``(m, p)`` covariates; columns of a DataFrame are found by name. After
            :meth:`from_formula`, a DataFrame of the variables; rows with missing values
            give NaN.
        offset : array-like, optional
            ``(m,)``; without it, that of the formula, else 0 in place of the whole offset
            part.

        Returns
        -------
        ndarray
            ``(m,)`` float64.

        Raises
        ------
        NotFittedError
            ``fit`` has not been called, or failed.
        InvalidArgumentError
            ``X`` does not have the covariates of the fit.
        """
        self._check_fitted("predict")
        if self._design_ is None:
            names = tuple(self.feature_names_in_)
            x, known = same_covariates(X, names, self._named_).x, None
        else:
            x, known = self._design_.rows(X)
        if offset is not None:
            known = log_offset(offset, x.shape[0])
        score = np.zeros(x.shape[0])
        # column by column, so that a row's score never depends on the rows beside it
        for column, mean, coefficient in zip(x.T, self.means_, self.coef_, strict=True):
            if not np.isnan(coefficient):
                score += (column - mean) * coefficient
        return score if known is None else score + (known - self.offset_centre_)

    def predict_partial_hazard(self, X: Any, *, offset: Any = None) -> np.ndarray:
        """Hazard of each row relative to the average covariates, ``exp(predict(X))``.

        Parameters
        ----------
        X, offset
            As for :meth:`predict`.

        Returns
        -------
        ndarray
            ``(m,)`` float64, positive.
        """
        return np.exp(self.predict(X, offset=offset))

    def _check_fitted(self, method: str) -> None:
        if not hasattr(self, "coef_"):
            raise NotFittedError(method, "the model is not fitted.", "Call fit() first.")

    # ---- inference ---------------------------------------------------------------------

    def confint(self, level: float = 0.95) -> np.ndarray:
        """Confidence limits of the coefficients, ``coef_ -+ z standard_errors_``.

        Parameters
        ----------
        level : float
            Confidence level, between 0 and 1.

        Returns
        -------
        ndarray
            ``(p, 2)`` lower and upper limits on the scale of the log hazard.

        Raises
        ------
        NotFittedError
            ``fit`` has not been called, or failed.
        InvalidArgumentError
            ``level`` is no such number.

        Notes
        -----
        Normal approximation of Wald; Therneau and Grambsch (2000), section 3.4.
        """
        self._check_fitted("confint")
        half = normal_quantile(level) * self.standard_errors_
        return np.column_stack([self.coef_ - half, self.coef_ + half])

    def summary(self, level: float = 0.95) -> CoxSummary:
        """Coefficients, confidence limits and tests, as R's ``summary`` gives them.

        Parameters
        ----------
        level : float
            Confidence level of the limits.

        Returns
        -------
        CoxSummary
            Prints as a table; ``as_frame()`` gives a DataFrame.

        Raises
        ------
        NotFittedError
            ``fit`` has not been called, or failed.
        InvalidArgumentError
            ``level`` is not between 0 and 1.

        Notes
        -----
        ``z = coef / se`` with its two-sided normal tail; likelihood ratio
        ``2 (loglik_[1] - loglik_[0])``, Wald and score tests with chi-square tails;
        Therneau and Grambsch (2000), section 3.4.
        """
        limits = np.exp(self.confint(level))
        z = self.coef_ / self.standard_errors_
        return CoxSummary(
            ties=self.ties_,
            names=tuple(self.feature_names_in_),
            n=self.n_,
            n_events=self.n_events_,
            n_missing=self.n_missing_,
            coef=self.coef_,
            se=self.standard_errors_,
            z=z,
            p=two_sided_normal_tail(z),
            lower=limits[:, 0],
            upper=limits[:, 1],
            level=level,
            loglik=self.loglik_,
            tests=model_tests(self.coef_, self.loglik_, self.wald_test_, self.score_test_),
        )
