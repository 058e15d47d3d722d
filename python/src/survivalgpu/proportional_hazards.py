r"""Sums for the score test of proportional hazards of Grambsch and Therneau.

The model is widened by ``x_i g(t)`` for each covariate, ``g`` a function of time centred at
its mean over the events. At coefficients 0 for these, with ``s_i`` the Schoenfeld residual
of an event and ``V_k`` its event time's part of the information, the score is
``sum w_i (1, g_k) s_i`` and the information has the blocks ``sum_k (1, g_k, g_k^2) V_k``,
each by the same two parts as the information of :mod:`survivalgpu.partial_likelihood`:

.. math::

    \sum_k g_k^m V_k = X^T diag(w r \Lambda^{(m)}) X - \sum_k g_k^m [a_k S1 S1^T
        - b_k (S1 E1^T + E1 S1^T) + c_k E1 E1^T] / S0^2

with ``Lambda^(m)`` the sum of ``g^m phi`` over the row's event times.

Source: Grambsch and Therneau (1994), Biometrika 81:515; as a score test, Therneau's
vignette on ``cox.zph`` in the survival package.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from survivalgpu.design import sorted_covariates
from survivalgpu.fitted_risks import CovariateMeans, FittedRisks, FittedRows, is_exact
from survivalgpu.kernels import check, kernels_for, n_threads, pointer
from survivalgpu.row_blocks import default_block_rows

_PEEK_ROWS = 1000
# The compiled kernel's limit.
_MOST_COVARIATES = 256


@dataclass(frozen=True)
class ZphSums:
    """What the test of proportional hazards is made of, for ``p`` covariates.

    Attributes
    ----------
    score : Tensor
        ``(2 p,)``, of the covariates, then of their products with ``g``.
    information : Tensor
        ``(2 p, 2 p)``.
    schoenfeld : Tensor
        ``(N, p)`` Schoenfeld residuals of the events.
    rows : Tensor
        ``(N,)`` int64 row of the data of each event, by stratum and time; tied events in
        the order of the rows, or in its reverse for ``(start, stop]`` data.
    transformed : Tensor
        ``(N,)`` transformed time of each event, not centred.
    used : Tensor
        ``(S, p)`` int64 events of each stratum where the covariate varies in it, else 0.
    """

    score: Tensor
    information: Tensor
    schoenfeld: Tensor
    rows: Tensor
    transformed: Tensor
    used: Tensor


def zph_sums(rows: FittedRows, transform: str | Tensor = "km") -> ZphSums:
    """Compute the score, the information and the residuals of the test.

    Parameters
    ----------
    rows : FittedRows
        Rows and linear predictors; at least one event.
    transform : {"km", "rank"} or Tensor
        ``g``, or ``(n,)`` its value at each row's end, the same for equal times.
    """
    risks = FittedRisks(rows)
    sets = risks.risk_sets
    uncentred = torch.tensor([is_exact(column) for column in rows.x.T], device=rows.x.device)
    x = sorted_covariates(rows.x, sets, uncentred)[:, 1:]
    means = _means(risks, x)
    event_k, order = risks.event_time_of, sets.order[sets.event_rows]
    within = sets.n_rows - 1 - order if sets.counting else order
    by_row = torch.argsort(event_k * sets.n_rows + within)
    k, event_rows = event_k[by_row], order[by_row]
    residuals = x[sets.event_rows[by_row]] - risks.event_means(means)[k]
    transformed = _at_event_times(risks, rows, transform)
    at_event = transformed[k]
    g = transformed - at_event.mean()
    blocks = _information_blocks(risks, torch.stack((g**0, g, g**2), dim=1), x, means)
    weight = torch.ones_like(at_event) if rows.weights is None else rows.weights[event_rows]
    score = torch.stack((weight, weight * g[k])) @ residuals
    return ZphSums(
        score=score.reshape(-1),
        information=torch.cat(
            (torch.cat((blocks[0], blocks[1]), 1), torch.cat((blocks[1], blocks[2]), 1))
        ),
        schoenfeld=residuals,
        rows=event_rows,
        transformed=at_event,
        used=_events_of_varying(rows),
    )


def _means(risks: FittedRisks, x: Tensor) -> CovariateMeans:
    """Means of the sorted covariates ``x`` at each event time."""
    sets, p = risks.risk_sets, x.shape[1]
    kernels = None if sets.counting else kernels_for(x)
    tied = risks.tied_means(x)
    mean = torch.empty(sets.n_event_times, p, dtype=torch.float64, device=x.device)
    if kernels is not None:
        tables = risks.weighted_risk, sets.group_offsets, sets.event_strata
        kernels.right_censored_sums(
            pointer(x), x.stride(0), p, *[pointer(t) for t in tables], mean.shape[0], pointer(mean)
        )
        return CovariateMeans(mean.div_(risks.total), tied)
    for j in range(p):
        mean[:, j : j + 1] = risks.risk_set_means(x[:, j : j + 1].contiguous())
    return CovariateMeans(mean, tied)


def _at_event_times(risks: FittedRisks, rows: FittedRows, transform: str | Tensor) -> Tensor:
    """Transformed time of each event time, ``(K,)``."""
    sets = risks.risk_sets
    if isinstance(transform, str) and transform == "km" and sets.n_strata == 1:
        # the risk sets are those of the whole data
        present = risks.counts_at_risk().double()
        surviving = (present - sets.event_offsets.diff()) / present
        return torch.cat((present.new_zeros(1), 1.0 - torch.cumprod(surviving, 0)[:-1]))
    if isinstance(transform, str):
        km = transform == "km"
        stop = rows.stop.contiguous()
        of_rows = _kaplan_meier(stop, rows.event, rows.start) if km else _ranks(stop)
    else:
        of_rows = transform
    first_of_each = sets.event_rows[sets.event_offsets[:-1]]
    return of_rows[sets.order[first_of_each]]


def _information_blocks(
    risks: FittedRisks, powers: Tensor, x: Tensor, means: CovariateMeans
) -> Tensor:
    """``sum_k powers_km V_k``, ``(m, p, p)``.

    The tied events' part is a square completed in the mean of the risk set,
    ``a mm' - b (me' + em') + c ee' = a (m - b/a e)(m - b/a e)' + (c - b^2/a) ee'``.
    """
    hazards, ties = risks.hazards, risks.ties
    intervals, tied_k = risks.risk_sets.intervals, risks.ties.tied_k
    expected = risks.spread(intervals.interval_sums(powers * (hazards.phi / risks.total)))
    mean = means.risk_set
    if tied_k.numel():
        expected, mean = expected.clone(), mean.clone()
        spared = powers[tied_k] * (hazards.excess / risks.total[tied_k])
        expected[ties.rows] -= spared[ties.time_of_row]
        ratio = hazards.b / hazards.a[tied_k]
        mean[tied_k] -= ratio * means.tied
    blocks = _squares(x, expected * risks.weighted_risk)
    blocks -= _squares(mean, powers * hazards.a)
    if tied_k.numel():
        blocks -= _squares(means.tied, powers[tied_k] * (hazards.c - ratio * hazards.b))
    return blocks


def _squares(x: Tensor, weights: Tensor) -> Tensor:
    """``x' diag(weights_m) x`` for each column of ``(n, m)`` weights: ``(m, p, p)``."""
    (n, p), m = x.shape, weights.shape[1]
    total = x.new_zeros(m, p, p)
    kernels = kernels_for(x, weights)
    if kernels is not None and p <= _MOST_COVARIATES:
        weights = weights.contiguous()
        arguments = pointer(x), n, x.stride(0), p, pointer(weights), m, pointer(total)
        check(kernels.weighted_squares(*arguments, n_threads()))
        return total
    size = default_block_rows((m + 2) * p, x.device)
    for first in range(0, n, size):
        rows = slice(first, min(first + size, n))
        for j in range(m):
            total[j].addmm_((x[rows] * weights[rows, j : j + 1]).T, x[rows])
    return total


def _events_of_varying(rows: FittedRows) -> Tensor:
    """Events of each stratum, or 0 for a covariate that is constant in it: ``(S, p)``."""
    p = rows.x.shape[1]
    if rows.strata is None:
        events = rows.event.sum().reshape(1, 1)
        varies = [bool((c[:_PEEK_ROWS] != c[0]).any()) or bool((c != c[0]).any()) for c in rows.x.T]
        return events * torch.tensor([varies], device=rows.x.device)
    n_strata = int(rows.strata.max()) + 1
    events = torch.bincount(rows.strata[rows.event], minlength=n_strata)
    a_row = torch.zeros_like(events)
    # any row of the stratum will do, so which of them is written last does not matter
    a_row[rows.strata] = torch.arange(rows.strata.numel(), device=events.device)
    used = torch.zeros(n_strata, p, dtype=torch.int64, device=events.device)
    for j in range(p):
        column = rows.x[:, j]
        differs = column != column[a_row][rows.strata]
        varies = torch.zeros(n_strata, dtype=torch.bool, device=events.device)
        varies[rows.strata[differs]] = True
        used[:, j] = events * varies
    return used


def _kaplan_meier(stop: Tensor, event: Tensor, start: Tensor | None) -> Tensor:
    """One minus the Kaplan-Meier estimate just before each row's end, ``(n,)``.

    Strata and weights play no part.
    """
    times, by_time = torch.unique(stop[event], return_inverse=True)
    deaths = torch.bincount(by_time, minlength=times.numel())
    # how many rows end at or after each event time, less those yet to enter
    rank = torch.searchsorted(times, stop, right=True)
    present = _counts_above(rank, times.numel())
    if start is not None:
        present -= _counts_above(
            torch.searchsorted(times, start.contiguous(), right=True), times.numel()
        )
    surviving = (present - deaths).double() / present.double()
    curve = torch.cat((stop.new_zeros(1), 1.0 - torch.cumprod(surviving, 0)))
    return curve[torch.searchsorted(times, stop)]


def _counts_above(rank: Tensor, n_times: int) -> Tensor:
    """For each event time, the rows of which ``rank`` event times are not later."""
    counts = torch.bincount(rank, minlength=n_times + 1)
    return counts.flip(0).cumsum(0).flip(0)[1:]


def _ranks(times: Tensor) -> Tensor:
    """Ranks from 1, ties sharing their mean rank, ``(n,)``."""
    _, index, counts = torch.unique(times, return_inverse=True, return_counts=True)
    last = counts.cumsum(0)
    return (last.double() - (counts.double() - 1) / 2)[index]
