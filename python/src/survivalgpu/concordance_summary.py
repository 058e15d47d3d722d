"""The concordance and its variances, by the route that suits the rows and the device."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from survivalgpu.compiled_concordance import count_compiled
from survivalgpu.concordance import (
    CONCORDANT,
    DISCORDANT,
    TIED_Y,
    ConcordanceData,
    concordance,
    sums_by_code,
)


@dataclass(frozen=True)
class ConcordanceSummary:
    """The concordance and its variance.

    Attributes
    ----------
    concordance : float
        ``(d + 1) / 2`` with Somers' d, ``(c - d) / (c + d + tied on x)`` of the counts.
    counts : ndarray
        ``(S, 5)`` by stratum: concordant, discordant, tied on x, on y, on both.
    var : float
        Sum of the squared influences, by cluster: an infinitesimal jackknife.
    cvar : float
        Variance under no association, of the equivalent Cox model.
    dfbeta : ndarray or None
        ``(n,)`` weighted influence of each row on Somers' d.
    influence : ndarray or None
        ``(n, 5)`` derivatives of the counts with respect to the case weights.
    """

    concordance: float
    counts: np.ndarray
    var: float
    cvar: float
    dfbeta: np.ndarray | None
    influence: np.ndarray | None


def summarise_concordance(
    data: ConcordanceData,
    cluster: Tensor | None = None,
    time_weight: str = "n",
    last_time: float | None = None,
    pooled: bool = False,
    dfbeta: bool = False,
    influence: bool = False,
) -> ConcordanceSummary:
    """Estimate the concordance, and its variance from the influence of the rows.

    Parameters
    ----------
    data, time_weight, last_time, pooled
        As :func:`survivalgpu.concordance.concordance` takes them.
    cluster : Tensor, optional
        ``(n,)`` int64 codes of rows that are summed before they are squared.
    dfbeta, influence : bool
        Whether to return these.
    """
    if time_weight == "n" and last_time is None and not influence:
        compiled = count_compiled(data, cluster, dfbeta)
        if compiled is not None:
            counts, cox_variance, squares, of_rows = compiled
            return _summary(counts, cox_variance, squares, of_rows, None)
    counted = concordance(data, time_weight, last_time, pooled)
    somers, pairs = _somers(counted.counts)
    column = counted.influence
    of_rows = (column[CONCORDANT] - column[DISCORDANT]) / pairs
    of_rows -= (somers / pairs) * column[:TIED_Y].sum(0)
    if data.weights is not None:
        of_rows = of_rows * data.weights
    summed = of_rows
    if cluster is not None:
        summed = sums_by_code(of_rows[:, None], cluster, int(cluster.max()) + 1)[:, 0]
    return _summary(
        counted.counts,
        counted.cox_variance,
        float((summed**2).sum()),
        of_rows if dfbeta else None,
        column if influence else None,
    )


def _somers(counts: Tensor) -> tuple[Tensor, Tensor]:
    """Somers' d, and the number of pairs it rests on."""
    total = counts.sum(0)
    pairs = total[:TIED_Y].sum()
    return (total[CONCORDANT] - total[DISCORDANT]) / pairs, pairs


def _summary(
    counts: Tensor,
    cox_variance: Tensor,
    squares: float,
    dfbeta: Tensor | None,
    influence: Tensor | None,
) -> ConcordanceSummary:
    somers, pairs = _somers(counts)
    return ConcordanceSummary(
        concordance=float((somers + 1) / 2),
        counts=counts.cpu().numpy(),
        var=squares / 4,
        cvar=float(cox_variance.sum() / (4 * pairs**2)),
        dfbeta=None if dfbeta is None else dfbeta.cpu().numpy(),
        influence=None if influence is None else influence.T.cpu().numpy(),
    )
