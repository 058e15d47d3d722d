"""How far a computation is: the user's function, or a line on the standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from survivalgpu.errors import InvalidArgumentError


class ProgressLine:
    """One line on the standard error, written over at each call.

    Parameters
    ----------
    label : str
        What is going on.
    """

    def __init__(self, label: str) -> None:
        self._label = label
        self._begun: tuple[float, int] | None = None

    def __call__(self, done: int, total: int) -> None:
        """Show that ``done`` of ``total`` are done, and the time that the rest will take."""
        now = time.monotonic()
        # what was done before the first call, a file's replicates, took no time now
        begun, first = self._begun = self._begun or (now, done)
        text = f"{self._label} {done}/{total}"
        if first < done < total:
            left = (now - begun) / (done - first) * (total - done)
            text += f", {timedelta(seconds=round(left))} left"
        end = "\n" if done >= total else ""
        print(f"\r{text:<60}", end=end, file=sys.stderr, flush=True)


def progress_report(progress: Any, label: str) -> Callable[[int, int], None]:
    """Return what to call with the numbers done and wanted.

    Parameters
    ----------
    progress : callable, bool or None
        ``progress(done, total)``; True shows a :class:`ProgressLine`, None and False nothing.
    label : str
        What is going on.

    Raises
    ------
    InvalidArgumentError
        ``progress`` is something else.
    """
    if progress is None or progress is False:
        return lambda done, total: None
    if progress is True:
        return ProgressLine(label)
    if not callable(progress):
        raise InvalidArgumentError(
            "progress", f"it is {progress!r}.", "Use True, or a function of (done, total)."
        )
    return progress
