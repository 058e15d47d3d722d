"""The bootstrap of an estimator."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np

from survivalgpu.errors import InvalidArgumentError
from survivalgpu.fitted_model import FittedModel
from survivalgpu.formula_design import read_formula
from survivalgpu.inputs import ModelRows, model_rows
from survivalgpu.resampling.resampled_model import BootstrapPlan, bootstrap_model
from survivalgpu.resampling.result import CoxBootstrap
from survivalgpu.settings import check_settings


class Bootstrapped:
    """What gives an estimator its method ``bootstrap``."""

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
            From 0 to 2^53 - 1; drawn if it is not given, and kept in the result.

        Returns
        -------
        CoxBootstrap
            The resampled coefficients, with ``confint()``.

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
        if y is None:
            given = {"id": id, "resampling_strata": resampling_strata}
            rows, labels = self._formula_rows(X, weights, given)
        else:
            self._forget()
            rows = model_rows(X, y, entry, strata, weights, offset)
            self._fit_rows(rows, design=None, n_missing=0)
            labels = id, resampling_strata
        parameters = self.get_params()
        del parameters["init"]
        model = FittedModel(**{f.name: getattr(self, f"{f.name}_") for f in fields(FittedModel)})
        plan = BootstrapPlan(n_replicates, kind, frequencies, labels[1], batch_size, seed)
        return bootstrap_model(model, rows, check_settings(**parameters), labels[0], plan)

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
