"""Whose rows are whose, and the seed: what all who resample ask of a Python user."""

from __future__ import annotations

import secrets
from typing import Any

import numpy as np

from survivalgpu.errors import InvalidArgumentError
from survivalgpu.inputs import ModelRows
from survivalgpu.resampling.draws import check_seed
from survivalgpu.validation import as_codes


def subject_codes(subjects: Any, rows: ModelRows) -> np.ndarray:
    """Codes 0, 1, ... of the subjects of the rows, in order of first appearance.

    Raises
    ------
    InvalidArgumentError
        ``id`` is unsuitable, or missing where rows are not subjects.
    """
    n = rows.covariates.x.shape[0]
    if subjects is None:
        if rows.response.start is not None:
            raise InvalidArgumentError(
                "id",
                "it is missing, and rows of (start, stop] data are not subjects.",
                "Give the labels that tell whose row each is.",
            )
        return np.arange(n)
    codes = as_codes("id", subjects, n)
    _, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
    number = np.empty(first.size, dtype=np.int64)
    number[np.argsort(first)] = np.arange(first.size)
    return number[inverse.reshape(-1)]


def constant_labels(name: str, strata: Any, subjects: np.ndarray) -> np.ndarray | None:
    """Codes ``(m,)`` of labels ``(n,)`` that are constant within subjects; None for None.

    Raises
    ------
    InvalidArgumentError
        They are unsuitable, or change within a subject; ``name`` is the argument's.
    """
    if strata is None:
        return None
    codes = as_codes(name, strata, subjects.size)
    first = np.unique(subjects, return_index=True)[1]
    changed = np.unique(subjects[codes[first][subjects] != codes]).size
    if changed:
        raise InvalidArgumentError(
            name,
            f"it changes within {changed} subject(s).",
            "Subjects are taken with all their rows: give labels constant in each.",
        )
    return codes[first]


def seed_or_drawn(seed: Any) -> int:
    """Return a checked seed; None draws one."""
    return secrets.randbelow(2**31) if seed is None else check_seed(seed)
