"""Sorting and ranking, by the compiled kernels on the CPU and by PyTorch elsewhere."""

from __future__ import annotations

import torch
from torch import Tensor

from survivalgpu.kernels import check, kernels_for, n_threads, pointer

# The kernels number rows by 32 bits.
_MOST_ROWS = 2**32 - 1


def _contiguous(tensor: Tensor) -> bool:
    return tensor.is_contiguous() and tensor.numel() < _MOST_ROWS


def distinct(values: Tensor, wanted: Tensor) -> Tensor:
    """Distinct ``values[wanted]``, ascending.

    Parameters
    ----------
    values : Tensor
        ``(n,)`` float64, none NaN.
    wanted : Tensor
        ``(n,)`` bool.
    """
    kernels = kernels_for(values, wanted)
    if kernels is None or not (_contiguous(values) and _contiguous(wanted)):
        return torch.unique(values[wanted])
    out = torch.empty(values.numel(), dtype=torch.float64)
    number = kernels.distinct_doubles(
        pointer(values), pointer(wanted), values.numel(), pointer(out), n_threads()
    )
    check(number < 0)
    return out[:number].clone()


def count_at_most(times: Tensor, values: Tensor) -> Tensor:
    """For each of ``(n,)`` values, how many of the ascending ``(K,)`` times it reaches."""
    kernels = kernels_for(times, values)
    if kernels is None or not (_contiguous(values) and _contiguous(times)):
        return torch.searchsorted(times, values.contiguous(), right=True)
    counts = torch.empty(values.numel(), dtype=torch.int64)
    arguments = pointer(times), times.numel(), pointer(values), values.numel(), pointer(counts)
    check(kernels.count_at_most(*arguments, n_threads()))
    return counts


def sort_keys(keys: Tensor, largest: int) -> tuple[Tensor, Tensor]:
    """Sort ``(n,)`` int64 keys in ``0 .. largest``, stably: ``(sorted keys, places)``."""
    kernels = kernels_for(keys)
    if kernels is None or keys.numel() >= _MOST_ROWS:
        return torch.sort(keys, stable=True)
    ordered = keys.clone(memory_format=torch.contiguous_format)
    places = torch.empty_like(ordered)
    check(
        kernels.argsort_keys(pointer(ordered), keys.numel(), largest, pointer(places), n_threads())
    )
    return ordered, places
