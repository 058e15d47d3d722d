"""Survival curves of a fitted Cox model at all times of its data, for given covariates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from survivalgpu.baseline import (
    BaselineRows,
    BaselineTables,
    baseline_tables,
    quadratic_form,
)
from survivalgpu.interval_sums import StrataLayout
from survivalgpu.sorting import count_at_most, distinct, sort_keys
from survivalgpu.sparse import SegmentSum, offsets_from_counts


@dataclass(frozen=True)
class TimeTable:
    """Counts at the ``L`` distinct (stratum, end of follow-up) pairs.

    Attributes
    ----------
    time : Tensor
        ``(L,)`` float64, ascending within strata.
    strata : Tensor or None
        ``(L,)`` int64; None for one stratum.
    n_times : Tensor
        ``(S,)`` int64 pairs of each stratum.
    n_rows : Tensor
        ``(S,)`` int64 rows of each stratum.
    at_risk, events, censored : Tensor
        ``(L,)`` float64 total case weights.
    """

    time: Tensor
    strata: Tensor | None
    n_times: Tensor
    n_rows: Tensor
    at_risk: Tensor
    events: Tensor
    censored: Tensor


@dataclass(frozen=True)
class NewRisks:
    """Covariates ``(m, p)`` and risks ``(m,)`` for which curves are asked."""

    x: Tensor
    risk: Tensor


@dataclass(frozen=True)
class Curves:
    """Curves at the times of a :class:`TimeTable`: ``(m, L)`` each.

    Attributes
    ----------
    survival, hazard : Tensor
        Survival and cumulative hazard.
    error : Tensor or None
        Standard error of the cumulative hazard.
    """

    survival: Tensor
    hazard: Tensor
    error: Tensor | None


def survival_curves(
    rows: BaselineRows, kind: str, new: NewRisks, variance: Tensor | None
) -> tuple[TimeTable, Curves]:
    """Curves for new covariates in every stratum.

    Parameters
    ----------
    rows : BaselineRows
        Rows of the model. Its covariates are needed where ``variance`` is given.
    kind : {"efron", "breslow", "kalbfleisch-prentice"}
        Estimate of the hazard; see :mod:`survivalgpu.baseline`.
    new : NewRisks
        Whose curves.
    variance : Tensor or None
        ``(p, p)`` variance of the coefficients.
    """
    tables = baseline_tables(rows, kind)
    table = time_table(rows)
    place = tables.places(table.time, table.strata)
    log_survival = -tables.hazard if tables.log_survival is None else tables.log_survival
    baseline = torch.exp(log_survival)
    errors = None if variance is None else hazard_errors(tables, new, variance)
    n_curves, length = new.risk.numel(), place.numel()
    survival = baseline.new_empty(n_curves, length)
    hazard = torch.empty_like(survival)
    error = None if errors is None else torch.empty_like(survival)
    for j, risk in enumerate(new.risk):
        torch.index_select(baseline**risk, 0, place, out=survival[j])
        torch.index_select(tables.hazard * risk, 0, place, out=hazard[j])
        if errors is not None:
            torch.index_select(errors(j), 0, place, out=error[j])
    return table, Curves(survival, hazard, error)


@dataclass(frozen=True)
class HazardSteps:
    """The baseline hazard of one stratum at the ``L`` times of a :class:`TimeTable`.

    Attributes
    ----------
    hazard, variance : Tensor
        ``(L,)`` increments, 0 where there is no event.
    cumulative : Tensor
        ``(L,)`` cumulative hazard.
    mean_hazard : Tensor
        ``(L, p)`` as in :class:`survivalgpu.baseline.BaselineTables`, not centred.
    factor : Tensor or None
        ``(L,)`` factors of Kalbfleisch and Prentice's estimate, if asked for.
    """

    hazard: Tensor
    variance: Tensor
    cumulative: Tensor
    mean_hazard: Tensor
    factor: Tensor | None


def hazard_steps(rows: BaselineRows, kind: str) -> tuple[TimeTable, HazardSteps]:
    """Steps of the baseline hazard of rows of one stratum, with their covariates."""
    tables = baseline_tables(rows, kind)
    table = time_table(rows)
    place = tables.places(table.time, None)
    is_event = place.diff(prepend=place.new_zeros(1)) > 0
    steps = tables.increments.new_zeros(place.numel(), 2)
    steps[is_event] = tables.increments
    factor = None
    if tables.log_factors is not None:
        factor = torch.ones_like(steps[:, 0])
        factor[is_event] = torch.exp(tables.log_factors)
    mean_hazard = tables.mean_hazard + tables.hazard.unsqueeze(1) * tables.center
    return table, HazardSteps(
        hazard=steps[:, 0],
        variance=steps[:, 1],
        cumulative=tables.hazard[place],
        mean_hazard=mean_hazard[place],
        factor=factor,
    )


def hazard_errors(
    tables: BaselineTables, new: NewRisks, variance: Tensor
) -> Callable[[int], Tensor]:
    """Function of ``j`` that gives the standard error of new row ``j``'s hazard, ``(K + 1,)``.

    To the sum of squares that :func:`survivalgpu.baseline.quadratic_form` makes of the
    variance each new row adds a vector only: ``O(K p)`` a curve.
    """
    values, vectors = quadratic_form(variance)
    rotated = (tables.mean_hazard @ vectors).T.contiguous()
    covariates = (new.x - tables.center) @ vectors

    def errors(j: int) -> Tensor:
        total = tables.variance.clone()
        for c, value in enumerate(values.tolist()):
            d = tables.hazard * covariates[j, c]
            d -= rotated[c]
            total.addcmul_(d, d, value=value)
        return total.sqrt_().mul_(new.risk[j])

    return errors


def time_table(rows: BaselineRows) -> TimeTable:
    """Count the rows, events and weights at each distinct end of follow-up."""
    times = distinct(rows.stop, torch.ones_like(rows.event))
    rank = count_at_most(times, rows.stop) - 1
    if rows.strata is None:
        strata, time, pair = None, times, rank
        pairs = torch.arange(times.numel(), device=rank.device)
        n_rows, n_times = (torch.tensor([r.numel()], device=rank.device) for r in (rank, times))
    else:
        pairs, pair = torch.unique(rows.strata * times.numel() + rank, return_inverse=True)
        strata = torch.div(pairs, times.numel(), rounding_mode="floor")
        time = times[pairs - strata * times.numel()]
        n_rows = torch.bincount(rows.strata)
        n_times = torch.bincount(strata, minlength=n_rows.numel())
    n_pairs = pairs.numel()
    ends = _total(pair, None, rows.weights, n_pairs)
    events = _total(pair, rows.event, rows.weights, n_pairs)
    leaving = ends
    if rows.start is not None:
        # a row is at risk at no time up to its start: counted out at the last of them
        key = count_at_most(times, rows.start) - 1
        first = torch.zeros_like(key)
        if rows.strata is not None:
            key += rows.strata * times.numel()
            first = offsets_from_counts(n_times)[rows.strata]
        last = torch.searchsorted(pairs, key, right=True) - 1
        leaving = ends - _total(last, last >= first, rows.weights, n_pairs)
    return TimeTable(
        time=time,
        strata=strata,
        n_times=n_times,
        n_rows=n_rows,
        at_risk=_from_the_last(leaving, n_times),
        events=events,
        censored=ends - events,
    )


def _total(pair: Tensor, which: Tensor | None, weights: Tensor | None, n_pairs: int) -> Tensor:
    """Number of rows ``which`` of each pair, or their total weight: ``(n_pairs,)``."""
    if which is not None:
        pair = pair[which]
    counts = torch.bincount(pair, minlength=n_pairs)
    if weights is None:
        return counts.double()
    weights = weights if which is None else weights[which]
    order = sort_keys(pair, n_pairs)[1]
    by_pair = SegmentSum(offsets_from_counts(counts), order, order.numel())
    return by_pair(weights.unsqueeze(1))[:, 0]


def _from_the_last(values: Tensor, n_times: Tensor) -> Tensor:
    """Cumulative sums ``(L,)`` from the last time of each stratum to its first."""
    layout = StrataLayout.from_counts(n_times)
    table = values.new_zeros(layout.length)
    table[layout.position] = values
    for first, number, length in layout.buckets:
        block = table[first : first + number * length].view(number, length)
        block.copy_(block.flip(1).cumsum(1).flip(1))
    return table[layout.position]
