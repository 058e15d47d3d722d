"""Sums over the inversions of a permutation, bit by bit.

Records stand in a sequence and each has a *place*, a permutation of ``0 .. N-1``. An
inversion is a pair of records of which the earlier in the sequence has the higher
place. Concordance is such a count: the sequence is the order of the predictor, the
places are those of the times.

Take the bits of the places from the highest down and keep the records stably
partitioned by the bits seen so far. Two records of one block that differ in the next
bit are met once, there: the pair is an inversion if the record with the bit set comes
first, and cumulative sums over the block count all those pairs at once. ``log2 N``
passes, each a few cumulative sums, on any device. The idea is that of the wavelet tree
(Grossi, Gupta and Vitter, 2003, *SODA* 841-850).

Sums are of integers: exact, and the same at every run on every device. Weights that are
not integers are counted in units of a power of two, so small that a sum of all of them
fills 60 bits (see :func:`fixed_point`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from survivalgpu.kernels import check, kernels_for, n_threads, pointer

_SUM_BITS = 60


@dataclass(frozen=True)
class FixedPoint:
    """``(m,)`` int64 ``units``, each worth ``2.0 ** -bits``."""

    units: Tensor
    bits: int

    def value(self, units: Tensor) -> Tensor:
        """Turn sums of units into float64 values."""
        return units.double() * 2.0**-self.bits


def fixed_point(values: Tensor) -> FixedPoint:
    """Express ``(m,)`` float64 values as integers whose sums cannot overflow.

    Integers stay as they are. Others are rounded to a unit of about ``1e-18`` of the
    total of their absolute values.
    """
    total = float(values.abs().sum())
    if total < 2.0**_SUM_BITS and bool((values == values.round()).all()):
        return FixedPoint(values.long(), 0)
    bits = min(_SUM_BITS - math.frexp(total)[1], 1000)
    return FixedPoint((values * 2.0**bits).round().long(), bits)


def inversion_sums(place: Tensor, early: Tensor, late: Tensor) -> tuple[Tensor, Tensor]:
    """Sum over the inversions of each record, as their earlier and as their later member.

    Parameters
    ----------
    place : Tensor
        ``(N,)`` int64 permutation of ``0 .. N-1``, in the order of the sequence.
    early : Tensor
        ``(N,)`` int64, what a record adds where it is the earlier one of a pair.
    late : Tensor
        ``(N,)`` int64, what a record adds where it is the later one.

    Returns
    -------
    of_early, of_late : Tensor
        ``(N,)`` int64, in the order of the *places*. ``of_early[p]`` is the sum of
        ``early`` over the records before the one with place ``p`` whose place is higher;
        ``of_late[p]`` that of ``late`` over the records after it whose place is lower.
    """
    kernels = kernels_for(place, early, late)
    if kernels is None:
        return inversion_sums_by_bit(place, early, late)
    place, early, late = (t.contiguous() for t in (place, early, late))
    of_early, of_late = torch.empty_like(early), torch.empty_like(late)
    data = (pointer(t) for t in (place, early, late))
    check(
        kernels.inversion_sums(
            *data, place.numel(), pointer(of_early), pointer(of_late), n_threads()
        )
    )
    return of_early, of_late


def inversion_sums_by_bit(place: Tensor, early: Tensor, late: Tensor) -> tuple[Tensor, Tensor]:
    """:func:`inversion_sums` on any device."""
    n = place.numel()
    index = torch.arange(n, device=place.device)
    source = index
    of_early, of_late = torch.zeros_like(early), torch.zeros_like(late)
    for bit in reversed(range(max(n - 1, 0).bit_length())):
        high = (place >> bit) & 1
        first = (place >> (bit + 1)) << (bit + 1)
        last = (first + (2 << bit)).clamp(max=n)
        lows = running(1 - high)
        lows_before = lows[index] - lows[first]
        highs = running(early[source] * high)
        of_early += (highs[index] - highs[first]) * (1 - high)
        late_lows = running(late[source] * (1 - high))
        of_late += (late_lows[last] - late_lows[index]) * high
        moved = first + torch.where(
            high == 1, (1 << bit) + index - first - lows_before, lows_before
        )
        place, source = _moved(place, moved), _moved(source, moved)
        of_early, of_late = _moved(of_early, moved), _moved(of_late, moved)
    return of_early, of_late


def running(values: Tensor) -> Tensor:
    """``(N + 1,)`` cumulative sums that start at 0."""
    sums = torch.zeros(values.numel() + 1, dtype=values.dtype, device=values.device)
    torch.cumsum(values, dim=0, out=sums[1:])
    return sums


def _moved(values: Tensor, to: Tensor) -> Tensor:
    out = torch.empty_like(values)
    out[to] = values
    return out
