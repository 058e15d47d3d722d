"""Times that differ by rounding only are made equal, as survival does by default.

Times computed by arithmetic (an age in years at two visits, say) may differ in their
last digits although they mean the same day, which would break ties of events. The rule
is that of ``survival::aeqSurv`` (Therneau, vignette "Roundoff error and tied times"):
of all distinct times in ascending order, a time is tied to the one before it if their
difference, or that difference relative to the mean absolute time, is at most
``sqrt(machine epsilon)``. Tied times take the value of the first of their run.
"""

from __future__ import annotations

import numpy as np

from survivalgpu.errors import InvalidArgumentError

TOLERANCE = float(np.sqrt(np.finfo(np.float64).eps))


def fix_times(
    stop: np.ndarray, start: np.ndarray | None = None, tolerance: float = TOLERANCE
) -> tuple[np.ndarray, np.ndarray | None]:
    """Make nearly equal times equal.

    Parameters
    ----------
    stop : ndarray
        ``(n,)`` finite float64, ends of follow-up in any one time unit.
    start : ndarray, optional
        ``(n,)`` finite float64 entry times of ``(start, stop]`` data, ``start < stop``.
    tolerance : float
        Largest difference, absolute (in the unit of time) or relative, of a tie; at
        most 0 leaves the times alone.

    Returns
    -------
    stop, start : ndarray
        New arrays where any two times were tied, else the arguments themselves.

    Raises
    ------
    InvalidArgumentError
        An interval would get length 0.
    """
    if tolerance <= 0:
        return stop, start
    times = np.unique(stop if start is None else np.concatenate([start, stop]))
    gaps = np.diff(times)
    tied = gaps <= tolerance
    if gaps.size:
        tied |= gaps / np.abs(times).mean() <= tolerance
    if not tied.any():
        return stop, start
    runs = times[np.concatenate([[True], ~tied])]
    fixed_stop = _first_of_run(stop, runs)
    if start is None:
        return fixed_stop, None
    fixed_start = _first_of_run(start, runs)
    empty = np.flatnonzero(fixed_start == fixed_stop)
    if empty.size:
        row = empty[0]
        raise InvalidArgumentError(
            "timefix",
            f"{empty.size} interval(s) are as short as rounding error, the first is row {row}: "
            f"({float(start[row])!r}, {float(stop[row])!r}].",
            "Correct these times, or use timefix=False to take them as they are.",
        )
    return fixed_stop, fixed_start


def _first_of_run(values: np.ndarray, runs: np.ndarray) -> np.ndarray:
    return runs[np.searchsorted(runs, values, side="right") - 1]
