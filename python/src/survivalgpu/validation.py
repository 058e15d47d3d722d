"""Checks of what the user gave, before any device memory is taken."""

from __future__ import annotations

from numbers import Real

import numpy as np

from survivalgpu.errors import InvalidArgumentError

TIES = ("efron", "breslow")
_TO_NUMBERS = "Convert it to numbers; give categories as indicator columns or by a formula."


def as_float_vector(name: str, value: object, n: int | None = None) -> np.ndarray:
    """Return ``value`` as a finite ``(n,)`` float64 array."""
    array = _as_float(name, value)
    if array.ndim != 1:
        raise InvalidArgumentError(
            name, f"it has {array.ndim} dimensions.", "Give one value per row."
        )
    if n is not None and array.shape[0] != n:
        raise InvalidArgumentError(
            name, f"it has {array.shape[0]} values for {n} rows.", "Give one value per row."
        )
    return check_finite(name, array)


def as_float_matrix(name: str, value: object) -> np.ndarray:
    """Return ``value`` as a finite ``(n, p)`` float64 array; a vector is one column."""
    array = _as_float(name, value)
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2:
        raise InvalidArgumentError(
            name, f"it has {array.ndim} dimensions.", "Give a matrix of rows by covariates."
        )
    return check_finite(name, array)


def _as_float(name: str, value: object) -> np.ndarray:
    try:
        array = np.asarray(value)
    except ValueError:
        raise InvalidArgumentError(
            name, "its rows differ in length.", "Give one value per row and column."
        ) from None
    if array.dtype.kind == "O":
        array = _numbers(name, array)
    if array.dtype.kind not in "fiub":
        raise InvalidArgumentError(
            name, f"its values are of type {array.dtype}, not numbers.", _TO_NUMBERS
        )
    return array.astype(np.float64, copy=False)


def _numbers(name: str, array: np.ndarray) -> np.ndarray:
    """Convert an object array of numbers only; None becomes NaN, strings are not parsed."""
    values = [np.nan if value is None else value for value in array.flat]
    for value in values:
        if not isinstance(value, (Real, np.bool_)):
            raise InvalidArgumentError(
                name, f"it holds {value!r}, which is not a number.", _TO_NUMBERS
            )
    return np.array(values, dtype=np.float64).reshape(array.shape)


def check_finite(name: str, array: np.ndarray) -> np.ndarray:
    """Return ``array`` if it has no NaN or infinite value."""
    finite = np.isfinite(array)
    if finite.all():
        return array
    bad = ~finite if array.ndim == 1 else ~finite.all(axis=1)
    rows = np.flatnonzero(bad)
    raise InvalidArgumentError(
        name,
        f"{rows.size} row(s) hold NaN or infinite values, the first is row {rows[0]}.",
        "Drop or impute these rows.",
    )


def as_event(name: str, value: object, n: int) -> np.ndarray:
    """Return an event indicator, bool or 0/1, as ``(n,)`` bool."""
    array = as_float_vector(name, value, n)
    if not np.isin(array, (0.0, 1.0)).all():
        wrong = array[~np.isin(array, (0.0, 1.0))][0]
        raise InvalidArgumentError(
            name, f"it holds the value {wrong:g}.", "Use True/False or 1/0 (1: event)."
        )
    return array == 1.0


def check_intervals(start: np.ndarray, stop: np.ndarray) -> None:
    """Check that every row's entry comes before its end."""
    rows = np.flatnonzero(start >= stop)
    if rows.size:
        raise InvalidArgumentError(
            "entry",
            f"{rows.size} row(s) enter at or after their end, the first is row {rows[0]} "
            f"({start[rows[0]]:g} >= {stop[rows[0]]:g}).",
            "Every interval (entry, time] needs entry < time.",
        )


def check_weights(weights: np.ndarray) -> np.ndarray:
    """Check that case weights are positive."""
    if (weights <= 0).any():
        row = np.flatnonzero((weights <= 0).reshape(weights.shape[0], -1).any(axis=1))[0]
        raise InvalidArgumentError(
            "weights",
            f"row {row} has a weight that is not positive.",
            "Weights must be > 0; drop rows of weight 0.",
        )
    return weights


def as_codes(name: str, value: object, n: int) -> np.ndarray:
    """Return labels of any type as ``(n,)`` int64 codes from 0, in the order of the labels.

    Labels that cannot be ordered (numbers and strings together) are numbered as they
    first appear.
    """
    array = np.asarray(value)
    if array.ndim != 1 or array.shape[0] != n:
        raise InvalidArgumentError(
            name, f"its shape is {array.shape} for {n} rows.", "Give one label per row."
        )
    missing = np.flatnonzero(_is_missing(array))
    if missing.size:
        raise InvalidArgumentError(
            name,
            f"{missing.size} row(s) have no label, the first is row {missing[0]}.",
            "Give one label per row.",
        )
    try:
        codes = np.unique(array, return_inverse=True)[1]
    except TypeError:
        numbers: dict[object, int] = {}
        codes = np.array([numbers.setdefault(label, len(numbers)) for label in array])
    return codes.astype(np.int64).reshape(n)


def _is_missing(labels: np.ndarray) -> np.ndarray:
    """Which labels are None, NaN, NaT or pandas.NA, ``(n,)`` bool."""
    if labels.dtype.kind in "fcmM":
        return labels != labels
    if labels.dtype.kind != "O":
        return np.zeros(labels.shape, dtype=bool)
    return np.array([_is_missing_label(label) for label in labels], dtype=bool)


def _is_missing_label(label: object) -> bool:
    if label is None:
        return True
    try:
        return bool(label != label)
    except TypeError:  # pandas.NA has no truth value
        return True


def check_count(name: str, value: object, least: int) -> int:
    """Return a whole number that is at least ``least``."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise InvalidArgumentError(name, f"it is {value!r}.", f"Use an integer >= {least}.")
    return int(value)


def check_ties(ties: object) -> str:
    """Check the name of the rule for ties."""
    if ties not in TIES:
        raise InvalidArgumentError(
            "ties", f"{ties!r} is not a rule for ties here.", 'Use "efron" or "breslow".'
        )
    return str(ties)
