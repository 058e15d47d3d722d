"""Random subjects: times, covariates and courses of treatment, each by its own numbers.

Every number is a function of the seed, of what it is for and of the subject, see
:mod:`survivalgpu.resampling.random_bits`: a larger cohort begins with the smaller one.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from survivalgpu.resampling.random_bits import (
    COHORT,
    base_of,
    bits_at,
    exponentials,
    shifted,
    uniforms,
)

# What the numbers are for; courses take three each, from the last on.
_CLOCK, _ORDER, _AGE, _SEX, _EVENT, _CENSORING, _COURSES = range(7)
# Days between courses and of a course, on average, and doses per day.
_PAUSE, _COURSE = 60.0, 30.0
_DOSES = (0.5, 1.0, 1.5, 2.0)


@dataclass(frozen=True)
class RandomSubjects:
    """The random numbers of ``n`` subjects.

    Attributes
    ----------
    seed : int
        Below ``2**53``.
    n : int
        Number of subjects.
    device : torch.device
        Where the numbers are.
    """

    seed: int
    n: int
    device: torch.device

    def _bits(self, purpose: int, subjects: Tensor | None = None) -> Tensor:
        """Random bits of the subjects, of all by default."""
        if subjects is None:
            subjects = torch.arange(self.n, device=self.device)
        return bits_at(base_of(self.seed, COHORT), purpose, subjects)

    def clocks(self) -> Tensor:
        """``(n,)`` exponentials of mean 1."""
        return exponentials(self._bits(_CLOCK))

    def censoring_order(self) -> Tensor:
        """``(n,)`` int64, a permutation of the subjects."""
        return torch.argsort(shifted(self._bits(_ORDER), 1), stable=True)

    def age(self) -> Tensor:
        """``(n,)`` whole years, normal with mean 60 and standard deviation 10."""
        share = (shifted(self._bits(_AGE), 12).double() + 0.5) * 2.0**-52
        return torch.round(60.0 + 10.0 * torch.special.ndtri(share))

    def sex(self) -> Tensor:
        """``(n,)`` 0 or 1 with equal probabilities."""
        return (uniforms(self._bits(_SEX)) < 0.5).double()

    def event_days(self, mean: float) -> Tensor:
        """``(n,)`` int64, exponential times rounded up."""
        return torch.ceil(mean * exponentials(self._bits(_EVENT))).long()

    def censoring_days(self, last: int) -> Tensor:
        """``(n,)`` int64, uniform on ``1 .. last``."""
        return (uniforms(self._bits(_CENSORING)) * last).long() + 1

    def courses(self, last: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Courses of treatment up to day ``last``: ``(subject, start, stop, dose)``.

        Pauses and courses take turns, the first pause from day 0 on. Their days are
        exponential, rounded up; the dose per day is one of four and stays for a course.
        """
        doses = torch.tensor(_DOSES, dtype=torch.float64, device=self.device)
        now = torch.zeros(self.n, dtype=torch.int64, device=self.device)
        subjects = torch.arange(self.n, device=self.device)
        found = []
        purpose = _COURSES
        while subjects.numel():
            pause, length, level = (self._bits(purpose + k, subjects) for k in range(3))
            purpose += 3
            start = now + torch.ceil(_PAUSE * exponentials(pause)).long()
            stop = start + torch.ceil(_COURSE * exponentials(length)).long()
            dose = doses[(uniforms(level) * doses.numel()).long()]
            going = start < last
            subjects, now = subjects[going], stop[going]
            found.append((subjects, start[going], now, dose[going]))
        return tuple(torch.cat(column) for column in zip(*found, strict=True))
