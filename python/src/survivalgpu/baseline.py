r"""Cumulative baseline hazard of a fitted Cox model, with what its variance needs.

With ``r_i`` the fitted risk of row ``i``, and at event time ``k`` the sums of ``w r`` and
``w r x`` over the risk set (``S0``, ``S1``) and over the ``d`` tied events (``E0``,
``E1``), ``W`` the total weight of the events and ``den_l = S0 - f_l E0``, ``f_l = l / d``
for ``l = 0 .. d - 1``, the increments are

.. math::

    h_k = (W/d) \sum_l 1/den_l, \qquad v_k = (W/d) \sum_l 1/den_l^2, \qquad
    m_k = (W/d) \sum_l (S1 - f_l E1) / den_l^2 .

Breslow's hazard has ``f = 0``. The tables are their cumulative sums within a stratum:
``H``, ``V`` and ``M``. The hazard ``r H(t)`` of a new row ``x`` with risk ``r`` has variance
``r^2 (V(t) + d' I^{-1} d)`` with ``d = x H(t) - M(t)``. Sources: Breslow (1974), Biometrics
30:89; Efron (1977), JASA 72:557; Tsiatis (1981), Annals of Statistics 9:93; Therneau and
Grambsch (2000), section 10.2.

The estimate of Kalbfleisch and Prentice (1973), Biometrika 60:267, is a product over the
event times of the ``a_k`` that solves ``sum_{events} w r / (1 - a^r) = S0``. Its hazard is
Breslow's, its variance that of Greenwood: ``v_k = W / (S0 (S0 - W))``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from survivalgpu.compiled_baseline import compiled_increments
from survivalgpu.design import sorted_copy
from survivalgpu.interval_sums import StrataLayout
from survivalgpu.risk_sets import RiskSets, build_risk_sets
from survivalgpu.sorting import count_at_most
from survivalgpu.sparse import SegmentSum, offsets_from_counts
from survivalgpu.ties import TieTerms

# Covariates per pass over the rows: bounds the memory next to the (K, p) result.
_COLUMNS = 8
# Halvings of survival's search for a_k between 0 and 1.
_BISECTIONS = 35


@dataclass(frozen=True)
class BaselineRows:
    """Rows of a fitted model on one device, in the order of the user's rows.

    Attributes
    ----------
    stop : Tensor
        ``(n,)`` float64 ends of follow-up.
    event : Tensor
        ``(n,)`` bool.
    risk : Tensor
        ``(n,)`` float64 fitted risks, at the covariate values that the baseline is for.
    start : Tensor or None
        ``(n,)`` float64 entry times of ``(start, stop]`` data.
    strata : Tensor or None
        ``(n,)`` int64 codes ``0 .. S - 1``.
    weights : Tensor or None
        ``(n,)`` float64 case weights.
    x : Tensor or None
        ``(n, p)`` float64 covariates; None where no variance is asked for.
    center : Tensor or None
        ``(p,)`` what the covariates are measured from, their mean by default. It keeps
        digits; no variance depends on it.
    """

    stop: Tensor
    event: Tensor
    risk: Tensor
    start: Tensor | None = None
    strata: Tensor | None = None
    weights: Tensor | None = None
    x: Tensor | None = None
    center: Tensor | None = None


@dataclass(frozen=True)
class BaselineTables:
    """Cumulative tables over the ``K`` event times, after a first row of zeros.

    Attributes
    ----------
    keys : Tensor
        ``(K,)`` int64, ``stratum * (T + 1) + rank`` with the rank (from 1) of the time
        among the ``T`` distinct event times; ascending.
    times : Tensor
        ``(T,)`` float64 distinct event times over all strata.
    offsets : Tensor
        ``(S + 1,)`` int64, event times of each stratum.
    increments : Tensor
        ``(K, 2)``: ``h`` and ``v`` of each event time.
    hazard, variance : Tensor
        ``(K + 1,)``: ``H`` and ``V``.
    mean_hazard : Tensor or None
        ``(K + 1, p)``: ``M``, of covariates less ``center``.
    center : Tensor or None
        ``(p,)``.
    log_factors : Tensor or None
        ``(K,)`` logarithms of Kalbfleisch and Prentice's ``a_k``, if asked for.
    log_survival : Tensor or None
        ``(K + 1,)`` their cumulative sums.
    """

    keys: Tensor
    times: Tensor
    offsets: Tensor
    increments: Tensor
    hazard: Tensor
    variance: Tensor
    mean_hazard: Tensor | None
    center: Tensor | None
    log_factors: Tensor | None
    log_survival: Tensor | None

    def places(self, times: Tensor, strata: Tensor | None) -> Tensor:
        """Place in the tables of the last event of the stratum at or before each time.

        No time is NaN. ``strata`` is None for the tables of one stratum. The first row
        of the tables, 0, stands for none.
        """
        rank = count_at_most(self.times, times)
        if strata is None:
            return rank
        key = strata * (self.times.numel() + 1) + rank
        place = torch.searchsorted(self.keys, key, right=True)
        return torch.where(place > self.offsets[strata], place, torch.zeros_like(place))


def baseline_tables(rows: BaselineRows, kind: str) -> BaselineTables:
    """Tables of the baseline hazard.

    Parameters
    ----------
    rows : BaselineRows
        Rows of the model; at least one event.
    kind : {"efron", "breslow", "kalbfleisch-prentice"}
        Estimate of the hazard.
    """
    center = None
    if rows.x is not None:
        center = rows.x.mean(0) if rows.center is None else rows.center
    steps = None
    if kind != "kalbfleisch-prentice":
        steps = _compiled_steps(rows, center, kind)
    if steps is None:
        steps = _risk_set_steps(rows, center, kind)
    layout = StrataLayout.from_counts(steps.counts)
    cumulative = cumulated(steps.increments, layout)
    log_survival = None
    if steps.log_factors is not None:
        log_survival = cumulated(steps.log_factors.unsqueeze(1), layout)[:, 0]
    return BaselineTables(
        keys=steps.strata * (steps.times.numel() + 1) + steps.rank + 1,
        times=steps.times,
        offsets=offsets_from_counts(steps.counts),
        increments=steps.increments,
        hazard=cumulative[:, 0].contiguous(),
        variance=cumulative[:, 1].contiguous(),
        mean_hazard=None if center is None else _cumulated_means(steps, layout, center.numel()),
        center=center,
        log_factors=steps.log_factors,
        log_survival=log_survival,
    )


@dataclass(frozen=True)
class _Steps:
    """What the tables are cumulated from, at each of ``K`` event times.

    Attributes
    ----------
    times : Tensor
        ``(T,)`` float64 distinct event times over all strata.
    rank, strata : Tensor
        ``(K,)`` int64: place in ``times``, from 0, and stratum.
    counts : Tensor
        ``(S,)`` int64 event times of each stratum.
    increments : Tensor
        ``(K, 2)``: ``h`` and ``v``.
    mean_hazard : iterable of Tensor
        ``(K, q)`` of ``m``, some covariates at a time.
    log_factors : Tensor or None
        ``(K,)`` as in :class:`BaselineTables`.
    """

    times: Tensor
    rank: Tensor
    strata: Tensor
    counts: Tensor
    increments: Tensor
    mean_hazard: Iterable[Tensor]
    log_factors: Tensor | None = None


def _compiled_steps(rows: BaselineRows, center: Tensor | None, kind: str) -> _Steps | None:
    """Steps by the compiled kernel; None where it is not to be asked."""
    found = compiled_increments(rows, center, kind == "efron")
    if found is None:
        return None
    times, counts, increments = found
    strata, rank = torch.nonzero(counts, as_tuple=True)
    increments = increments[strata, rank]
    return _Steps(
        times=times,
        rank=rank,
        strata=strata,
        counts=(counts > 0).sum(1),
        increments=increments[:, :2],
        mean_hazard=(increments[:, 2:],),
    )


def _risk_set_steps(rows: BaselineRows, center: Tensor | None, kind: str) -> _Steps:
    """Steps from sums over risk sets, on any device and for any rows."""
    risk_sets = build_risk_sets(rows.stop, rows.event, rows.start, rows.strata)
    sums = _HazardSums(rows, risk_sets, "efron" if kind == "efron" else "breslow")
    increments, s0 = sums.increments()
    log_factors = None
    if kind == "kalbfleisch-prentice":
        rest = s0 - sums.event_weight
        increments[:, 1] = sums.event_weight / (s0 * torch.where(rest > 0, rest, s0))
        log_factors = sums.log_factors()
    p = 0 if center is None else center.numel()
    blocks = (slice(first, min(first + _COLUMNS, p)) for first in range(0, p, _COLUMNS))
    times, rank = torch.unique(risk_sets.event_times, return_inverse=True)
    return _Steps(
        times=times,
        rank=rank,
        strata=risk_sets.event_strata,
        counts=torch.bincount(risk_sets.event_strata, minlength=risk_sets.n_strata),
        increments=increments,
        mean_hazard=(sums.mean_hazard(columns, center) for columns in blocks),
        log_factors=log_factors,
    )


def _cumulated_means(steps: _Steps, layout: StrataLayout, p: int) -> Tensor:
    """``M``, ``(K + 1, p)``: one block of covariates after another."""
    out = steps.increments.new_empty(steps.rank.numel() + 1, p)
    first = 0
    for means in steps.mean_hazard:
        out[:, first : first + means.shape[1]] = cumulated(means, layout)
        first += means.shape[1]
    return out


def cumulated(values: Tensor, layout: StrataLayout) -> Tensor:
    """Cumulative sums of ``(K, q)`` within each stratum, after a row of zeros."""
    table = values.new_zeros(layout.length, values.shape[1])
    table[layout.position] = values
    for first, number, length in layout.buckets:
        block = table[first : first + number * length].view(number, length, -1)
        block.copy_(block.cumsum(1))
    return torch.cat((values.new_zeros(1, values.shape[1]), table[layout.position]))


def quadratic_form(variance: Tensor) -> tuple[Tensor, Tensor]:
    """Write ``d' V d`` as ``sum_j l_j (d' q_j)^2``: ``l`` ``(p,)`` and ``q`` ``(p, p)``.

    The decomposition is that of the correlations, so that a variance far larger than
    the others takes no digits from them.
    """
    scale = torch.diagonal(variance).clamp(min=0.0).sqrt()
    inverse = torch.where(scale > 0, 1.0 / scale, torch.zeros_like(scale))
    correlation = (variance + variance.T) / 2 * inverse.unsqueeze(1) * inverse
    values, vectors = torch.linalg.eigh(correlation)
    return values, scale.unsqueeze(1) * vectors


class _HazardSums:
    """Increments of the tables at each event time of one data set."""

    def __init__(self, rows: BaselineRows, risk_sets: RiskSets, ties: str) -> None:
        self._rows, self._risk_sets = rows, risk_sets
        self._ties = TieTerms(risk_sets, ties)
        order = risk_sets.order
        self._group_sum = None
        if risk_sets.group_of_row is not None:
            number = torch.arange(order.numel(), device=order.device)
            self._group_sum = SegmentSum(risk_sets.group_offsets, number, order.numel())
        self._risk = rows.risk[order]
        self._weighted = self._risk
        weights = torch.ones_like(self._risk)
        if rows.weights is not None:
            weights = rows.weights[order]
            self._weighted = self._risk * weights
        self._weights = weights
        number = torch.arange(risk_sets.event_rows.numel(), device=order.device)
        by_time = SegmentSum(risk_sets.event_offsets, number, number.numel())
        self._event_weight = by_time(weights[risk_sets.event_rows].unsqueeze(1))
        ones = torch.ones_like(self._risk).unsqueeze(1)
        self._s0 = self._over_risk_sets(ones)
        e0 = self._over_ties(ones)
        self._hazards = self._ties.hazards(self._s0, e0, self._event_weight)

    @property
    def event_weight(self) -> Tensor:
        """``(K,)`` total weight ``W`` of the events."""
        return self._event_weight[:, 0]

    def increments(self) -> tuple[Tensor, Tensor]:
        """``(K, 2)`` of ``h`` and ``v``, and ``S0``, ``(K,)``."""
        h = self._hazards.phi / self._s0
        v = self._hazards.a / self._s0 / self._s0
        return torch.cat((h, v), dim=1), self._s0[:, 0]

    def mean_hazard(self, columns: slice, center: Tensor) -> Tensor:
        """``(K, q)`` of ``m`` for some of the covariates, less their ``center``."""
        # the gathering of rows puts a column of ones first
        x1 = sorted_copy(self._rows.x[:, columns], self._risk_sets.order)
        x1[:, 1:] -= center[columns]
        mean = self._over_risk_sets(x1).mul_(self._hazards.a / self._s0)
        if self._ties.tied_k.numel():
            tied_s0 = self._s0[self._ties.tied_k]
            mean[self._ties.tied_k] -= self._hazards.b * (self._over_ties(x1) / tied_s0)
        return mean.div_(self._s0)[:, 1:]

    def log_factors(self) -> Tensor:
        """``(K,)`` of ``log a``: in closed form for one event, else by bisection."""
        risk_sets = self._risk_sets
        counts = risk_sets.event_offsets.diff()
        time_of_event = torch.repeat_interleave(counts)
        risk = self._risk[risk_sets.event_rows]
        weighted = self._weighted[risk_sets.event_rows]
        single = (counts == 1)[time_of_event]
        out = torch.zeros_like(self._s0[:, 0])
        s0 = self._s0[time_of_event[single], 0]
        left = (1.0 - weighted[single] / s0).clamp(min=0.0)
        out[time_of_event[single]] = torch.log(left) / risk[single]
        tied = torch.nonzero(counts > 1).squeeze(1)
        if tied.numel():
            offsets = offsets_from_counts(counts[tied])
            out[tied] = torch.log(
                _bisected(risk[~single], weighted[~single], offsets, self._s0[tied, 0])
            )
        return out

    def _over_risk_sets(self, values: Tensor) -> Tensor:
        """Sums of ``w r`` times ``(n_used, q)`` values of the sorted rows: ``(K, q)``."""
        if self._group_sum is None:
            by_group = values * self._weighted.unsqueeze(1)
        else:
            by_group = self._group_sum.weighted(self._weighted, values)
        return self._risk_sets.intervals.risk_set_sums(by_group)

    def _over_ties(self, values: Tensor) -> Tensor:
        """Sums of ``w r`` times the values over the events at tied times: ``(T, q)``."""
        return self._ties.sum_rows.weighted(self._weighted[self._ties.rows], values)


def _bisected(risk: Tensor, weighted: Tensor, offsets: Tensor, s0: Tensor) -> Tensor:
    """Solve ``sum w r / (1 - a^r) = S0`` for ``a`` in ``(0, 1)``, as survival does.

    Where all at risk have the event there is no solution, and the search ends at its
    lower limit, ``2^-36``, as survival's does.
    """
    number = torch.arange(risk.numel(), device=risk.device)
    by_time = SegmentSum(offsets, number, risk.numel())
    time_of_event = torch.repeat_interleave(offsets.diff())
    guess, step = torch.full_like(s0, 0.5), 0.25
    for _ in range(_BISECTIONS):
        total = by_time((weighted / (1.0 - guess[time_of_event] ** risk)).unsqueeze(1))[:, 0]
        guess = torch.where(total < s0, guess + step, guess - step)
        step /= 2
    return guess
