r"""Risk sets at given linear predictors: what everything computed after a fit starts from.

With ``r_i = exp(lp_i)`` and the notation of :mod:`survivalgpu.partial_likelihood`, the
tables of one number per event time are made once; those of the covariates are made for a
few columns at a time, since data without tied times have as many event times as events.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from survivalgpu.design import Design
from survivalgpu.risk_sets import RiskSets, build_risk_sets
from survivalgpu.sparse import SegmentSum, offsets_from_counts
from survivalgpu.ties import HazardTables, TieTerms

# Elements of the columns handled together: a small data set in one go, a large one by
# single columns.
_ELEMENTS = {"cpu": 1 << 18, "cuda": 1 << 26}
# exp() and the sums of it stay in range without a shift.
_NO_SHIFT = 300.0
# Columns of these values are left uncentred: they are exact as they are.
_EXACT = (-1.0, 0.0, 1.0)
_PEEK_ROWS = 1000


@dataclass(frozen=True)
class FittedRows:
    """Rows of survival data with their linear predictors, in the order of the data.

    Attributes
    ----------
    x : Tensor
        ``(n, p)`` float64 covariates, in any memory layout.
    linear_predictors : Tensor
        ``(n,)`` float64, offset included; a constant added to a stratum changes nothing.
    stop, event, start, strata, weights
        As in :class:`survivalgpu.coxph.CoxData`; ``weights`` is ``(n,)``.
    ties : {"efron", "breslow"}
        Treatment of tied event times.
    risk_sets, design
        What a fit of the same rows has made of them, if it is at hand.
    """

    x: Tensor
    linear_predictors: Tensor
    stop: Tensor
    event: Tensor
    start: Tensor | None = None
    strata: Tensor | None = None
    weights: Tensor | None = None
    ties: str = "efron"
    risk_sets: RiskSets | None = None
    design: Design | None = None

    def sets_at_risk(self) -> RiskSets:
        """The risk sets, made here unless they are at hand."""
        if self.risk_sets is not None:
            return self.risk_sets
        return build_risk_sets(self.stop, self.event, self.start, self.strata)


@dataclass(frozen=True)
class CovariateMeans:
    """Means of ``q`` covariates at each event time, relative to the total risk ``S0``.

    Attributes
    ----------
    risk_set : Tensor
        ``(K, q)``, ``S1 / S0``: the mean over the risk set.
    tied : Tensor
        ``(T, q)``, ``E1 / S0``: the share of the tied events, ``T`` tied event times.
    """

    risk_set: Tensor
    tied: Tensor


class FittedRisks:
    """Risks and hazards by sorted row and by event time.

    Parameters
    ----------
    rows : FittedRows
        At least one event.

    Attributes
    ----------
    rows : FittedRows
    risk_sets : RiskSets
    ties : TieTerms
    risk : Tensor
        ``(n_used, 1)``, ``r_i`` of the sorted rows, up to a factor by stratum.
    weights : Tensor or None
        ``(n_used, 1)`` case weights of the sorted rows.
    weighted_risk : Tensor
        ``(n_used, 1)``, ``w_i r_i``.
    total : Tensor
        ``(K, 1)``, ``S0``, up to the same factor.
    event_weight : Tensor
        ``(K, 1)``, ``W``.
    hazards : HazardTables
        See :class:`survivalgpu.ties.HazardTables`, for one problem.
    """

    def __init__(self, rows: FittedRows) -> None:
        self.rows = rows
        self._x = rows.x
        self.risk_sets = rows.sets_at_risk()
        sets = self.risk_sets
        self.ties = TieTerms(sets, rows.ties)
        self.risk = _relative_risk(rows.linear_predictors[sets.order], sets).unsqueeze(1)
        self.weights = None if rows.weights is None else rows.weights[sets.order].unsqueeze(1)
        self._by_group = None
        if sets.group_of_row is not None:
            places = torch.arange(sets.n_used, device=sets.order.device)
            self._by_group = SegmentSum(sets.group_offsets, places, sets.n_used)
        self._by_stratum = _stratum_sums(sets)
        self.weighted_risk = self.risk if self.weights is None else self.risk * self.weights
        ones = torch.ones_like(self.risk)
        self.total = sets.intervals.risk_set_sums(self._group_sums(ones))
        tied_risk = self._tied_sums(ones)
        self.event_weight = self._event_sums(ones if self.weights is None else self.weights)
        self.hazards: HazardTables = self.ties.hazards(self.total, tied_risk, self.event_weight)

    @property
    def n_covariates(self) -> int:
        """Number ``p`` of covariates."""
        return self._x.shape[1]

    @property
    def event_time_of(self) -> Tensor:
        """``(N,)`` event time ``k`` of each row of ``risk_sets.event_rows``."""
        counts = self.risk_sets.event_offsets.diff()
        return torch.repeat_interleave(torch.arange(counts.numel(), device=counts.device), counts)

    def counts_at_risk(self) -> Tensor:
        """Number of rows at risk at each event time, ``(K,)`` int64."""
        sizes = self.risk_sets.group_offsets.diff().unsqueeze(1)
        return self.risk_sets.intervals.risk_set_sums(sizes.double()).squeeze(1).long()

    def column_blocks(self) -> Iterator[tuple[slice, Tensor]]:
        """Yield the covariates some columns at a time, sorted and centred.

        Each block is ``(columns, values)`` with ``values`` ``(n_used, q)``. Residuals do
        not depend on the centre, which is chosen for accuracy: the mean of each stratum.
        A column that is constant in a stratum becomes exactly 0 there; indicators stay.
        """
        n = max(self.risk_sets.n_used, 1)
        elements = _ELEMENTS.get(self._x.device.type, _ELEMENTS["cpu"])
        width = max(elements // n, 1)
        for first in range(0, self.n_covariates, width):
            columns = slice(first, min(first + width, self.n_covariates))
            values = self._x[:, columns][self.risk_sets.order]
            yield columns, self._centre(values)

    def covariate_means(self, values: Tensor) -> CovariateMeans:
        """Means over the risk sets of ``(n_used, q)`` values of the sorted rows."""
        return CovariateMeans(self.risk_set_means(values), self.tied_means(values))

    def risk_set_means(self, values: Tensor) -> Tensor:
        """``S1 / S0`` of ``(n_used, q)`` values of the sorted rows: ``(K, q)``."""
        return self.risk_sets.intervals.risk_set_sums(self._group_sums(values)) / self.total

    def tied_means(self, values: Tensor) -> Tensor:
        """``E1 / S0`` of ``(n_used, q)`` values of the sorted rows: ``(T, q)``."""
        return self._tied_sums(values) / self.total[self.ties.tied_k]

    def event_means(self, means: CovariateMeans) -> Tensor:
        """Mean over the terms of each event time of ``xbar_kl``: ``(K, q)``.

        It is what the Schoenfeld residuals of the events at ``k`` are taken from.
        """
        hazards, tied_k = self.hazards, self.ties.tied_k
        mean = means.risk_set * (hazards.phi / self.event_weight)
        if tied_k.numel():
            mean[tied_k] -= means.tied * (hazards.excess / self.event_weight[tied_k])
        return mean

    def spread(self, by_group: Tensor) -> Tensor:
        """Give each sorted row its group's value: ``(G, q)`` to ``(n_used, q)``."""
        groups = self.risk_sets.group_of_row
        return by_group if groups is None else by_group[groups]

    def _group_sums(self, values: Tensor) -> Tensor:
        """Sum ``w_i r_i values_i`` by group: ``(G, q)``."""
        if self._by_group is None:
            return values * self.weighted_risk
        return self._by_group.weighted(self.weighted_risk.squeeze(1), values)

    def _tied_sums(self, values: Tensor) -> Tensor:
        """Sum ``w_i r_i values_i`` over the tied events: ``(T, q)``."""
        return self.ties.sum_rows.weighted(self.weighted_risk[self.ties.rows, 0], values)

    def _event_sums(self, values: Tensor) -> Tensor:
        """Sum ``(n_used, q)`` values over the events of each event time: ``(K, q)``."""
        sets = self.risk_sets
        return SegmentSum(sets.event_offsets, sets.event_rows, sets.n_used)(values)

    def _centre(self, values: Tensor) -> Tensor:
        """Centre the columns of ``(n_used, q)`` values in place."""
        moving = [j for j in range(values.shape[1]) if not is_exact(values[:, j])]
        if not moving or not values.shape[0]:
            return values
        whole = len(moving) == values.shape[1]
        part = values if whole else values[:, moving].contiguous()
        strata = self.risk_sets.row_strata
        if self._by_stratum is None or strata is None:
            part -= part[:1].clone()
            part -= part.mean(0)
        else:
            by_stratum, counts, first = self._by_stratum
            part -= part[first][strata]
            part -= (by_stratum(part) / counts)[strata]
        if not whole:
            values[:, moving] = part
        return values


def _relative_risk(predictors: Tensor, sets: RiskSets) -> Tensor:
    """``exp`` of the linear predictors, shifted by stratum where it would leave the range."""
    if not predictors.numel() or not bool((predictors.abs() > _NO_SHIFT).any()):
        return torch.exp(predictors)
    strata = sets.row_strata
    if strata is None:
        return torch.exp(predictors - (predictors.amax() + predictors.amin()) / 2)
    shape = (sets.n_strata,)
    high = predictors.new_full(shape, -torch.inf).scatter_reduce_(0, strata, predictors, "amax")
    low = predictors.new_full(shape, torch.inf).scatter_reduce_(0, strata, predictors, "amin")
    return torch.exp(predictors - ((high + low) / 2)[strata])


def _stratum_sums(sets: RiskSets) -> tuple[SegmentSum, Tensor, Tensor] | None:
    """Sums by stratum, the strata's sizes ``(S, 1)`` and a sorted row of each ``(S,)``."""
    if sets.row_strata is None:
        return None
    counts = torch.bincount(sets.row_strata, minlength=sets.n_strata)
    by_stratum = torch.argsort(sets.row_strata, stable=True)
    offsets = offsets_from_counts(counts)
    # an empty stratum has no row of its own: any will do
    first = by_stratum[offsets[:-1].clamp(max=sets.n_used - 1)]
    sums = SegmentSum(offsets, by_stratum, sets.n_used)
    return sums, counts.clamp(min=1).unsqueeze(1), first


def is_exact(column: Tensor) -> bool:
    """Whether a column has the values -1, 0 and 1 only, which no centre makes more exact."""
    exact = torch.tensor(_EXACT, dtype=column.dtype, device=column.device)
    peek = column[:_PEEK_ROWS]
    return bool(torch.isin(peek, exact).all()) and bool(torch.isin(column, exact).all())
