"""Concordance of a predictor with survival times, and the influence of each row on it.

A pair is a row *d* with an event at ``t`` and a row *i* at risk at ``t`` that has no event
then; both of one stratum. Row *i* outlives row *d*, so the pair is concordant if its
predictor is the higher, discordant if it is the lower, tied on x if they are equal. Two
rows with an event at one time are tied on y, or tied on both. A pair counts
``w_d w_i g(t)``, with case weights w and a weight g of the event time. The influence of a
row on each of the five counts is their derivative with respect to its weight.

The pairs are not gone through. With the rows at risk at the event times ``lo <= k < hi``:

* all pairs of a row follow from cumulative sums over the event times;
* those tied on x from cumulative sums over rows sorted by predictor, then time;
* the discordant ones are inversions between those two orders (:mod:`inversions`); the
  start of a ``(start, stop]`` row is a record of its own that takes back what the
  row's end adds for the times before the start.

Therneau and Atkinson, *Concordance*, vignette of R's survival package.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from survivalgpu.inversions import FixedPoint, fixed_point, inversion_sums, running
from survivalgpu.sorting import count_at_most, distinct, sort_keys
from survivalgpu.sparse import SegmentSum, offsets_from_counts
from survivalgpu.time_weights import not_censored_before, time_weights

CONCORDANT, DISCORDANT, TIED_X, TIED_Y, TIED_XY = range(5)


@dataclass(frozen=True)
class ConcordanceData:
    """Rows of one data set on one device.

    Attributes
    ----------
    x : Tensor
        ``(n,)`` float64 predictor; higher means longer survival.
    stop : Tensor
        ``(n,)`` float64 ends of follow-up.
    event : Tensor
        ``(n,)`` bool.
    start : Tensor or None
        ``(n,)`` float64 entry times of ``(start, stop]`` data.
    strata : Tensor or None
        ``(n,)`` int64 codes ``0 .. S-1``; each occurs.
    weights : Tensor or None
        ``(n,)`` positive float64; None for 1.
    """

    x: Tensor
    stop: Tensor
    event: Tensor
    start: Tensor | None = None
    strata: Tensor | None = None
    weights: Tensor | None = None


@dataclass(frozen=True)
class Concordance:
    """Counts by stratum and influence by row.

    Attributes
    ----------
    counts : Tensor
        ``(S, 5)`` concordant, discordant, tied on x, on y, on both.
    cox_variance : Tensor
        ``(S,)`` the information of a Cox model in the ranks of x, at coefficient 0.
    influence : Tensor
        ``(5, n)`` derivatives of the counts.
    """

    counts: Tensor
    cox_variance: Tensor
    influence: Tensor


def concordance(
    data: ConcordanceData,
    time_weight: str = "n",
    last_time: float | None = None,
    pooled: bool = False,
) -> Concordance:
    """Count the pairs of rows by agreement of predictor and survival.

    Parameters
    ----------
    data : ConcordanceData
        The rows; at least one event.
    time_weight : str
        One of :data:`survivalgpu.time_weights.TIME_WEIGHTS`; those with G are for
        right-censored data.
    last_time : float, optional
        Event times after this count nothing.
    pooled : bool
        Whether strata are one data set to the rule that a stratum with a single event
        has time weight 1.
    """
    rows = _Rows.of(data)
    times = _event_times(data, rows, time_weight, last_time, pooled)
    records = _records(rows, times)
    pairs = _pairs(rows, records)
    influence = _influence(rows, times, pairs)
    return Concordance(
        counts=_counts(rows, times, influence),
        cox_variance=_cox_variance(rows, times, records),
        influence=influence,
    )


@dataclass(frozen=True)
class _Rows:
    """Range ``[lo, hi)`` of event times of each row; events are at ``hi - 1``."""

    event: Tensor
    strata: Tensor
    weights: FixedPoint
    x_code: Tensor
    lo: Tensor
    hi: Tensor
    event_row: Tensor
    event_strata: Tensor
    n_strata: int
    counting: bool

    @classmethod
    def of(cls, data: ConcordanceData) -> _Rows:
        x = data.x.contiguous()
        strata = torch.zeros_like(x, dtype=torch.int64) if data.strata is None else data.strata
        weights = torch.ones_like(x) if data.weights is None else data.weights
        lo, hi, event_row = _event_ranges(data, strata)
        values = distinct(x, torch.ones_like(x, dtype=torch.bool))
        x_code = count_at_most(values, x) - 1
        return cls(
            event=data.event,
            strata=strata,
            weights=fixed_point(weights),
            x_code=x_code + strata * values.numel(),
            lo=lo,
            hi=hi,
            event_row=event_row,
            event_strata=strata[event_row],
            n_strata=1 if data.strata is None else int(strata.max()) + 1,
            counting=data.start is not None,
        )

    @property
    def n_times(self) -> int:
        """Number ``K`` of distinct (stratum, event time) pairs."""
        return self.event_strata.numel()


def _event_ranges(data: ConcordanceData, strata: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """``(lo, hi)`` of each row, and a row with an event at each event time.

    A stratum and the rank of a time among all event times make one integer.
    """
    stop = data.stop.contiguous()
    times = distinct(stop, data.event.contiguous())
    width = times.numel() + 1
    base = strata * width
    stop_key = count_at_most(times, stop) + base
    start_key = base
    if data.start is not None:
        start_key = count_at_most(times, data.start.contiguous()) + base
    event_keys, order = sort_keys(stop_key[data.event], int(base.max()) + width)
    keys, counts = torch.unique_consecutive(event_keys, return_counts=True)
    event_row = torch.nonzero(data.event).squeeze(1)[order][torch.cumsum(counts, 0) - counts]
    if data.strata is None:
        return start_key, stop_key, event_row
    lo = torch.searchsorted(keys, start_key, right=True)
    hi = torch.searchsorted(keys, stop_key, right=True)
    return lo, hi, event_row


@dataclass(frozen=True)
class _EventTimes:
    """Sums at each of the ``K`` event times, of units of the case weights."""

    at_risk: Tensor
    dying: Tensor
    weight: Tensor
    row_death: FixedPoint


def _event_times(
    data: ConcordanceData, rows: _Rows, option: str, last_time: float | None, pooled: bool
) -> _EventTimes:
    k, units = rows.n_times, rows.weights.units
    change = torch.zeros(k + 1, dtype=torch.int64, device=units.device)
    at_risk = change.index_add(0, rows.lo, units).index_add(0, rows.hi, -units).cumsum(0)[:k]
    at_event = rows.hi[rows.event] - 1
    dying = change[:k].index_add(0, at_event, units[rows.event])
    weight = _time_weights(data, rows, option, pooled, at_risk, dying)
    if last_time is not None:
        weight = torch.where(data.stop[rows.event_row] > last_time, 0.0, weight)
    of_row = torch.zeros(rows.event.numel(), dtype=torch.float64, device=units.device)
    of_row[rows.event] = weight[at_event] * rows.weights.value(units[rows.event])
    return _EventTimes(at_risk, dying, weight, fixed_point(of_row))


def _time_weights(
    data: ConcordanceData, rows: _Rows, option: str, pooled: bool, at_risk: Tensor, dying: Tensor
) -> Tensor:
    value, strata = rows.weights.value, rows.event_strata
    if option == "n":
        return torch.ones_like(value(at_risk))
    weights, times = value(rows.weights.units), data.stop[rows.event_row]
    total = torch.zeros(rows.n_strata, dtype=torch.int64, device=at_risk.device)
    total = value(total.index_add(0, rows.strata, rows.weights.units))
    not_censored = torch.ones_like(times)
    if option in ("S/G", "n/G2"):
        not_censored = not_censored_before(
            data.stop, data.event, rows.strata, weights, times, strata
        )
    weight = time_weights(option, value(at_risk), value(dying), strata, total, not_censored)
    events = torch.bincount(rows.strata[rows.event], minlength=rows.n_strata)
    several = (events.sum() if pooled else events[strata]) > 1
    return torch.where(several, weight, 1.0)


@dataclass(frozen=True)
class _Records:
    """Ends, and starts where they matter, by predictor and then time.

    ``time`` is ``2 k`` for an event at ``k``, ``2 k + 1`` for what happens after it and before
    ``k + 1``. ``late`` are units of case times time weight of the events, ``early`` those of
    case weight, negative at a start.
    """

    row: Tensor
    is_start: Tensor
    time: Tensor
    x_code: Tensor
    early: Tensor
    late: Tensor


def _records(rows: _Rows, times: _EventTimes) -> _Records:
    used = rows.hi > rows.lo
    ends = torch.nonzero(used).squeeze(1)
    row, time = ends, 2 * (rows.hi[ends] - 1) + (~rows.event[ends]).long()
    if rows.counting:
        first = torch.searchsorted(
            rows.event_strata, torch.arange(rows.n_strata, device=row.device)
        )
        late_entry = torch.nonzero(used & (rows.lo > first[rows.strata])).squeeze(1)
        row = torch.cat([row, late_entry])
        time = torch.cat([time, 2 * rows.lo[late_entry] - 1])
    order = sort_keys(time, 2 * rows.n_times)[1]
    order = order[sort_keys(rows.x_code[row[order]], int(rows.x_code.max()))[1]]
    row, time, is_start = row[order], time[order], order >= ends.numel()
    sign = 1 - 2 * is_start.long()
    return _Records(
        row=row,
        is_start=is_start,
        time=time,
        x_code=rows.x_code[row],
        early=rows.weights.units[row] * sign,
        late=torch.where(is_start, 0, times.row_death.units[row]),
    )


def _tied_on_x(records: _Records) -> tuple[Tensor, Tensor, Tensor]:
    """Sums over the records with the same x, and over those with the same time too.

    ``early`` over the later ones, ``late`` over the earlier ones, and ``early`` over those of
    one time, which are the tied events where the time is one of an event.
    """
    n = records.row.numel()
    new_x = torch.ones(n, dtype=torch.bool, device=records.row.device)
    new_x[1:] = records.x_code[1:] != records.x_code[:-1]
    new_pair = new_x.clone()
    new_pair[1:] |= records.time[1:] != records.time[:-1]
    first_x, last_x = _bounds(new_x)
    first_pair, last_pair = _bounds(new_pair)
    early, late = running(records.early), running(records.late)
    after = early[last_x] - early[last_pair]
    before = late[first_pair] - late[first_x]
    return after, before, early[last_pair] - early[first_pair]


def _bounds(new: Tensor) -> tuple[Tensor, Tensor]:
    """First and one past the last place of the run that each place is in."""
    first = torch.nonzero(new).squeeze(1)
    run = new.long().cumsum(0) - 1
    ends = torch.cat([first[1:], first.new_full((1,), new.numel())])
    return first[run], ends[run]


@dataclass(frozen=True)
class _Pairs:
    """Sums of each row over its pairs, in units; see :func:`_all_pairs` for both sides.

    ``after`` counts only where the row has an event. ``same`` are the events tied on x
    with the row's, itself included.
    """

    discordant_after: Tensor
    discordant_before: Tensor
    tied_after: Tensor
    tied_before: Tensor
    same: Tensor


def _pairs(rows: _Rows, records: _Records) -> _Pairs:
    by_time = sort_keys(records.time, 2 * rows.n_times)[1]
    place = torch.empty_like(by_time)
    place[by_time] = torch.arange(by_time.numel(), device=by_time.device)
    discordant_after, discordant_before = inversion_sums(place, records.early, records.late)
    tied_after, tied_before, same = _tied_on_x(records)
    end = ~records.is_start

    def of_ends(values: Tensor) -> Tensor:
        out = torch.zeros_like(rows.weights.units)
        out[records.row[end]] = values[end]
        return out

    def of_ends_less_starts(values: Tensor) -> Tensor:
        out = torch.zeros_like(rows.weights.units)
        out[records.row[records.is_start]] = values[records.is_start]
        return of_ends(values) - out

    return _Pairs(
        discordant_after=of_ends(discordant_after[place]),
        discordant_before=of_ends_less_starts(discordant_before[place]),
        tied_after=of_ends(tied_after),
        tied_before=of_ends_less_starts(tied_before),
        same=of_ends(same),
    )


def _all_pairs(rows: _Rows, times: _EventTimes) -> tuple[Tensor, Tensor]:
    """Weight of those who outlive each row, and of the events that each row outlives."""
    at = (rows.hi - 1).clamp(min=0)
    deaths = torch.zeros(rows.n_times, dtype=torch.int64, device=at.device)
    deaths.index_add_(0, at[rows.event], times.row_death.units[rows.event])
    until = running(deaths)
    # not the events of the time of one's own
    last = rows.hi - rows.event.long()
    return (times.at_risk - times.dying)[at], until[last] - until[rows.lo]


def _influence(rows: _Rows, times: _EventTimes, pairs: _Pairs) -> Tensor:
    """``(5, n)`` derivatives of the counts with respect to the case weights."""
    at = (rows.hi - 1).clamp(min=0)
    weight = torch.where(rows.event, times.weight[at], 0.0)
    all_after, all_before = _all_pairs(rows, times)

    def total(after: Tensor, before: Tensor) -> Tensor:
        return weight * rows.weights.value(after) + times.row_death.value(before)

    own = rows.weights.units
    both = torch.where(rows.event, weight * rows.weights.value(pairs.same - own), 0.0)
    tied = torch.where(rows.event, weight * rows.weights.value(times.dying[at] - own), 0.0)
    return torch.stack(
        [
            total(
                all_after - pairs.tied_after - pairs.discordant_after,
                all_before - pairs.tied_before - pairs.discordant_before,
            ),
            total(pairs.discordant_after, pairs.discordant_before),
            total(pairs.tied_after, pairs.tied_before),
            tied - both,
            both,
        ]
    )


def _counts(rows: _Rows, times: _EventTimes, influence: Tensor) -> Tensor:
    """``(S, 5)`` counts: each pair is in the influence of both its rows."""
    weights = rows.weights.value(rows.weights.units)
    parts = (influence * weights).T
    if rows.counting:
        # survival counts ties on y of (start, stop] data without time weights
        at = (rows.hi - 1).clamp(min=0)
        dying = rows.weights.value(times.dying[at] - rows.weights.units)
        tied = torch.where(rows.event, dying, 0.0) * weights
        parts[:, TIED_Y] = tied - parts[:, TIED_XY]
    return sums_by_code(parts.contiguous(), rows.strata, rows.n_strata) / 2


def sums_by_code(values: Tensor, codes: Tensor, n_codes: int) -> Tensor:
    """``(m, q)`` sums of the ``(n, q)`` values of each code, the same at every run."""
    if n_codes == 1:
        return values.sum(0, keepdim=True)
    order = sort_keys(codes, n_codes)[1]
    offsets = offsets_from_counts(torch.bincount(codes, minlength=n_codes))
    return SegmentSum(offsets, order, order.numel())(values)


def _cox_variance(rows: _Rows, times: _EventTimes, records: _Records) -> Tensor:
    """``(S,)`` sum over the events of ``sum_i w_i (L_i - G_i)^2 / sum_i w_i``.

    L_i and G_i are the weights at risk with a lower and a higher predictor. With W the
    weight at risk and g_j the part of it at the j-th distinct x, the numerator is
    ``(W^3 - sum_j g_j^3) / 3``. The cubes are followed back in time, record by record.
    """
    value = rows.weights.value
    later = value(_later_with_same_x(records))
    grown = later + value(records.early)
    n_codes = 2 * rows.n_times + 1
    change = sums_by_code((grown**3 - later**3)[:, None], records.time, n_codes)[:, 0]
    cubes = change.flip(0).cumsum(0).flip(0)
    every = torch.arange(rows.n_times, device=grown.device)
    end = torch.searchsorted(rows.event_strata, rows.event_strata, right=True)
    at_risk = value(times.at_risk)
    squares = (at_risk**3 - (cubes[2 * every] - cubes[2 * end])) / 3
    terms = value(times.dying) * times.weight * squares / at_risk
    return sums_by_code(terms[:, None], rows.event_strata, rows.n_strata)[:, 0]


def _later_with_same_x(records: _Records) -> Tensor:
    new_x = torch.ones(records.row.numel(), dtype=torch.bool, device=records.row.device)
    new_x[1:] = records.x_code[1:] != records.x_code[:-1]
    early = running(records.early)
    return early[_bounds(new_x)[1]] - early[1:]
