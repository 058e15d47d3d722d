"""Exposure histories as the days on which the dose changes.

A dose ``X(s)`` of day ``s`` is a step function of time. It is kept as its steps: the dose
changes by ``jump`` after day ``t`` and then is ``level``, on days ``t + 1, t + 2, ...`` until
the next change. Before a subject's first change the dose is 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from survivalgpu.sorting import sort_keys
from survivalgpu.sparse import SegmentSum, offsets_from_counts
from survivalgpu.wce.checks import check_rows, whole_days

# Columns ``subject``, ``start``, ``stop`` and ``dose`` of rows of exposure.
Spells = Mapping[str, Any]


@dataclass(frozen=True)
class DoseChanges:
    """Changes of dose, subjects one after another and days ascending within each.

    Attributes
    ----------
    offsets : Tensor
        ``(n_subjects + 1,)`` int64. Subject ``i`` owns changes ``offsets[i]`` to
        ``offsets[i + 1]``.
    days : Tensor
        ``(c,)`` int64, the last day before each change.
    jumps, levels : Tensor
        ``(c,)`` float64, the change of dose and the dose after it.
    """

    offsets: Tensor
    days: Tensor
    jumps: Tensor
    levels: Tensor

    def until(self, subject: Tensor, day: Tensor) -> Tensor:
        """``(m,)`` int64: one past the last change of each subject before the day after ``day``."""
        if self.days.numel() == 0 or day.numel() == 0:
            return torch.zeros_like(day)
        first = min(int(self.days.min()), int(day.min()))
        span = int(max(self.days.max(), day.max())) - first + 1
        subjects = torch.arange(self.offsets.numel() - 1, device=day.device)
        owners = torch.repeat_interleave(subjects, self.offsets.diff())
        keys = owners * span + (self.days - first)
        return torch.searchsorted(keys, subject * span + (day - first), right=True)

    def dose_after(self, subject: Tensor, day: Tensor) -> Tensor:
        """``(m,)`` float64 dose of each subject on the day after ``day``."""
        if self.days.numel() == 0:
            return torch.zeros(day.numel(), dtype=self.levels.dtype, device=day.device)
        last = self.until(subject, day) - 1
        own = last >= self.offsets[subject]
        return torch.where(own, self.levels[last.clamp(min=0)], 0.0)


def changes_from_rows(offsets: Tensor, start: Tensor, dose: Tensor) -> DoseChanges:
    """Histories of rows ``(start, stop]`` that follow one another without a gap.

    Parameters
    ----------
    offsets : Tensor
        ``(n_subjects + 1,)`` int64, rows of each subject.
    start : Tensor
        ``(n,)`` int64, ascending within each subject.
    dose : Tensor
        ``(n,)`` float64 dose per day.
    """
    first = offsets[:-1]
    jumps = dose.clone()
    jumps[1:] -= dose[:-1]
    jumps[first] = dose[first]
    changed = torch.nonzero(jumps).squeeze(1)
    return DoseChanges(
        offsets=torch.searchsorted(changed, offsets),
        days=start[changed],
        jumps=jumps[changed],
        levels=dose[changed],
    )


def spell_columns(spells: Spells) -> tuple[np.ndarray, ...]:
    """Check spells ``(start, stop]`` and return their columns for :func:`changes_from_spells`.

    Raises
    ------
    InvalidArgumentError
        A spell is empty or reversed, or its times are not whole numbers.
    """
    start, stop = (
        whole_days("exposures", np.asarray(spells[name], dtype=np.float64).reshape(-1))
        for name in ("start", "stop")
    )
    check_rows(
        "exposures",
        stop <= start,
        "row(s) end at or before their start",
        "Every spell (start, stop] needs start < stop.",
    )
    subject = np.asarray(spells["subject"]).reshape(-1).astype(np.int64)
    return subject, start, stop, np.asarray(spells["dose"], dtype=np.float64).reshape(-1)


def changes_from_spells(
    subject: Tensor, start: Tensor, stop: Tensor, dose: Tensor, n_subjects: int
) -> DoseChanges:
    """Histories of spells ``(start, stop]`` in any order; doses of overlapping ones add up.

    Parameters
    ----------
    subject : Tensor
        ``(n,)`` int64 codes from 0.
    start, stop : Tensor
        ``(n,)`` int64.
    dose : Tensor
        ``(n,)`` float64 dose per day.
    n_subjects : int
        Number of subjects.
    """
    if dose.numel() == 0:
        nothing = torch.zeros(0, dtype=torch.int64, device=dose.device)
        offsets = torch.zeros(n_subjects + 1, dtype=torch.int64, device=dose.device)
        return DoseChanges(offsets, nothing, nothing.double(), nothing.double())
    days, owners = torch.cat([start, stop]), subject.repeat(2)
    first = int(days.min())
    span = int(days.max()) - first + 1
    keys, place = sort_keys(owners * span + (days - first), n_subjects * span)
    keys, counts = torch.unique_consecutive(keys, return_counts=True)
    same_day = SegmentSum(offsets_from_counts(counts), place, place.numel())
    jumps = same_day(torch.cat([dose, -dose]).unsqueeze(1)).squeeze(1)
    owners = torch.div(keys, span, rounding_mode="floor")
    kept = jumps != 0
    owners, keys, jumps = owners[kept], keys[kept], jumps[kept]
    offsets = offsets_from_counts(torch.bincount(owners, minlength=n_subjects))
    return DoseChanges(offsets, keys - owners * span + first, jumps, _levels(offsets, jumps))


def _levels(offsets: Tensor, jumps: Tensor) -> Tensor:
    """Cumulate the jumps of each subject, one round per change, so that none passes on errors."""
    levels = torch.empty_like(jumps)
    at, end = offsets[:-1], offsets[1:]
    going = at < end
    at, end = at[going], end[going]
    level = torch.zeros(at.numel(), dtype=jumps.dtype, device=jumps.device)
    while at.numel():
        level = level + jumps[at]
        levels[at] = level
        going = at + 1 < end
        at, end, level = at[going] + 1, end[going], level[going]
    return levels
