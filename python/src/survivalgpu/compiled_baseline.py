"""Baseline hazards, and variances of new rows' hazards, by the compiled kernels.

The kernels (``src/baseline.c``, ``src/expected.c``) follow the formulas of
:mod:`survivalgpu.baseline` in one pass over rows in any order, without risk sets. That
pays where event times are few, as days are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from survivalgpu.kernels import check, kernels_for, n_threads, pointer
from survivalgpu.memory import empty
from survivalgpu.sorting import distinct

if TYPE_CHECKING:
    from survivalgpu.baseline import BaselineRows, BaselineTables

# Rows for each pair of a stratum and an event time, at least: each part of the rows has
# sums for all pairs.
_ROWS_PER_PAIR = 64


def compiled_increments(
    rows: BaselineRows, center: Tensor | None, efron: bool
) -> tuple[Tensor, Tensor, Tensor] | None:
    """Increments of the hazard at each (stratum, event time) of right-censored rows.

    Parameters
    ----------
    rows : BaselineRows
        At least one event.
    center : Tensor or None
        ``(p,)`` what covariates are measured from; None where there are none.
    efron : bool
        Efron's hazard rather than Breslow's.

    Returns
    -------
    times : Tensor
        ``(T,)`` distinct event times over all strata.
    counts : Tensor
        ``(S, T)`` int64 events of each stratum and time.
    increments : Tensor
        ``(S, T, 2 + p)``: ``h``, ``v`` and ``m``, 0 where there is no event.

    None where the kernels are missing, rows enter late or event times are many.
    """
    kernels = kernels_for(rows.stop, rows.event, rows.risk, rows.strata, rows.weights, rows.x)
    if kernels is None or rows.start is not None:
        return None
    stop, event = rows.stop.contiguous(), rows.event.contiguous()
    times = distinct(stop, event)
    n_strata = 1 if rows.strata is None else int(rows.strata.max()) + 1
    n, n_times = stop.numel(), times.numel()
    if n_strata * n_times * _ROWS_PER_PAIR > n:
        return None
    shape, strides = (n, 0), (1, 1)
    if rows.x is not None:
        shape, strides = rows.x.shape, rows.x.stride()
    counts = torch.empty(n_strata, n_times, dtype=torch.int64)
    increments = torch.empty(n_strata, n_times, 2 + shape[1], dtype=torch.float64)
    vectors = (rows.risk, rows.weights, stop, event, rows.strata)
    # kept by name until the kernel returns: a pointer keeps no memory alive
    given = [None if v is None else v.contiguous() for v in (center, *vectors)]
    failed = kernels.baseline_increments(
        pointer(rows.x), *shape, *strides, *[pointer(v) for v in given], n_strata,
        pointer(times), n_times, efron, pointer(counts), pointer(increments), n_threads(),
    )  # fmt: skip
    check(failed)
    return times, counts, increments


def compiled_variances(
    tables: BaselineTables,
    form: tuple[Tensor, Tensor, Tensor],
    x: Tensor,
    place: Tensor,
    variance_place: Tensor,
) -> Tensor | None:
    """Variances ``(m,)`` of hazards; see :func:`survivalgpu.expected.expected_events`.

    None where the kernels are missing. ``form`` holds the variance's quadratic form,
    values ``(p,)`` and vectors ``(p, p)``, and the tables' ``M`` times the vectors.
    """
    kernels = kernels_for(x, place, tables.hazard)
    if kernels is None:
        return None
    values, vectors = form[0].contiguous(), form[1].contiguous()
    rotated = form[2].T.contiguous()
    center = tables.center.contiguous()
    out = empty(place.numel())
    form_pointers = [pointer(t) for t in (center, values, vectors)]
    table_pointers = [pointer(t) for t in (tables.hazard, tables.variance, rotated)]
    failed = kernels.hazard_variances(
        pointer(x), *x.shape, *x.stride(), *form_pointers, tables.hazard.numel(),
        *table_pointers, pointer(place), pointer(variance_place), pointer(out), n_threads(),
    )  # fmt: skip
    check(failed)
    return out
