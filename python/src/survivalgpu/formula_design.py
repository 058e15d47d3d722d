"""Rows of a DataFrame by a formula: covariates, response, strata, weights, offset.

As ``na.omit`` does in R, a row with a missing value in any variable of the model is
left out; how many were is kept. Needs the packages formulaic and pandas.
"""

from __future__ import annotations

import functools
import operator
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from survivalgpu.dependencies import require
from survivalgpu.errors import InvalidArgumentError
from survivalgpu.formula import ParsedFormula, evaluate, parse_formula, variable_names
from survivalgpu.inputs import (
    Covariates,
    ModelRows,
    case_weights,
    combined_codes,
    is_frame,
    log_offset,
    plain,
    response,
)
from survivalgpu.validation import check_finite

NA_ACTIONS = ("drop", "raise")
_INSTALL = "survivalgpu[formula]"
_INTERCEPT = "Intercept"


@dataclass(frozen=True)
class FormulaDesign:
    """How a formula makes covariates of a DataFrame; re-used for new data.

    Attributes
    ----------
    formula : str
        As the user wrote it.
    parsed : ParsedFormula
        Its parts.
    spec : formulaic.ModelSpec or None
        Levels of factors and states of transforms; None without covariates.
    context : mapping
        Names the formula may use besides columns.
    """

    formula: str
    parsed: ParsedFormula
    spec: Any
    context: Mapping[str, Any] = field(default_factory=dict)

    def rows(self, data: Any) -> tuple[np.ndarray, np.ndarray | None]:
        """Covariates ``(n, p)`` and offset ``(n,)`` of new data.

        A row with a missing value is NaN throughout.

        Raises
        ------
        InvalidArgumentError
            ``data`` lacks a column or has a level that the fit has not seen.
        """
        data = _check_frame(data, "X")
        transforms = require("formulaic.transforms", "a formula", _INSTALL).TRANSFORMS
        offset = _offset(self.parsed, data, {**transforms, **self.context})
        if offset is not None:
            offset = np.asarray(offset, dtype=np.float64)
        if self.spec is None:
            return np.empty((len(data), 0)), offset
        incomplete: set[int] = set()
        x, _ = _design_matrix(self.spec, data, self.context, incomplete, "X")
        filled = np.full((len(data), x.shape[1]), np.nan)
        filled[_complement(incomplete, len(data))] = check_finite("X", x)
        return filled, offset


@dataclass(frozen=True)
class FormulaRows:
    """What a formula and its data come to.

    Attributes
    ----------
    design : FormulaDesign
        For new data.
    rows : ModelRows
        The rows without missing values.
    n_missing : int
        Number of rows left out.
    kept : ndarray
        Places of the others in the data.
    """

    design: FormulaDesign
    rows: ModelRows
    n_missing: int
    kept: np.ndarray


def read_formula(
    formula: str,
    data: Any,
    weights: Any = None,
    na_action: str = "drop",
    context: Mapping[str, Any] | None = None,
) -> FormulaRows:
    """Evaluate a formula on the rows of a DataFrame.

    Parameters
    ----------
    formula : str
        ``Surv(time, event) ~ terms``; see :mod:`survivalgpu.formula`.
    data : DataFrame
        The rows.
    weights : str or array-like, optional
        An expression of columns, or ``(n,)`` values.
    na_action : {"drop", "raise"}
        What to do about rows with missing values.
    context : mapping, optional
        Functions and values the formula may use.

    Raises
    ------
    InvalidArgumentError
        The formula or the data are at fault.
    MissingDependencyError
        The formulaic package is not installed.
    """
    transforms = require("formulaic.transforms", "a formula", _INSTALL).TRANSFORMS
    if na_action not in NA_ACTIONS:
        raise InvalidArgumentError(
            "na_action", f"{na_action!r} is not an action.", 'Use "drop" or "raise".'
        )
    data = _check_frame(data, "data")
    context = dict(context or {})
    parsed = parse_formula(formula)
    variables = _variables(parsed, data, {**transforms, **context}, weights)
    incomplete = variables.missing_rows()
    spec, x, columns = None, None, ()
    if parsed.terms:
        spec = _model_spec(parsed, data)
        x, spec = _design_matrix(spec, data, context, incomplete, "formula")
        columns = tuple(name for name in spec.column_names if name != _INTERCEPT)
    kept = _complement(incomplete, len(data))
    _check_missing(incomplete, kept, na_action)
    x = np.empty((kept.size, 0)) if x is None else x
    design = FormulaDesign(formula, parsed, spec, context)
    try:
        rows = variables.at(kept).rows(Covariates(x, columns, True))
    except InvalidArgumentError as error:
        if not incomplete:
            raise
        counted = f"{error.found} (Rows are counted without {len(incomplete)} incomplete ones.)"
        raise InvalidArgumentError(error.argument, counted, error.remedy) from None
    return FormulaRows(design, rows, len(incomplete), kept)


@dataclass(frozen=True)
class _Variables:
    """Everything but the covariates, ``(n,)`` values each, not yet checked."""

    times: tuple[Any, ...]
    strata: tuple[Any, ...]
    offset: Any
    weights: Any

    def missing_rows(self) -> set[int]:
        isna = require("pandas", "a formula", _INSTALL).isna
        given = [*self.times, *self.strata, self.offset, self.weights]
        return {
            int(row)
            for value in given
            if value is not None
            for row in np.flatnonzero(np.asarray(isna(value)))
        }

    def at(self, rows: np.ndarray) -> _Variables:
        return _Variables(
            tuple(_at(value, rows) for value in self.times),
            tuple(_at(value, rows) for value in self.strata),
            _at(self.offset, rows),
            _at(self.weights, rows),
        )

    def rows(self, covariates: Covariates) -> ModelRows:
        check_finite("formula", covariates.x)
        n = covariates.x.shape[0]
        return ModelRows(
            covariates=covariates,
            response=response((*self.times[:-1], _event(self.times[-1])), n),
            strata=combined_codes(self.strata, n) if self.strata else None,
            weights=case_weights(self.weights, n),
            offset=log_offset(self.offset, n),
        )


def _variables(
    parsed: ParsedFormula, data: Any, names: Mapping[str, Any], weights: Any
) -> _Variables:
    if isinstance(weights, str):
        weights = evaluate(weights, data, names, "weights")
    elif weights is not None:
        weights = np.asarray(plain("weights", weights))
        if weights.shape != (len(data),):
            raise InvalidArgumentError(
                "weights",
                f"its shape is {weights.shape} for {len(data)} rows.",
                "Give one weight per row, or the name of a column.",
            )
    return _Variables(
        times=tuple(evaluate(part, data, names) for part in parsed.response),
        strata=tuple(evaluate(part, data, names) for part in parsed.strata),
        offset=_offset(parsed, data, names),
        weights=weights,
    )


def _offset(parsed: ParsedFormula, data: Any, names: Mapping[str, Any]) -> Any:
    """Sum of the ``offset()`` terms, or None."""
    parts = [plain("offset", evaluate(part, data, names)) for part in parsed.offsets]
    return functools.reduce(operator.add, parts) if parts else None


def _event(value: Any) -> Any:
    """R's ``Surv()`` also takes an event coded 2 and its absence coded 1."""
    array = np.asarray(plain("y (event)", value))
    if array.dtype.kind in "fiu" and array.size and array.min() >= 1 and array.max() == 2:
        return array - 1
    return array


def _at(value: Any, rows: np.ndarray) -> Any:
    if value is None:
        return None
    return value.iloc[rows] if hasattr(value, "iloc") else np.asarray(value)[rows]


def _complement(incomplete: set[int], n: int) -> np.ndarray:
    """Rows that are not incomplete, ascending."""
    kept = np.ones(n, dtype=bool)
    kept[list(incomplete)] = False
    return np.flatnonzero(kept)


def _check_frame(data: Any, argument: str) -> Any:
    if not is_frame(data):
        raise InvalidArgumentError(
            argument,
            f"it is of type {type(data).__name__}, not a pandas DataFrame.",
            "A formula needs a DataFrame.",
        )
    if not data.columns.is_unique:
        twice = data.columns[data.columns.duplicated()][0]
        raise InvalidArgumentError(
            argument, f'it has two columns "{twice}".', "Give each column its own name."
        )
    return data.reset_index(drop=True)


def _check_missing(incomplete: set[int], kept: np.ndarray, na_action: str) -> None:
    if not incomplete or (na_action == "drop" and kept.size):
        return
    raise InvalidArgumentError(
        "data",
        f"{len(incomplete)} row(s) have missing values, the first is row {min(incomplete)}"
        + (", so that no row is left." if not kept.size else "."),
        'Drop or impute these rows, or use na_action="drop".'
        if kept.size
        else "Leave out a variable that is always missing.",
    )


def _model_spec(parsed: ParsedFormula, data: Any) -> Any:
    """Parse the covariates' terms; ``.`` stands for the columns not in ``Surv()``."""
    formulaic = require("formulaic", "a formula", _INSTALL)
    used = {name for part in parsed.response for name in variable_names(part)}
    available = [str(name) for name in data.columns if str(name) not in used]
    try:
        terms = formulaic.Formula.from_spec(
            f"1{parsed.terms}", context={"__formulaic_variables_available__": available}
        )
    except formulaic.errors.FormulaicError as error:
        raise InvalidArgumentError(
            "formula",
            f"its right side cannot be read ({str(error).splitlines()[0]}).",
            "See the grammar of the formulaic package.",
        ) from error
    return formulaic.ModelSpec.from_spec(terms, output="numpy")


def _design_matrix(
    spec: Any, data: Any, context: Mapping[str, Any], incomplete: set[int], argument: str
) -> tuple[np.ndarray, Any]:
    """Covariates of the complete rows, without the intercept, and the specification.

    Incomplete rows of the covariates are added to ``incomplete``.
    """
    formulaic = require("formulaic", "a formula", _INSTALL)
    unknown = formulaic.errors.DataMismatchWarning
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", unknown)
            matrix = spec.get_model_matrix(data, context=context, drop_rows=incomplete)
    except (formulaic.errors.FormulaicError, unknown) as error:
        raise InvalidArgumentError(
            argument,
            f"the covariates cannot be made: {str(error).splitlines()[0]}",
            "Name columns of the data; new data need the levels of the fit.",
        ) from error
    spec = matrix.model_spec
    covariates = [j for j, name in enumerate(spec.column_names) if name != _INTERCEPT]
    return np.asarray(matrix)[:, covariates].astype(np.float64), spec
