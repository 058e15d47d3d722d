"""Blocks of sorted rows, and the sum of a block's rows by group."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from survivalgpu.risk_sets import RiskSets
from survivalgpu.sparse import SegmentSum

# Elements per block: a few blocks' temporaries fit the second-level cache of a CPU core;
# a GPU takes as much as it can hold.
_ELEMENTS = {"cpu": 1 << 17, "cuda": 1 << 28}
_SMALLEST = 256


@dataclass(frozen=True)
class RowBlock:
    """Sorted rows ``rows``, the groups ``groups`` they touch, and their sum by group.

    ``sums`` is None where every row is a group of its own.
    """

    rows: slice
    groups: slice
    sums: SegmentSum | None
    group_of_row: Tensor | None

    def spread(self, by_group: Tensor) -> Tensor:
        """Give each row of the block its group's value: ``(G, B)`` to ``(rows, B)``."""
        if self.group_of_row is None:
            return by_group[self.rows]
        return by_group[self.group_of_row]


def default_block_rows(n_columns: int, device: torch.device) -> int:
    """Rows per block for matrices of ``n_columns`` columns on ``device``."""
    return max(_ELEMENTS.get(device.type, _ELEMENTS["cpu"]) // n_columns, _SMALLEST)


def row_blocks(risk_sets: RiskSets, block_rows: int) -> Iterator[RowBlock]:
    """Cut the sorted rows into blocks; a group may straddle two of them."""
    n_used, offsets = risk_sets.n_used, risk_sets.group_offsets
    group_of_row = risk_sets.group_of_row
    for first in range(0, n_used, block_rows):
        last = min(first + block_rows, n_used)
        rows = slice(first, last)
        if group_of_row is None:
            yield RowBlock(rows, rows, None, None)
            continue
        groups = slice(int(group_of_row[first]), int(group_of_row[last - 1]) + 1)
        local = offsets[groups.start : groups.stop + 1].clamp(first, last) - first
        columns = torch.arange(last - first, device=offsets.device)
        sums = SegmentSum(local, columns, last - first)
        yield RowBlock(rows, groups, sums, group_of_row[rows])
