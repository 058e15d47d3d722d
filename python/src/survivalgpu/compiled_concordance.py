"""Concordance by the compiled kernels, where all time weights are 1 and only sums are asked.

Its twin for other cases and devices is :mod:`survivalgpu.concordance`; both count integers and
return the same ones.
"""

from __future__ import annotations

import ctypes

import torch
from torch import Tensor

from survivalgpu.concordance import ConcordanceData
from survivalgpu.inversions import fixed_point
from survivalgpu.kernels import check, kernels_for, n_threads, pointer

_MOST_ROWS = 1 << 29


class _Rows(ctypes.Structure):
    """``ConcordanceData`` of ``src/concordance.h``."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in ("n", "n_strata", "n_clusters")),
        *((name, ctypes.c_void_p) for name in ("x", "stop", "start", "event", "strata", "cluster")),
        ("weights", ctypes.c_void_p),
        ("unit", ctypes.c_double),
        ("n_threads", ctypes.c_int64),
    )


def count_compiled(
    data: ConcordanceData, cluster: Tensor | None, dfbeta: bool
) -> tuple[Tensor, Tensor, float, Tensor | None] | None:
    """Count the pairs; None where no kernel does it.

    Parameters
    ----------
    data : ConcordanceData
        The rows; at least one event. Case weights of (start, stop] rows are for the twin, and
        so are time weights.
    cluster : Tensor or None
        ``(n,)`` int64 codes of rows that are summed before they are squared.
    dfbeta : bool
        Whether to return the influence of the rows.

    Returns
    -------
    tuple
        ``(S, 5)`` counts, ``(S,)`` Cox variance, the sum of the squared influences on Somers'
        d, and ``(n,)`` these influences or None.
    """
    parts = (data.x, data.stop, data.start, data.event, data.strata, cluster)
    n = data.x.numel()
    kernels = kernels_for(*parts)
    if kernels is None or n >= _MOST_ROWS or (data.start is not None and data.weights is not None):
        return None
    weights = None if data.weights is None else fixed_point(data.weights.contiguous())
    units, unit = (None, 1.0) if weights is None else (weights.units, 2.0**-weights.bits)
    # kept until the call is over: the kernel sees their addresses only
    parts = tuple(None if part is None else part.contiguous() for part in parts)
    n_strata = 1 if data.strata is None else int(data.strata.max()) + 1
    n_clusters = 0 if cluster is None else int(cluster.max()) + 1
    rows = _Rows(
        n,
        n_strata,
        n_clusters,
        *(pointer(part) for part in parts),
        pointer(units),
        unit,
        n_threads(),
    )
    counts = torch.empty((n_strata, 5), dtype=torch.float64)
    cox_variance = torch.empty(n_strata, dtype=torch.float64)
    squares = torch.empty(1, dtype=torch.float64)
    influence = torch.empty(n, dtype=torch.float64) if dfbeta else None
    results = (pointer(t) for t in (counts, cox_variance, squares, influence))
    check(kernels.concordance_counts(ctypes.addressof(rows), *results))
    return counts, cox_variance, float(squares), influence
