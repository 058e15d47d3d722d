"""Follow-up as rows of ``(start, stop]`` days: its checks, and who is at risk when."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from survivalgpu.errors import InvalidArgumentError
from survivalgpu.kernels import kernels_for, pointer
from survivalgpu.sorting import sort_keys
from survivalgpu.sparse import offsets_from_counts
from survivalgpu.wce.checks import check_rows, whole_days


@dataclass(frozen=True)
class FollowUp:
    """Rows of all subjects, one subject after another, in the order of time within each.

    Attributes
    ----------
    subject : ndarray
        ``(n,)`` int64 codes from 0, ascending.
    start, stop : ndarray
        ``(n,)`` int64 days; the row is observed on days ``start + 1 .. stop``.
    event : ndarray
        ``(n,)`` bool, True where the row ends with the event.
    order : ndarray or None
        ``(n,)`` int64, the user's row that each is; None where the order is the user's.
    n_subjects : int
        Number of subjects.
    """

    subject: np.ndarray
    start: np.ndarray
    stop: np.ndarray
    event: np.ndarray
    order: np.ndarray | None
    n_subjects: int

    @cached_property
    def offsets(self) -> np.ndarray:
        """``(n_subjects + 1,)`` int64, rows of each subject."""
        changes = np.flatnonzero(self.subject[1:] != self.subject[:-1]) + 1
        return np.concatenate([[0], changes, [self.subject.size]])

    @property
    def longest(self) -> int:
        """Days of the longest follow-up, the day of entry included, as WCE counts them."""
        first, last = self.offsets[:-1], self.offsets[1:] - 1
        return int((self.stop[last] - self.start[first]).max()) + 1


def follow_up(
    subject: np.ndarray, start: np.ndarray, stop: np.ndarray, event: np.ndarray
) -> FollowUp:
    """Check rows and put them in order.

    Parameters
    ----------
    subject : ndarray
        ``(n,)`` integer codes from 0, each of them in use.
    start, stop : ndarray
        ``(n,)`` float64 whole numbers.
    event : ndarray
        ``(n,)`` float64, 1 where the row ends with the event, else 0.

    Raises
    ------
    InvalidArgumentError
        A time is not whole, a row is empty or reversed, the rows of a subject overlap or
        leave a gap, or an event is not 0 or 1, not the only one or not the end of follow-up.
    """
    subject = subject.astype(np.int64)
    start, stop = whole_days("start", start), whole_days("stop", stop)
    _check_event_codes(event)
    check_rows(
        "stop",
        stop <= start,
        "row(s) end at or before their start",
        "Every row (start, stop] needs start < stop.",
    )
    rows = FollowUp(subject, start, stop, event == 1, None, int(subject.max()) + 1)
    follows = _follows(rows)
    if (np.diff(subject) < 0).any() or (np.diff(start)[follows] < 0).any():
        order = np.lexsort((start, subject))
        sorted_columns = (subject[order], start[order], stop[order], rows.event[order])
        rows = FollowUp(*sorted_columns, order, rows.n_subjects)
        follows = _follows(rows)
    _check_sequence(rows, follows)
    return rows


def _follows(rows: FollowUp) -> np.ndarray:
    """``(n - 1,)`` bool: whether the row after is of the same subject."""
    return rows.subject[1:] == rows.subject[:-1]


def _check_event_codes(event: np.ndarray) -> None:
    wrong = np.flatnonzero((event != 0) & (event != 1))
    if wrong.size:
        raise InvalidArgumentError(
            "event",
            f"it holds {event[wrong[0]]:g} in row {wrong[0] + 1}.",
            "Code events as 1 and all other rows as 0.",
        )
    if not event.any():
        raise InvalidArgumentError("event", "it has no event.", "A Cox model needs events.")


def _check_sequence(rows: FollowUp, follows: np.ndarray) -> None:
    """Check that a subject's rows follow one another and that an event ends them."""
    step = np.zeros(rows.start.size, dtype=np.int64)
    step[1:] = np.where(follows, rows.start[1:] - rows.stop[:-1], 0)
    after_event = np.zeros(rows.start.size, dtype=bool)
    after_event[1:] = follows & rows.event[:-1]
    if rows.order is not None:
        # row numbers of messages are the user's
        back = np.argsort(rows.order)
        step, after_event = step[back], after_event[back]
    check_rows(
        "start",
        step < 0,
        "row(s) overlap an earlier row of their subject",
        "Rows of a subject must follow one another.",
    )
    check_rows(
        "start",
        step > 0,
        "row(s) leave a gap after the row before of their subject",
        "Follow-up must be without gaps: add rows with the dose and covariates of the gap.",
    )
    n_events = np.bincount(rows.subject[rows.event], minlength=rows.n_subjects)
    if (n_events > 1).any():
        raise InvalidArgumentError(
            "event",
            f"{int((n_events > 1).sum())} subject(s) have more than one event.",
            "Follow-up ends at the first event: drop what comes after.",
        )
    check_rows(
        "event",
        after_event,
        "row(s) come after an event of their subject",
        "Follow-up ends at the event: drop what comes after.",
    )


@dataclass(frozen=True)
class RowsAtRisk:
    """A row for each subject at risk at each event time, event times one after another.

    Attributes
    ----------
    row : Tensor
        ``(m,)`` int64, the row of the follow-up that covers the event time.
    subject, day : Tensor
        ``(m,)`` int64, whose and when.
    number : Tensor
        ``(m,)`` float64 number, from 0, of the event time.
    event : Tensor
        ``(m,)`` bool.
    """

    row: Tensor
    subject: Tensor
    day: Tensor
    number: Tensor
    event: Tensor


def rows_at_risk(rows: FollowUp, device: torch.device) -> RowsAtRisk:
    """Find who is at risk at the event times; subjects keep their order within each."""
    start = torch.from_numpy(rows.start).to(device)
    stop = torch.from_numpy(rows.stop).to(device)
    event = torch.from_numpy(rows.event).to(device)
    days = torch.unique(stop[event])
    low, high = ranks_of_days(days, start), ranks_of_days(days, stop)
    row, counts = rows_by_number(low, high, days.numel())
    number = torch.repeat_interleave(torch.arange(days.numel(), device=device), counts)
    return RowsAtRisk(
        row=row,
        subject=torch.from_numpy(rows.subject).to(device)[row],
        day=torch.repeat_interleave(days, counts),
        number=number.double(),
        event=event[row] & (number + 1 == high[row]),
    )


def ranks_of_days(days: Tensor, values: Tensor) -> Tensor:
    """For each of ``(n,)`` days, how many of the ascending ``(K,)`` days it reaches."""
    first, last = int(values.min()), int(values.max())
    if last - first > values.numel():
        return torch.searchsorted(days, values, right=True)
    every_day = torch.arange(first, last + 1, device=values.device)
    return torch.searchsorted(days, every_day, right=True)[values - first]


def rows_by_number(low: Tensor, high: Tensor, n_numbers: int) -> tuple[Tensor, Tensor]:
    """List the rows whose range ``low <= k < high`` holds each ``k``.

    Parameters
    ----------
    low, high : Tensor
        ``(n,)`` int64.
    n_numbers : int
        Numbers ``k`` are ``0 .. n_numbers - 1``.

    Returns
    -------
    rows : Tensor
        Rows of each ``k``, ascending, one ``k`` after another.
    counts : Tensor
        ``(n_numbers,)`` rows of each ``k``.
    """
    change = torch.bincount(low, minlength=n_numbers + 1)
    change -= torch.bincount(high, minlength=n_numbers + 1)
    counts = torch.cumsum(change, 0)[:n_numbers]
    kernels = kernels_for(low, high)
    if kernels is not None:
        rows = torch.empty(int(counts.sum()), dtype=torch.int64)
        cursors = offsets_from_counts(counts)
        kernels.rows_by_number(
            pointer(low), pointer(high), low.numel(), pointer(cursors), pointer(rows)
        )
        return rows, counts
    width = high - low
    rows = torch.repeat_interleave(torch.arange(low.numel(), device=low.device), width)
    ahead = torch.arange(rows.numel(), device=low.device) - (torch.cumsum(width, 0) - width)[rows]
    return rows[sort_keys(low[rows] + ahead, max(n_numbers, 1))[1]], counts
