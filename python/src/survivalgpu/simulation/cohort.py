"""Cohorts with a known effect of exposure histories: who is followed how long, as rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from survivalgpu.simulation.permutational import match_histories
from survivalgpu.simulation.subjects import RandomSubjects
from survivalgpu.sorting import sort_keys
from survivalgpu.wce.artificial_covariates import artificial_covariates
from survivalgpu.wce.dose_changes import DoseChanges


@dataclass(frozen=True)
class Variable:
    """A variable that changes with time, and what it does to the hazard.

    Attributes
    ----------
    changes : DoseChanges
        Its values by subject.
    weights : ndarray
        ``(cutoff,)``, log hazard ratio on day ``t`` of one unit on day ``t + 1 - u``, for
        ``u = 1 .. cutoff``; of length 1 for a variable whose current value counts.
    """

    changes: DoseChanges
    weights: np.ndarray

    def log_hazard_ratios(self, subjects: Tensor, days: Tensor) -> Tensor:
        """``(m,)`` of subjects at days."""
        cumulated = np.concatenate([[0.0], np.cumsum(self.weights)])[:, None]
        out = torch.empty(subjects.numel(), 1, dtype=torch.float64, device=subjects.device)
        artificial_covariates(self.changes, cumulated, subjects, days, out)
        return out[:, 0]


def match_cohort(
    numbers: RandomSubjects,
    times: Tensor,
    event: Tensor,
    constant: Tensor,
    variables: Sequence[Variable],
) -> tuple[Tensor, Tensor]:
    """Match observed times to subjects.

    Parameters
    ----------
    numbers : RandomSubjects
        Of as many subjects as there are times.
    times, event : Tensor
        ``(n,)`` int64 days, ``(n,)`` bool.
    constant : Tensor
        ``(n,)`` log hazard ratio of each subject's constant covariates.
    variables : sequence of Variable
        What changes with time.

    Returns
    -------
    time, has_event : Tensor
        See :func:`survivalgpu.simulation.permutational.match_histories`.
    """

    def log_hazard_ratios(subjects: Tensor, day: int) -> Tensor:
        days = torch.full_like(subjects, day)
        total = constant[subjects]
        for variable in variables:
            total += variable.log_hazard_ratios(subjects, days)
        return total

    return match_histories(
        times, event, log_hazard_ratios, numbers.clocks(), numbers.censoring_order()
    )


@dataclass(frozen=True)
class CohortRows:
    """Rows ``(start, stop]`` of all subjects, in their order.

    Attributes
    ----------
    subject, start, stop : Tensor
        ``(m,)`` int64; subjects from 0.
    event : Tensor
        ``(m,)`` bool.
    values : tuple of Tensor
        ``(m,)`` value of each variable on the row.
    """

    subject: Tensor
    start: Tensor
    stop: Tensor
    event: Tensor
    values: tuple[Tensor, ...]


def cohort_rows(
    time: Tensor, has_event: Tensor, variables: Sequence[Variable], daily: bool
) -> CohortRows:
    """Cut follow-up into days, or where a variable changes."""
    subject, start = _daily_starts(time) if daily else _starts_of_spells(time, variables)
    last = torch.ones_like(subject, dtype=torch.bool)
    last[:-1] = subject[1:] != subject[:-1]
    stop = torch.empty_like(start)
    stop[:-1] = start[1:]
    stop[last] = time
    return CohortRows(
        subject=subject,
        start=start,
        stop=stop,
        event=last & has_event[subject],
        values=tuple(variable.changes.dose_after(subject, start) for variable in variables),
    )


def _daily_starts(time: Tensor) -> tuple[Tensor, Tensor]:
    subject = torch.repeat_interleave(torch.arange(time.numel(), device=time.device), time)
    before = torch.cumsum(time, 0) - time
    return subject, torch.arange(subject.numel(), device=time.device) - before[subject]


def _starts_of_spells(time: Tensor, variables: Sequence[Variable]) -> tuple[Tensor, Tensor]:
    """Day 0 of each subject, and the days of follow-up after which a variable changes."""
    everyone = torch.arange(time.numel(), device=time.device)
    span = int(time.max())
    keys = [everyone * span]
    for variable in variables:
        owners = torch.repeat_interleave(everyone, variable.changes.offsets.diff())
        days = variable.changes.days
        during = (days > 0) & (days < time[owners])
        keys.append(owners[during] * span + days[during])
    ordered, _ = sort_keys(torch.cat(keys), time.numel() * span)
    ordered = torch.unique_consecutive(ordered)
    subject = torch.div(ordered, span, rounding_mode="floor")
    return subject, ordered - subject * span
