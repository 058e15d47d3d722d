"""Sums over the columns of the design, by the compiled kernels or by PyTorch."""

from __future__ import annotations

import torch
from torch import Tensor

from survivalgpu.kernels import check, kernels_for, n_threads, pointer
from survivalgpu.sparse import SegmentSum, offsets_from_counts

_BLOCK_ROWS = 1 << 16


def mean_columns(x: Tensor, weights: Tensor | None) -> Tensor:
    """Weighted mean of each column of ``(n, p)``."""
    return _column_sums(x, weights, None) / _total_weight(x, weights)


def mean_abs_deviation(x: Tensor, centre: Tensor, weights: Tensor | None) -> Tensor:
    """Weighted mean of ``|x - centre|`` of each column of ``(n, p)``."""
    return _column_sums(x, weights, centre) / _total_weight(x, weights)


def _total_weight(x: Tensor, weights: Tensor | None) -> Tensor | int:
    # not weights.sum(), whose rounding depends on the number of threads
    return x.shape[0] if weights is None else _column_sums(weights.unsqueeze(1), None, None)


def _column_sums(x: Tensor, weights: Tensor | None, centre: Tensor | None) -> Tensor:
    """Sum of ``w x``, or of ``w |x - centre|``, over the rows."""
    kernels = kernels_for(x, weights, centre)
    if kernels is not None and (weights is None or weights.is_contiguous()):
        total = x.new_empty(x.shape[1])
        arguments = pointer(x), *x.shape, *x.stride(), pointer(weights)
        centre = None if centre is None else centre.contiguous()
        check(kernels.column_sums(*arguments, pointer(centre), pointer(total), n_threads()))
        return total
    total = x.new_zeros(x.shape[1])
    for first in range(0, x.shape[0], _BLOCK_ROWS):
        part = x[first : first + _BLOCK_ROWS]
        if centre is not None:
            part = (part - centre).abs_()
        total += part.sum(0) if weights is None else weights[first : first + _BLOCK_ROWS] @ part
    return total


def chosen_row_sums(x1: Tensor, rows: Tensor, weights: Tensor | None) -> Tensor:
    """Sum of ``w x1`` over some rows of ``(n, q)``: ``(q,)``, or ``(B, q)`` for B weights."""
    kernels = kernels_for(x1, rows, weights)
    if kernels is not None and (weights is None or weights.ndim == 1):
        total = x1.new_empty(x1.shape[1])
        arguments = pointer(x1), x1.shape[1], pointer(rows), rows.numel(), pointer(weights)
        check(kernels.chosen_row_sums(*arguments, pointer(total), n_threads()))
        return total
    if weights is None:
        return x1[rows].sum(0)
    chosen = weights[rows]
    return (chosen if chosen.ndim == 1 else chosen.T) @ x1[rows]


def stratum_ranges(
    x1: Tensor, strata: Tensor | None, n_strata: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Mean, smallest and largest value of each covariate in each stratum.

    Parameters
    ----------
    x1 : Tensor
        ``(n, 1 + p)`` row-major, covariates from the second column on.
    strata : Tensor or None
        ``(n,)`` int64 codes, None where there is one stratum.
    n_strata : int
        Number of strata.

    Returns
    -------
    mean, low, high : Tensor
        ``(n_strata, p)`` each; 0, Inf and -Inf for a stratum without rows.
    """
    n, p = x1.shape[0], x1.shape[1] - 1
    counts = (
        torch.full((1,), n, device=x1.device)
        if strata is None
        else torch.bincount(strata, minlength=n_strata)
    )
    total = x1.new_zeros(n_strata, p)
    low, high = torch.full_like(total, torch.inf), torch.full_like(total, -torch.inf)
    kernels = kernels_for(x1, strata)
    if kernels is not None:
        arguments = pointer(x1), n, p, pointer(strata)
        kernels.stratum_ranges(*arguments, pointer(total), pointer(low), pointer(high))
    elif strata is None:
        x = x1[:, 1:]
        total, low, high = (v.unsqueeze(0) for v in (x.sum(0), x.amin(0), x.amax(0)))
    else:
        x = x1[:, 1:]
        places = torch.argsort(strata, stable=True)
        by_stratum = SegmentSum(offsets_from_counts(counts), places, strata.numel())
        total = by_stratum(x.contiguous())
        index = strata.unsqueeze(1).expand_as(x)
        low.scatter_reduce_(0, index, x, "amin")
        high.scatter_reduce_(0, index, x, "amax")
    return total / counts.clamp(min=1).unsqueeze(1), low, high
