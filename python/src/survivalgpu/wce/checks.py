"""Checks of days and rows, which name the first row at fault as the user counts rows."""

from __future__ import annotations

import numpy as np

from survivalgpu.errors import InvalidArgumentError

# Days are counted by 64 bits in the kernels; sums of keys must not overflow.
_LAST_DAY = 1e9


def whole_days(name: str, values: np.ndarray) -> np.ndarray:
    """Return times as int64 days.

    Raises
    ------
    InvalidArgumentError
        A time is not a whole number.
    """
    with np.errstate(invalid="ignore"):
        days = values.astype(np.int64)
    wrong = np.flatnonzero((days != values) | (np.abs(values) > _LAST_DAY))
    if wrong.size:
        raise InvalidArgumentError(
            name,
            f"{wrong.size} time(s) are not whole numbers of days, the first is "
            f"{values[wrong[0]]:g} in row {wrong[0] + 1}.",
            "Doses are given per day: round the times to days.",
        )
    return days


def check_rows(argument: str, wrong: np.ndarray, found: str, remedy: str) -> None:
    """Raise with the number of wrong rows and the first of them, from 1."""
    rows = np.flatnonzero(wrong)
    if rows.size:
        raise InvalidArgumentError(
            argument, f"{rows.size} {found}, the first is row {rows[0] + 1}.", remedy
        )
