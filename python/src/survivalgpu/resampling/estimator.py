"""The bootstrap and the permutation tests of an estimator."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np

from survivalgpu.errors import InvalidArgumentError
from survivalgpu.fitted_model import FittedModel
from survivalgpu.formula_design import read_formula
from survivalgpu.inputs import ModelRows, model_rows
from survivalgpu.resampling.permuted_model import (
    CoxPermutationTest,
    PermutationPlan,
    permute_model,
)
from survivalgpu.resampling.resampled_model import BootstrapPlan, bootstrap_model
from survivalgpu.resampling.result import CoxBootstrap
from survivalgpu.settings import Settings, check_settings


class Resampled:
    """What gives an estimator its methods ``bootstrap`` and ``permutation_test``."""

    def bootstrap(
        self,
        X: Any,
        y: Any = None,
        *,
        n_replicates: int = 1000,
        id: Any = None,
        kind: str = "ordinary",
        frequencies: Any = None,
        resampling_strata: Any = None,
        batch_size: int = 0,
        seed: int | None = None,
        file: Any = None,
        statistic: Any = None,
        progress: Any = None,
        entry: Any = None,
        strata: Any = None,
        weights: Any = None,
        offset: Any = None,
    ) -> CoxBootstrap:
        """Fit the model, and fit it again to resamples of its subjects.

        Subjects are drawn with replacement, each with all its rows (Efron 1979, Annals of
        Statistics 7:1); a resample is fitted as the data in which the rows stand as often
        as their subject was drawn. The draws depend on the seed and on the number of the
        resample only, and are those of R's ``bootstrap()`` of the same seed.

        Parameters
        ----------
        X, y, entry, strata, weights, offset
            As for :meth:`fit`. After :meth:`from_formula`, ``X`` is the DataFrame and ``y``
            is left out; entry, strata and offset are the formula's.
        n_replicates : int
            Number of resamples.
        id : array-like or str, optional
            ``(n,)`` labels of whose row each is, or the name of a column of ``X`` where the
            model is a formula; by default each row is a subject, which ``(start, stop]``
            data do not allow.
        kind : {"ordinary", "bayesian"}
            ``"bayesian"`` multiplies the weights of a subject by an exponential variable
            instead (Rubin 1981, Annals of Statistics 9:130).
        frequencies : array-like, optional
            ``(n_subjects, R)`` copies of each subject, by first appearance, in each
            resample: in place of drawing.
        resampling_strata : array-like or str, optional
            ``(n,)`` labels, constant within subjects, within which to draw; as ``id``.
        batch_size : int
            Resamples fitted at a time; 0 chooses. The result does not depend on it.
        seed : int, optional
            From 0 to 2^53 - 1; that of ``file``, or drawn, if it is not given, and kept in the
            result.
        file : str or path, optional
            Where finished batches are kept (as ``.npz``). After an interruption the same
            call goes on from there, also to more resamples, with the same result.
        statistic : callable, optional
            Takes the ``(p,)`` coefficients, NaN for redundant covariates, and returns a number
            or ``(q,)`` numbers: evaluated at the estimate and for each resample.
        progress : callable or bool, optional
            ``progress(done, total)``, called at the beginning and after each batch; True
            writes one line to the standard error, with the time left.

        Returns
        -------
        CoxBootstrap
            The resampled coefficients and statistics, with ``confint()``.

        Raises
        ------
        InvalidArgumentError
            An argument is at fault; the message names it and the remedy.
        DeviceUnavailableError, NumericalError
            As in :meth:`fit`.

        Warns
        -----
        ConvergenceWarning
            The fit is doubtful, or resamples could not be fitted.

        Examples
        --------
        >>> from survivalgpu import CoxPH
        >>> X = [[0.3], [1.1], [0.2], [1.4], [0.9], [0.6]]
        >>> time, event = [5, 1, 6, 2, 4, 3], [1, 1, 0, 1, 1, 1]
        >>> CoxPH(device="cpu").bootstrap(X, (time, event), frequencies=[[1], [2], [1]] * 2)
        CoxBootstrap: 1 resamples of 6 subjects
        """
        labels = {"id": id, "resampling_strata": resampling_strata}
        rows, (subjects, groups) = self._fitted_rows(X, y, entry, strata, weights, offset, labels)
        plan = BootstrapPlan(
            n_replicates=n_replicates,
            kind=kind,
            frequencies=frequencies,
            strata=groups,
            batch_size=batch_size,
            seed=seed,
            file=file,
            statistic=statistic,
            progress=progress,
        )
        return bootstrap_model(self._model(), rows, self._settings(), subjects, plan)

    def permutation_test(
        self,
        X: Any,
        y: Any = None,
        *,
        terms: Any = None,
        n_permutations: int = 1000,
        statistic: str = "score",
        id: Any = None,
        permutation_strata: Any = None,
        seed: int | None = None,
        entry: Any = None,
        strata: Any = None,
        weights: Any = None,
        offset: Any = None,
    ) -> CoxPermutationTest:
        """Fit the model, and test its terms by permuting subjects' values of them.

        A permutation gives each subject the values of another in a term's columns, which
        must be constant within subjects; follow-up, events and the other covariates stay.
        Subjects change places within the strata of the model only. The test is exact if the
        term depends neither on the other covariates nor on entry or censoring, and
        approximate otherwise (Neuhaus 1993, Annals of Statistics 21:1760). The
        permutations depend on the seed and on their number only.

        Parameters
        ----------
        X, y, entry, strata, weights, offset
            As for :meth:`fit`. After :meth:`from_formula`, ``X`` is the DataFrame and ``y``
            is left out. Weights must be equal among subjects that change places.
        terms : str, list or dict, optional
            Names of columns, each tested, or lists of names to test jointly, as a list or by
            name; each column if it is not given.
        n_permutations : int
            Number of permutations.
        statistic : {"score", "lrt", "wald"}
            ``"score"``: ``U V^-1 U`` at the fit without the term, no fit by permutation
            (Rao 1948); the others fit each permutation.
        id : array-like or str, optional
            As for :meth:`bootstrap`.
        permutation_strata : array-like or str, optional
            ``(n,)`` labels, constant within subjects, of groups to permute within; as ``id``.
        seed : int, optional
            From 0 to 2^53 - 1; drawn if it is not given, and kept in the result.

        Returns
        -------
        CoxPermutationTest
            Statistics and p-values ``(1 + b) / (1 + R)``, also adjusted for all terms by
            max-T (Westfall and Young 1993), and the null distribution.

        Raises
        ------
        InvalidArgumentError
            An argument is at fault; the message names it and the remedy.
        DeviceUnavailableError, NumericalError
            As in :meth:`fit`.

        Warns
        -----
        ConvergenceWarning
            The fit is doubtful.

        Examples
        --------
        >>> from survivalgpu import CoxPH
        >>> X = [[0.3], [1.1], [0.2], [1.4], [0.9], [0.6]]
        >>> time, event = [5, 1, 6, 2, 4, 3], [1, 1, 0, 1, 1, 1]
        >>> model = CoxPH(device="cpu")
        >>> test = model.permutation_test(X, (time, event), n_permutations=99, seed=1)
        >>> test
        CoxPermutationTest: 99 permutations of 6 subjects, score statistic, seed 1
        x0: chisq 5.014 on 1 df, p 0.02, adjusted 0.02
        """
        labels = {"id": id, "permutation_strata": permutation_strata}
        rows, (subjects, groups) = self._fitted_rows(X, y, entry, strata, weights, offset, labels)
        plan = PermutationPlan(terms, n_permutations, statistic, groups, seed)
        return permute_model(self._model(), rows, self._settings(), subjects, plan)

    def _model(self) -> FittedModel:
        return FittedModel(**{f.name: getattr(self, f"{f.name}_") for f in fields(FittedModel)})

    def _settings(self) -> Settings:
        parameters = self.get_params()
        del parameters["init"]
        return check_settings(**parameters)

    def _fitted_rows(
        self,
        X: Any,
        y: Any,
        entry: Any,
        strata: Any,
        weights: Any,
        offset: Any,
        labels: dict[str, Any],
    ) -> tuple[ModelRows, tuple[Any, ...]]:
        """Fit the model; its rows, and labels of them."""
        if y is None:
            return self._formula_rows(X, weights, labels)
        self._forget()
        rows = model_rows(X, y, entry, strata, weights, offset)
        self._fit_rows(rows, design=None, n_missing=0)
        return rows, tuple(labels.values())

    def _formula_rows(
        self, data: Any, weights: Any, labels: dict[str, Any]
    ) -> tuple[ModelRows, tuple[Any, ...]]:
        """Fit the formula to ``data``; its rows, and labels of them."""
        design = getattr(self, "_design_", None)
        if design is None:
            raise InvalidArgumentError(
                "y", "it is missing.", "Give the response; only a model of a formula has it in X."
            )
        self._forget()
        read = read_formula(design.formula, data, weights, "drop", design.context)
        self._fit_rows(read.rows, read.design, read.n_missing)
        return read.rows, tuple(_of_rows(n, v, data, read.kept) for n, v in labels.items())


def _of_rows(name: str, labels: Any, data: Any, kept: np.ndarray) -> Any:
    """Labels of the rows that the formula kept: a column of the data or a vector over them."""
    if labels is None:
        return None
    if isinstance(labels, str):
        if labels not in data.columns:
            raise InvalidArgumentError(
                name, f"{labels!r} is no column of X.", "Give the name of a column, or labels."
            )
        labels = data[labels]
    values = np.asarray(labels)
    return values[kept] if values.shape == (len(data),) else values
