"""Sums over the groups at risk at each event time, and their transpose.

Two operators are needed, each other's transpose. With group ``g`` at risk at the
event times ``lo_g <= k < hi_g``:

* ``risk_set_sums``: ``S_k = sum of v_g over the groups with lo_g <= k < hi_g``;
* ``interval_sums``: ``L_g = sum of h_k over lo_g <= k < hi_g``.

Adding at ``lo`` and subtracting at ``hi`` would do, but the subtraction loses all
digits once a group with a huge risk score has left. Neither route here subtracts.

* Right-censored data: every range starts at its stratum's first event time, so
  ``S`` is a cumulative sum from the end and ``L`` one from the start.
* ``(start, stop]`` data: a range of two or more event times is cut at the middle
  ``m`` of the smallest dyadic block that holds it, into ``[lo, m)`` and ``[m, hi)``.
  At that level the first is found by a cumulative sum over the left half of the
  block and the second by one over the right half: one addition per part, and
  ``log2 K`` passes over tables of length ``K``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from survivalgpu.sparse import SegmentSum, offsets_from_counts


@dataclass(frozen=True)
class StrataLayout:
    """Event times laid out so that each stratum fills blocks of a power of two.

    Strata are placed by descending padded length, so every block of length ``2**j``
    starts at a multiple of ``2**j`` and no block crosses two strata.

    Attributes
    ----------
    position : Tensor
        ``(K,)`` int64 place of event time ``k`` in the padded table.
    buckets : tuple of (int, int, int)
        ``(first place, number of strata, padded length)`` for each padded length.
    length : int
        Length ``P`` of the padded table, at most ``2 K``.
    """

    position: Tensor
    buckets: tuple[tuple[int, int, int], ...]
    length: int

    @classmethod
    def from_counts(cls, counts: Tensor) -> StrataLayout:
        """Lay out strata with ``counts[s]`` event times each; empty ones take no room."""
        counts_cpu = counts.cpu()
        present = torch.nonzero(counts_cpu).squeeze(1)
        sizes = counts_cpu[present]
        # frexp gives the bit length of size - 1, exactly
        padded = 2 ** torch.frexp((sizes - 1).double())[1].long()
        by_size = torch.argsort(padded, descending=True, stable=True)
        first = torch.zeros_like(padded)
        first[by_size] = offsets_from_counts(padded[by_size])[:-1]
        within = torch.arange(int(sizes.sum())) - torch.repeat_interleave(
            offsets_from_counts(sizes)[:-1], sizes
        )
        position = torch.repeat_interleave(first, sizes) + within
        lengths, n_each = torch.unique(padded, return_counts=True)
        buckets, place = [], 0
        for length, number in zip(lengths.flip(0).tolist(), n_each.flip(0).tolist(), strict=True):
            buckets.append((place, number, length))
            place += length * number
        return cls(position.to(counts.device), tuple(buckets), place)

    def prefix(self, block: int) -> int:
        """Length of the part of the padded table whose strata are at least ``block`` long."""
        return sum(number * length for _, number, length in self.buckets if length >= block)


class IntervalSums(ABC):
    """The two operators over ``G`` groups and ``K`` event times."""

    @abstractmethod
    def risk_set_sums(self, values: Tensor) -> Tensor:
        """Sum ``(G, q)`` values of the groups over each risk set: ``(K, q)``."""

    @abstractmethod
    def interval_sums(self, values: Tensor) -> Tensor:
        """Sum ``(K, q)`` values of the event times over each group's range: ``(G, q)``."""


class RightCensoredSums(IntervalSums):
    """Every range starts at the first event time of its stratum; group = last event time."""

    def __init__(self, layout: StrataLayout, lo: Tensor, hi: Tensor) -> None:
        self._layout = layout
        self._last = layout.position[hi - 1]

    def risk_set_sums(self, values: Tensor) -> Tensor:
        """Cumulate from the last event time of each stratum to its first."""
        table = values.new_zeros(self._layout.length, values.shape[1])
        table[self._last] = values
        out = torch.empty_like(table)
        for block, target in self._blocks(table, out):
            target.copy_(block.flip(1).cumsum(1).flip(1))
        return out[self._layout.position]

    def interval_sums(self, values: Tensor) -> Tensor:
        """Cumulate from the first event time of each stratum to the group's last."""
        table = values.new_zeros(self._layout.length, values.shape[1])
        table[self._layout.position] = values
        out = torch.empty_like(table)
        for block, target in self._blocks(table, out):
            torch.cumsum(block, 1, out=target)
        return out[self._last]

    def _blocks(self, table: Tensor, out: Tensor):
        for first, number, length in self._layout.buckets:
            rows = slice(first, first + number * length)
            shape = (number, length, table.shape[1])
            yield table[rows].view(shape), out[rows].view(shape)


@dataclass(frozen=True)
class _Level:
    """One dyadic level: blocks of ``2 * half`` event times, cut in their middle."""

    half: int
    length: int
    cells: slice
    place: Tensor


class DyadicIntervalSums(IntervalSums):
    """Ranges with any start: single event times first, the others cut at a dyadic middle."""

    def __init__(self, layout: StrataLayout, lo: Tensor, hi: Tensor) -> None:
        single = hi - lo == 1
        self._layout = layout
        self._n_single = int(single.sum())
        self._single_k = lo[: self._n_single]
        left = layout.position[lo[self._n_single :]]
        right = layout.position[hi[self._n_single :] - 1]
        # bit length of left XOR right: the level at which the two part company
        level = torch.frexp((left ^ right).double())[1].long()
        self._build_cells(level, left, right)

    def _build_cells(self, level: Tensor, left: Tensor, right: Tensor) -> None:
        """Number the distinct (level, place) pairs that some range adds to."""
        span = max(self._layout.length, 1)
        ends = torch.cat((level * span + left, level * span + right))
        cells, inverse = torch.unique(ends, return_inverse=True)
        n_multi = left.numel()
        self._left_cell, self._right_cell = inverse[:n_multi], inverse[n_multi:]
        entries = torch.argsort(inverse, stable=True)
        counts = torch.bincount(inverse, minlength=cells.numel())
        self._to_cells = SegmentSum(
            offsets_from_counts(counts), torch.remainder(entries, max(n_multi, 1)), n_multi
        )
        cell_level = torch.div(cells, span, rounding_mode="floor")
        place = cells - cell_level * span
        present, sizes = torch.unique_consecutive(cell_level.cpu(), return_counts=True)
        self._levels, first = [], 0
        for j, size in zip(present.tolist(), sizes.tolist(), strict=True):
            cells_j = slice(first, first + size)
            self._levels.append(
                _Level(2 ** (j - 1), self._layout.prefix(2**j), cells_j, place[cells_j])
            )
            first += size

    def risk_set_sums(self, values: Tensor) -> Tensor:
        """Add single event times directly, then each level's two cumulative sums."""
        q = values.shape[1]
        total = values.new_zeros(self._layout.length, q)
        total[self._layout.position[self._single_k]] = values[: self._n_single]
        if self._levels:
            cells = self._to_cells(values[self._n_single :].contiguous())
            for level in self._levels:
                table = values.new_zeros(level.length, q)
                table[level.place] = cells[level.cells]
                halves = table.view(-1, 2, level.half, q)
                into = total[: level.length].view(-1, 2, level.half, q)
                into[:, 0] += halves[:, 0].cumsum(1)
                into[:, 1] += halves[:, 1].flip(1).cumsum(1).flip(1)
        return total[self._layout.position]

    def interval_sums(self, values: Tensor) -> Tensor:
        """Cumulate towards the middle of each level's blocks and add the two parts."""
        q = values.shape[1]
        out = values.new_empty(self._n_single + self._left_cell.numel(), q)
        out[: self._n_single] = values[self._single_k]
        if not self._levels:
            return out
        padded = values.new_zeros(self._layout.length, q)
        padded[self._layout.position] = values
        cells = values.new_empty(self._to_cells.n_segments, q)
        for level in self._levels:
            halves = padded[: level.length].view(-1, 2, level.half, q)
            table = torch.empty_like(halves)
            table[:, 0] = halves[:, 0].flip(1).cumsum(1).flip(1)
            table[:, 1] = halves[:, 1].cumsum(1)
            cells[level.cells] = table.view(level.length, q)[level.place]
        out[self._n_single :] = cells[self._left_cell] + cells[self._right_cell]
        return out
