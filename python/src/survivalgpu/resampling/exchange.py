"""Which subjects may change places in a permutation test, and what forbids it."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from survivalgpu.errors import InvalidArgumentError
from survivalgpu.resampling.random_bits import mix

STATISTICS = ("score", "lrt", "wald")


def check_statistic(statistic: Any) -> str:
    """Check the name of a statistic."""
    if statistic not in STATISTICS:
        raise InvalidArgumentError(
            "statistic", f"{statistic!r} is none.", 'Use "score", "lrt" or "wald".'
        )
    return str(statistic)


def first_places(codes: Tensor, m: int) -> Tensor:
    """Place where each of ``m`` codes first occurs, ``(m,)`` int64; the length if nowhere."""
    places = torch.arange(codes.numel(), device=codes.device)
    none = torch.full((m,), codes.numel(), device=codes.device)
    return none.scatter_reduce_(0, codes, places, "amin")


def exchange_classes(
    subjects: Tensor, row_strata: Tensor | None, groups: np.ndarray | None, m: int
) -> np.ndarray | None:
    """Classes of subjects that may change places, ``(m,)`` int64; None for one class.

    Parameters
    ----------
    subjects : Tensor
        ``(n,)`` int64 codes of the rows' subjects.
    row_strata : Tensor or None
        ``(n,)`` int64 strata of the model. Subjects change places if their rows are in the
        same strata, be it several: their baseline hazards are then the same.
    groups : ndarray or None
        ``(m,)`` labels, within which to stay too.
    m : int
        Number of subjects.

    Raises
    ------
    InvalidArgumentError
        No subject has another to change places with.
    """
    classes = None
    if row_strata is not None:
        classes = np.unique(_stratum_sets(subjects, row_strata, m), return_inverse=True)[1]
        classes = classes.reshape(-1).astype(np.int64)
    if groups is not None:
        codes = np.unique(np.asarray(groups).reshape(-1), return_inverse=True)[1].reshape(-1)
        both = codes.astype(np.int64) + (0 if classes is None else classes * (int(codes.max()) + 1))
        classes = np.unique(both, return_inverse=True)[1].reshape(-1).astype(np.int64)
    if m < 2 or (classes is not None and int(classes.max()) + 1 == m):
        raise InvalidArgumentError(
            "strata",
            "no subject has another one in its stratum to change places with.",
            "Permute within larger groups.",
        )
    return classes


def check_constant(
    name: str, x: Tensor, columns: np.ndarray, subjects: Tensor, first_row: Tensor
) -> None:
    """Check that a term has the same values in all rows of a subject.

    Raises
    ------
    InvalidArgumentError
        It changes: what a donor would have at the times that only the recipient was
        observed is not known.
    """
    changed = torch.zeros_like(subjects, dtype=torch.bool)
    if first_row.numel() == subjects.numel():
        return
    for column in columns.tolist():
        changed |= x[:, column] != x[first_row, column][subjects]
    if bool(changed.any()):
        number = int(torch.unique(subjects[changed]).numel())
        raise InvalidArgumentError(
            "terms",
            f"{name} changes over time within {number} subject(s). Its history cannot be "
            "given to another subject: beyond the end of his own follow-up it is not known.",
            "Test terms that are constant within subjects.",
        )


def check_weights(weights: Tensor | None, subjects: Tensor, classes: np.ndarray | None) -> None:
    """Check that subjects who may change places have the same case weight.

    Raises
    ------
    InvalidArgumentError
        They do not: a subject that stands for more is not exchangeable with one that does
        not.
    """
    if weights is None:
        return
    own = torch.zeros_like(subjects)
    if classes is not None:
        own = torch.as_tensor(classes, device=subjects.device)[subjects]
    first = first_places(own, int(own.max()) + 1)
    if bool((weights != weights[first][own]).any()):
        raise InvalidArgumentError(
            "weights",
            "case weights differ among subjects that would change places.",
            "Permute among subjects of equal weight: give the weights as `strata`.",
        )


def _stratum_sets(subjects: Tensor, row_strata: Tensor, m: int) -> np.ndarray:
    """A number for the set of strata of each subject's rows, ``(m,)`` int64.

    It is the stratum, or for several the sum of their random numbers, which wraps.
    """
    first = row_strata[first_places(subjects, m)]
    if bool((row_strata == first[subjects]).all()):
        return first.cpu().numpy()
    width = int(row_strata.max()) + 1
    pairs = torch.unique(subjects * width + row_strata)
    owner = torch.div(pairs, width, rounding_mode="floor")
    sets = torch.zeros_like(first).scatter_add_(0, owner, mix(pairs - owner * width + 1))
    return sets.cpu().numpy()
