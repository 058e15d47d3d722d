"""Sums by segment as sparse matrix products.

A sum of rows by group is ``M @ values`` with ``M`` a sparse 0/1 matrix in CSR
form. Each output row is added up by one worker in the order of its entries, so
the result is the same at every run, which atomic additions would not give.
"""

from __future__ import annotations

import warnings

import torch
from torch import Tensor

_INT32_LIMIT = 2**31 - 1


def index_dtype(size: int) -> torch.dtype:
    """Return the narrowest index type that holds ``size``; int32 multiplies faster."""
    return torch.int32 if size < _INT32_LIMIT else torch.int64


def offsets_from_counts(counts: Tensor) -> Tensor:
    """Turn ``(m,)`` segment lengths into ``(m + 1,)`` int64 offsets starting at 0."""
    offsets = torch.zeros(counts.numel() + 1, dtype=torch.int64, device=counts.device)
    torch.cumsum(counts, dim=0, out=offsets[1:])
    return offsets


def concatenated_ranges(first: Tensor, stop: Tensor) -> Tensor:
    """Integers ``first[j] .. stop[j] - 1`` of each of ``(m,)`` ranges, one after another."""
    sizes = stop - first
    places = offsets_from_counts(sizes)
    shift = torch.repeat_interleave(first - places[:-1], sizes)
    return shift + torch.arange(shift.numel(), device=first.device)


def csr_matrix(offsets: Tensor, columns: Tensor, values: Tensor, n_columns: int) -> Tensor:
    """Build an ``(m, n_columns)`` CSR matrix from ``(m + 1,)`` row offsets.

    The indices are ours and right by construction, so PyTorch's check of them,
    which costs a pass over the data, is left out.
    """
    with warnings.catch_warnings():
        # PyTorch says once per process that CSR is in beta; R would print it.
        warnings.filterwarnings("ignore", message=".*[Ss]parse.*", category=UserWarning)
        return torch.sparse_csr_tensor(
            offsets, columns, values, (offsets.numel() - 1, n_columns), check_invariants=False
        )


class SegmentSum:
    """Fixed pattern of a sum by segment; the weights of the sum vary.

    Parameters
    ----------
    offsets : Tensor
        ``(m + 1,)``, segment ``j`` owns entries ``offsets[j]:offsets[j + 1]``.
    columns : Tensor
        ``(nnz,)``, the row of ``values`` that each entry adds.
    n_columns : int
        Number of rows of ``values``.
    """

    def __init__(self, offsets: Tensor, columns: Tensor, n_columns: int) -> None:
        dtype = index_dtype(max(n_columns, columns.numel()))
        self.offsets = offsets.to(dtype)
        self.columns = columns.to(dtype)
        self.n_columns = n_columns
        self._ones: Tensor | None = None

    @property
    def n_segments(self) -> int:
        """Number of segments ``m``."""
        return self.offsets.numel() - 1

    def weighted(self, weights: Tensor, values: Tensor) -> Tensor:
        """Return ``(m, q)``: the sum over each segment of ``weights[e] * values[columns[e]]``.

        ``weights`` has one element per entry, ``(nnz,)``; ``values`` is ``(n_columns, q)``.
        """
        return csr_matrix(self.offsets, self.columns, weights, self.n_columns) @ values

    def products(self, left: Tensor, right: Tensor) -> Tensor:
        """Return ``(m, B, q)``: the sum over each segment of ``left[e, b] * right[e, j]``.

        ``left`` is ``(n_columns, B)`` and ``right`` ``(n_columns, q)``.
        """
        shape = self.n_segments, left.shape[1], right.shape[1]
        out = left.new_empty(shape)
        # the fewer factors make the matrices, the more are multiplied at once
        if shape[1] <= shape[2]:
            for b in range(shape[1]):
                out[:, b] = self.weighted(left[self.columns, b], right)
            return out
        for j in range(shape[2]):
            out[:, :, j] = self.weighted(right[self.columns, j], left)
        return out

    def __call__(self, values: Tensor) -> Tensor:
        """Return ``(m, q)``: the sum over each segment of ``values[columns[e]]``."""
        if self._ones is None:
            self._ones = torch.ones(self.columns.numel(), dtype=values.dtype, device=values.device)
        return self.weighted(self._ones, values)
