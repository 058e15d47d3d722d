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

from survivalgpu.fitted_risks import FittedRisks, FittedRows
from survivalgpu.row_blocks import default_block_rows

_PEEK_ROWS = 1000


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
        ``(N, p)`` Schoenfeld residuals of the events, stored column by column.
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
    p, device = risks.n_covariates, rows.x.device
    x = torch.empty(p, sets.n_used, dtype=torch.float64, device=device)
    mean = torch.empty(p, sets.n_event_times, dtype=torch.float64, device=device)
    tied = torch.empty(p, risks.ties.tied_k.numel(), dtype=torch.float64, device=device)
    event_k, order = risks.event_time_of, sets.order[sets.event_rows]
    within = sets.n_rows - 1 - order if sets.counting else order
    by_row = torch.argsort(event_k * sets.n_rows + within)
    places, k = sets.event_rows[by_row], event_k[by_row]
    residuals = torch.empty(p, k.numel(), dtype=torch.float64, device=device)
    for columns, values in risks.column_blocks():
        means = risks.covariate_means(values)
        x[columns], mean[columns] = values.T, means.risk_set.T
        tied[columns] = means.tied.T
        residuals[columns] = (values[places] - risks.event_means(means)[k]).T
    transformed = _at_event_times(risks, rows, transform)
    at_event = transformed[k]
    g_of_k = transformed - at_event.mean()
    g = g_of_k[k]
    powers = torch.stack((torch.ones_like(g_of_k), g_of_k, g_of_k**2), dim=1)
    blocks = _information_blocks(risks, powers, x, mean, tied)
    weight = torch.ones_like(g) if rows.weights is None else rows.weights[order[by_row]]
    score = residuals @ torch.stack((weight, weight * g), dim=1)
    return ZphSums(
        score=score.T.reshape(-1),
        information=torch.cat(
            (torch.cat((blocks[0], blocks[1]), 1), torch.cat((blocks[1], blocks[2]), 1))
        ),
        schoenfeld=residuals.T,
        rows=order[by_row],
        transformed=at_event,
        used=_events_of_varying(rows),
    )


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
    risks: FittedRisks, powers: Tensor, x: Tensor, mean: Tensor, tied: Tensor
) -> Tensor:
    """``sum_k powers_km V_k``, ``(m, p, p)``; columns of ``x`` are sorted rows."""
    hazards, ties = risks.hazards, risks.ties
    intervals = risks.risk_sets.intervals
    expected = risks.spread(intervals.interval_sums(powers * (hazards.phi / risks.total)))
    if ties.tied_k.numel():
        if risks.risk_sets.group_of_row is None:
            expected = expected.clone()
        spared = powers[ties.tied_k] * (hazards.excess / risks.total[ties.tied_k])
        expected[ties.rows] -= spared[ties.time_of_row]
    blocks = _products(x, x, expected * risks.weighted_risk)
    blocks -= _products(mean, mean, powers * hazards.a)
    if ties.tied_k.numel():
        of_tied = powers[ties.tied_k]
        cross = _products(mean[:, ties.tied_k], tied, of_tied * hazards.b)
        blocks += cross + cross.transpose(1, 2)
        blocks -= _products(tied, tied, of_tied * hazards.c)
    return blocks


def _products(left: Tensor, right: Tensor, weights: Tensor) -> Tensor:
    """``left diag(weights_m) right'`` for each column of weights: ``(m, p, p)``."""
    p, n, m = left.shape[0], left.shape[1], weights.shape[1]
    total = left.new_zeros(m * p, p)
    size = default_block_rows((m + 2) * p, left.device)
    for first in range(0, n, size):
        cells = slice(first, min(first + size, n))
        weighted = left[:, cells] * weights[cells].T.unsqueeze(1)
        total.addmm_(weighted.reshape(m * p, -1), right[:, cells].T)
    return total.view(m, p, p)


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
