"""Random histories of exposure, and weighted cumulative exposure by its definition."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from hypothesis import strategies as st

from survivalgpu.wce.dose_changes import DoseChanges, changes_from_spells


@dataclass(frozen=True)
class Histories:
    """Spells of a few subjects, and their doses by day."""

    n_subjects: int
    subject: np.ndarray
    start: np.ndarray
    stop: np.ndarray
    dose: np.ndarray

    def changes(self, device="cpu") -> DoseChanges:
        """As the package takes them."""
        columns = self.subject, self.start, self.stop, self.dose
        return changes_from_spells(
            *[torch.as_tensor(column).to(device) for column in columns], self.n_subjects
        )

    def dose_on(self, subject: int, day: int) -> float:
        """Total dose of a day, spell by spell."""
        spells = (self.subject == subject) & (self.start < day) & (day <= self.stop)
        return float(self.dose[spells].sum())

    def exposure(self, values, subject: int, day: int) -> np.ndarray:
        """``(J,)``: the sum over ``u`` of ``values[u - 1]`` times the dose of day - u + 1."""
        return sum(
            (row * self.dose_on(subject, day - u) for u, row in enumerate(values)),
            np.zeros(values.shape[1]),
        )


def make_histories(seed: int, n_subjects: int, n_spells: int) -> Histories:
    """Draw spells that overlap, touch and begin before day 0."""
    rng = np.random.default_rng(seed)
    start = rng.integers(-10, 30, n_spells)
    return Histories(
        n_subjects=n_subjects,
        subject=rng.integers(0, n_subjects, n_spells),
        start=start,
        stop=start + rng.integers(1, 15, n_spells),
        dose=rng.integers(1, 9, n_spells) / 4.0,
    )


@st.composite
def histories(draw) -> Histories:
    """A few spells of a few subjects, some of whom have none."""
    return make_histories(
        draw(st.integers(0, 2**32 - 1)), draw(st.integers(1, 5)), draw(st.integers(0, 20))
    )


def follow_up_columns(seed: int, n_subjects: int, last: int = 25):
    """Rows of follow-up without gaps: (subject, start, stop, event) as the user has them."""
    rng = np.random.default_rng(seed)
    rows = []
    for subject in range(n_subjects):
        entry = int(rng.integers(0, 5))
        end = entry + int(rng.integers(1, last))
        cuts = np.unique(np.concatenate([[entry, end], rng.integers(entry, end + 1, 3)]))
        event = rng.random() < 0.6 or subject == 0
        rows += [(subject, a, b, float(event and b == end)) for a, b in pairwise(cuts)]
    return tuple(np.array(column, dtype=float) for column in zip(*rows, strict=True))
