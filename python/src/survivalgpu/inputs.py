"""What a Python user gives, in any of its forms, to checked NumPy arrays.

Rows are matched by position: an index of a DataFrame or Series is not looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from survivalgpu.errors import InvalidArgumentError
from survivalgpu.validation import (
    as_codes,
    as_event,
    as_float_matrix,
    as_float_vector,
    check_intervals,
    check_weights,
)

_RESPONSE = (
    "Give a structured array with one bool and one number field, a tuple (time, event) or "
    "(start, stop, event), or a table of these columns."
)


@dataclass(frozen=True)
class Covariates:
    """A checked table of covariates.

    Attributes
    ----------
    x : ndarray
        ``(n, p)`` finite float64.
    names : tuple of str
        ``(p,)`` names of the columns; ``x0``, ``x1``, ... where there are none.
    named : bool
        Whether the names are the user's.
    """

    x: np.ndarray
    names: tuple[str, ...]
    named: bool


@dataclass(frozen=True)
class Response:
    """Checked follow-up times, in the user's unit of time.

    Attributes
    ----------
    stop : ndarray
        ``(n,)`` float64, ends of follow-up.
    event : ndarray
        ``(n,)`` bool.
    start : ndarray or None
        ``(n,)`` float64 entry times, before ``stop``.
    """

    stop: np.ndarray
    event: np.ndarray
    start: np.ndarray | None = None


@dataclass(frozen=True)
class ModelRows:
    """The checked rows of one model.

    Attributes
    ----------
    covariates : Covariates
        ``(n, p)`` and their names.
    response : Response
        Times and events.
    strata : ndarray or None
        ``(n,)`` int64 codes from 0.
    weights : ndarray or None
        ``(n,)`` positive float64 case weights.
    offset : ndarray or None
        ``(n,)`` float64 on the scale of the log hazard.
    """

    covariates: Covariates
    response: Response
    strata: np.ndarray | None = None
    weights: np.ndarray | None = None
    offset: np.ndarray | None = None


def model_rows(X: Any, y: Any, entry: Any, strata: Any, weights: Any, offset: Any) -> ModelRows:
    """Check the rows that a user gives to an estimator; see its ``fit``."""
    table = covariates(X)
    n = table.x.shape[0]
    return ModelRows(
        covariates=table,
        response=response(y, n, entry),
        strata=strata_codes(strata, n),
        weights=case_weights(weights, n),
        offset=log_offset(offset, n),
    )


def is_frame(value: object) -> bool:
    """Whether a value is a pandas DataFrame, without importing pandas."""
    return hasattr(value, "columns") and hasattr(value, "iloc")


def plain(name: str, column: Any) -> Any:
    """Return a pandas Series as an array, NA among its numbers as NaN; else unchanged.

    Raises
    ------
    InvalidArgumentError
        The Series holds categories, even where their labels are numbers.
    """
    if not hasattr(column, "to_numpy") or not hasattr(column, "dtype"):
        return column
    if hasattr(column.dtype, "categories"):
        raise InvalidArgumentError(
            name,
            "it holds categories, not numbers.",
            "Use indicator columns, or a formula: CoxPH.from_formula().",
        )
    if column.dtype.kind in "fiub" and not isinstance(column.dtype, np.dtype):
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    return column.to_numpy()


def covariates(value: Any, name: str = "X") -> Covariates:
    """Check a table of covariates.

    Parameters
    ----------
    value : DataFrame or array-like
        ``(n, p)`` numbers or booleans, finite.
    name : str
        The argument's name for messages.
    """
    if is_frame(value):
        names = tuple(str(column) for column in value.columns)
        if len(set(names)) < len(names):
            twice = next(n for n in names if names.count(n) > 1)
            raise InvalidArgumentError(
                name, f'it has two columns "{twice}".', "Give each column its own name."
            )
        x = np.empty((len(value), len(names)), order="F")
        for j, column_name in enumerate(names):
            label = f"{name}[{column_name!r}]"
            x[:, j] = as_float_vector(label, plain(label, value.iloc[:, j]), len(value))
    else:
        x = as_float_matrix(name, _two_dimensional(name, value))
        names = tuple(f"x{j}" for j in range(x.shape[1]))
    if not x.shape[0]:
        raise InvalidArgumentError(name, "it has no rows.", "Give at least one row.")
    return Covariates(x, names, is_frame(value))


def _two_dimensional(name: str, value: Any) -> Any:
    ndim = getattr(value, "ndim", None)
    if ndim is None and isinstance(value, (list, tuple)):
        ndim = 1 if not value or np.ndim(value[0]) == 0 else 2
    if ndim == 1:
        raise InvalidArgumentError(
            name,
            "it has one dimension.",
            "Give rows by covariates; a single covariate is X.reshape(-1, 1) or X.to_frame().",
        )
    return value


def same_covariates(value: Any, names: tuple[str, ...], named: bool) -> Covariates:
    """Check a table that must have the covariates of a fit, in the fit's order.

    Parameters
    ----------
    value : DataFrame or array-like
        ``(m, p)``; columns of a DataFrame are found by name where ``named``.
    names : tuple of str
        ``(p,)`` names of the fit.
    named : bool
        Whether the fit was on a DataFrame.
    """
    if named and is_frame(value):
        found = {str(column): j for j, column in enumerate(value.columns)}
        missing = [name for name in names if name not in found]
        if missing:
            raise InvalidArgumentError(
                "X", f"it lacks the column(s) {', '.join(missing)}.", "Give those of the fit."
            )
        value = value.iloc[:, [found[name] for name in names]]
    table = covariates(value)
    if table.x.shape[1] != len(names):
        raise InvalidArgumentError(
            "X",
            f"it has {table.x.shape[1]} column(s).",
            f"The fit had {len(names)}: {', '.join(names)}.",
        )
    return table


def response(y: Any, n: int, entry: Any = None) -> Response:
    """Check follow-up times and events.

    Parameters
    ----------
    y : structured array, DataFrame, tuple, list or ndarray
        A structured array with one bool field (event) and one number field (time); two
        columns time and event, or three columns start, stop and event, as a DataFrame,
        an array ``(n, 2)`` or ``(n, 3)``, or a tuple or list of columns. Of two columns
        of a DataFrame, a single one of booleans is the event wherever it stands.
    n : int
        Number of rows of the covariates.
    entry : array-like, optional
        ``(n,)`` entry times, where ``y`` has no start.
    """
    start, stop, event = _response_columns(y)
    if entry is not None:
        if start is not None:
            raise InvalidArgumentError(
                "entry", "`y` has start times as well.", "Give the entry times once."
            )
        start = entry
    stop = as_float_vector("y (time)", plain("y (time)", stop), n)
    event = as_event("y (event)", plain("y (event)", event), n)
    if start is not None:
        start = as_float_vector("entry", plain("entry", start), n)
        check_intervals(start, stop)
    if not event.any():
        raise InvalidArgumentError(
            "y", f"none of its {n} rows has an event.", "A Cox model needs at least one event."
        )
    return Response(stop, event, start)


def _response_columns(y: Any) -> tuple[Any, Any, Any]:
    """Split a response into start (or None), stop and event, unchecked."""
    if is_frame(y):
        columns = [y.iloc[:, j] for j in range(y.shape[1])]
        kinds = [getattr(column.dtype, "kind", "O") for column in columns]
        if len(columns) == 2 and kinds[0] == "b" and kinds[1] != "b":
            columns.reverse()
    elif isinstance(y, (tuple, list)):
        columns = list(y)
    else:
        array = np.asarray(y)
        if array.dtype.names is not None:
            return _structured_columns(array)
        if array.ndim != 2:
            raise InvalidArgumentError("y", f"it has {array.ndim} dimension(s).", _RESPONSE)
        columns = list(array.T)
    if len(columns) not in (2, 3):
        raise InvalidArgumentError("y", f"it has {len(columns)} column(s).", _RESPONSE)
    return (None, *columns) if len(columns) == 2 else tuple(columns)


def _structured_columns(array: np.ndarray) -> tuple[None, np.ndarray, np.ndarray]:
    names = array.dtype.names or ()
    events = [name for name in names if array.dtype[name].kind == "b"]
    times = [name for name in names if array.dtype[name].kind in "fiu"]
    if len(names) != 2 or len(events) != 1 or len(times) != 1:
        raise InvalidArgumentError("y", f"its fields are {array.dtype}.", _RESPONSE)
    return None, array[times[0]], array[events[0]]


def strata_codes(value: Any, n: int) -> np.ndarray | None:
    """Number the strata from 0.

    Parameters
    ----------
    value : array-like, DataFrame or None
        ``(n,)`` labels of any type, or ``(n, q)``: the strata are the combinations of
        the columns.
    n : int
        Number of rows.

    Returns
    -------
    ndarray or None
        ``(n,)`` int64.
    """
    if value is None:
        return None
    if is_frame(value):
        columns = [value.iloc[:, j] for j in range(value.shape[1])]
    else:
        array = np.asarray(value)
        columns = list(array.T) if array.ndim == 2 else [array]
    return combined_codes(columns, n)


def combined_codes(columns: Sequence[Any], n: int) -> np.ndarray:
    """Number the combinations of labels from 0, ``(n,)`` int64, in the labels' order."""
    if not columns:
        raise InvalidArgumentError("strata", "it has no columns.", "Give one label per row.")
    codes = as_codes("strata", columns[0], n)
    for column in columns[1:]:
        more = as_codes("strata", column, n)
        codes = as_codes("strata", codes * (more.max() + 1) + more, n)
    return codes


def case_weights(value: Any, n: int) -> np.ndarray | None:
    """Check case weights: ``(n,)`` finite and positive, or None."""
    if value is None:
        return None
    return check_weights(as_float_vector("weights", plain("weights", value), n))


def log_offset(value: Any, n: int) -> np.ndarray | None:
    """Check an offset of the log hazard: ``(n,)``, ``exp(offset)`` finite, or None."""
    if value is None:
        return None
    offset = as_float_vector("offset", plain("offset", value), n)
    with np.errstate(over="ignore"):
        risk = np.exp(offset)
    if not np.isfinite(risk).all():
        row = np.flatnonzero(~np.isfinite(risk))[0]
        raise InvalidArgumentError(
            "offset",
            f"row {row} has {offset[row]:g}, whose exponential is not finite.",
            "Give the offset on the scale of the log hazard.",
        )
    return offset


def initial_values(value: Any, x: np.ndarray, offset: np.ndarray | None) -> np.ndarray | None:
    """Check starting values: ``(p,)``, with a risk ``exp(x init + offset)`` in range."""
    if value is None:
        return None
    init = as_float_vector("init", np.atleast_1d(plain("init", value)))
    if init.shape[0] != x.shape[1]:
        raise InvalidArgumentError(
            "init",
            f"it has {init.shape[0]} values for {x.shape[1]} covariates.",
            "Give one initial value per covariate.",
        )
    eta = (x - x.mean(axis=0)) @ init + (0.0 if offset is None else offset)
    with np.errstate(over="ignore", under="ignore"):
        risk = np.exp(eta)
    if not np.isfinite(risk).all() or not risk.any():
        raise InvalidArgumentError(
            "init",
            "these values make the risk of a row overflow, or of all rows underflow.",
            "Start nearer to 0.",
        )
    return init
