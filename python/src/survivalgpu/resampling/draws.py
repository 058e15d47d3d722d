"""Random draws of replicates: bootstrap counts, exponential weights, permutations.

The draws of replicate ``b`` depend on the seed and on ``b`` only, not on how replicates are
cut into batches, on threads or on the device: see :mod:`survivalgpu.resampling.random_bits`.
The compiled kernels make them on the CPU, PyTorch elsewhere, the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from survivalgpu.errors import InvalidArgumentError
from survivalgpu.kernels import check, kernels_for, n_threads, pointer
from survivalgpu.memory import empty
from survivalgpu.resampling.random_bits import (
    BAYESIAN,
    BOOTSTRAP,
    PERMUTATION,
    base_of,
    exponentials,
    random_bits,
    uniforms,
)
from survivalgpu.resampling.shuffle import Shuffle, SubjectStrata, subject_strata
from survivalgpu.threads import threads_for

_LARGEST_SEED = 2**53
# Random bits that PyTorch's route holds at once.
_BLOCK = 1 << 21


def check_seed(seed: Any) -> int:
    """Return a seed as an integer.

    Raises
    ------
    InvalidArgumentError
        It is not a whole number from 0 to 2^53 - 1.
    """
    number = isinstance(seed, (int, float, np.integer, np.floating))
    if isinstance(seed, bool) or not number or seed % 1 != 0 or not 0 <= seed < _LARGEST_SEED:
        raise InvalidArgumentError(
            "seed", f"it is {seed!r}.", "Use one whole number from 0 to 2^53 - 1."
        )
    return int(seed)


def bootstrap_counts(
    seed: int,
    first: int,
    n_replicates: int,
    n_subjects: int,
    strata: np.ndarray | None = None,
    device: Any = "cpu",
) -> np.ndarray:
    """How often each subject is drawn, with replacement.

    Parameters
    ----------
    seed : int
        Whole number from 0 to 2^53 - 1.
    first : int
        Number, from 0, of the first replicate.
    n_replicates, n_subjects : int
    strata : ndarray, optional
        ``(n_subjects,)`` integer labels: as many subjects are drawn of each as it has.
    device : str or torch.device
        Where to draw them; the numbers are the same.

    Returns
    -------
    ndarray
        ``(n_subjects, n_replicates)`` int32; columns sum to ``n_subjects``.
    """
    base, groups = base_of(check_seed(seed), BOOTSTRAP), subject_strata(strata, n_subjects, device)
    counts = empty(n_subjects, n_replicates, dtype=torch.int32, device=torch.device(device))
    size = base, first, n_replicates, n_subjects
    kernels = kernels_for(counts)
    if kernels is not None:
        tables = [None] * 3 if groups is None else [pointer(groups.codes), *groups.pointers()]
        with threads_for(counts.numel()):
            check(kernels.draw_counts(*size, *tables, pointer(counts), n_threads()))
        return counts.numpy()

    def draw(bits: Tensor) -> Tensor:
        if groups is None:
            drawn = (uniforms(bits) * n_subjects).long()
        else:
            codes, offsets = groups.codes.long(), groups.offsets.long()
            places = (uniforms(bits) * offsets.diff()[codes]).long() + offsets[codes]
            drawn = groups.members.long()[places]
        ones = torch.ones_like(drawn, dtype=torch.int32)
        return torch.zeros_like(ones).scatter_add_(1, drawn, ones)

    _fill_columns(counts, size, draw)
    return counts.cpu().numpy()


def exponential_weights(
    seed: int,
    first: int,
    n_replicates: int,
    n_subjects: int,
    strata: np.ndarray | None = None,
    device: Any = "cpu",
) -> np.ndarray:
    """Weights of the Bayesian bootstrap: exponentials over their mean.

    Parameters are those of :func:`bootstrap_counts`; with ``strata``, the mean is 1 within
    each stratum.

    Returns
    -------
    ndarray
        ``(n_subjects, n_replicates)`` float64, all positive. Other devices' logarithms may
        differ in the last digit.

    Notes
    -----
    Divided by their sum, they are uniform on the simplex: Rubin (1981), *Annals of
    Statistics* 9:130.
    """
    base, groups = base_of(check_seed(seed), BAYESIAN), subject_strata(strata, n_subjects)
    weights = empty(n_subjects, n_replicates, dtype=torch.float64, device=torch.device(device))
    size = base, first, n_replicates, n_subjects
    kernels = kernels_for(weights)
    if kernels is not None:
        with threads_for(weights.numel()):
            check(kernels.draw_exponentials(*size, pointer(weights), n_threads()))
    else:
        _fill_columns(weights, size, exponentials)
    weights = weights.cpu()
    if groups is None:
        return weights.div_(weights.mean(dim=0)).numpy()
    codes = groups.codes.long()
    means = weights.new_zeros(groups.n_strata, n_replicates).index_add_(0, codes, weights)
    means /= groups.offsets.diff()[:, None]
    return weights.div_(means[codes]).numpy()


def permutations(
    seed: int,
    first: int,
    n_replicates: int,
    n_subjects: int,
    strata: np.ndarray | None = None,
    device: Any = "cpu",
) -> np.ndarray:
    """Random permutations of the subjects, or of those of each stratum.

    Parameters are those of :func:`bootstrap_counts`.

    Returns
    -------
    ndarray
        ``(n_replicates, n_subjects)`` int32: subject ``i`` is given what belongs to subject
        ``[b, i]``, of the same stratum. The donors of a stratum's members are the members
        in random order: see :mod:`survivalgpu.resampling.shuffle`.
    """
    groups = subject_strata(strata, n_subjects, device)
    return permuted_subjects(seed, first, n_replicates, n_subjects, groups, device).cpu().numpy()


def permuted_subjects(
    seed: int,
    first: int,
    n_replicates: int,
    n_subjects: int,
    strata: SubjectStrata | None,
    device: Any,
) -> Tensor:
    """:func:`permutations` as a tensor on ``device``, where ``strata`` is too."""
    base = base_of(check_seed(seed), PERMUTATION)
    donors = empty(n_replicates, n_subjects, dtype=torch.int32, device=torch.device(device))
    kernels = kernels_for(donors)
    if kernels is not None:
        tables = [0, None, None] if strata is None else [strata.n_strata, *strata.pointers()]
        arguments = base, first, n_replicates, n_subjects, *tables, pointer(donors)
        with threads_for(donors.numel()):
            check(kernels.draw_permutations(*arguments, n_threads()))
        return donors
    shuffle = Shuffle.of(n_subjects, strata, donors.device)
    for start, bits in _blocks((base, first, n_replicates, n_subjects), donors.device):
        donors[start : start + bits.shape[0]] = shuffle(bits)
    return donors


def _fill_columns(
    out: Tensor, size: tuple[int, int, int, int], draw: Callable[[Tensor], Tensor]
) -> None:
    """Write ``draw(bits)``, replicates by rows, into the columns of ``out``."""
    for start, bits in _blocks(size, out.device):
        out[:, start : start + bits.shape[0]] = draw(bits).T


def _blocks(size: tuple[int, int, int, int], device: torch.device):
    """Yield the first column and the bits of some replicates at a time."""
    base, first, n_replicates, n_subjects = size
    step = max(1, _BLOCK // max(n_subjects, 1))
    for start in range(0, n_replicates, step):
        number = min(step, n_replicates - start)
        yield start, random_bits(base, first + start, number, n_subjects, device)
