r"""Cox's partial log-likelihood, its score and its information, for B problems at once.

With ``r_i = exp(x_i beta + o_i)`` and, at event time ``k``, the sums of ``w r`` and
``w r x`` over the risk set (``S0``, ``S1``) and over the ``d`` tied events (``E0``,
``E1``), and ``W`` the total weight of the events,

.. math::

    den_{kl} &= S0_k - f_l E0_k, \qquad f_l = l / d_k, \; l = 0 .. d_k - 1 \\
    \ell &= \sum_{events} w_i \eta_i - \sum_k (W_k / d_k) \sum_l \log den_{kl} \\
    \varphi_k &= (W_k / d_k) \sum_l 1 / den_{kl}, \qquad
    \psi_k = (W_k / d_k) \sum_l (1 - f_l) / den_{kl} \\
    U &= \sum_{events} w_i x_i - \sum_k \varphi_k S1_k + \sum_k (\varphi_k - \psi_k) E1_k \\
    \Lambda_i &= \sum_{k = lo_i}^{hi_i - 1} \varphi_k
        - \delta_i (\varphi_{k_i} - \psi_{k_i}) \\
    I &= X^T diag(w r \Lambda) X - \sum_k [a_k S1 S1^T - b_k (S1 E1^T + E1 S1^T)
        + c_k E1 E1^T]

with ``a, b, c = (W/d) sum_l (1, f_l, f_l^2) / den^2``. All tables are kept relative to
``S0``, so that no square of a very small or large risk is formed. This is Efron's (1977)
approximation; Breslow's (1974) has ``f = 0``. Sources: Cox (1972), JRSS B 34:187; Efron
(1977), JASA 72:557; Breslow (1974), Biometrics 30:89.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from survivalgpu.column_statistics import chosen_row_sums
from survivalgpu.compiled_likelihood import CompiledLikelihood, RiskSums
from survivalgpu.design import Design
from survivalgpu.risk_sets import RiskSets
from survivalgpu.row_blocks import RowBlock, default_block_rows, row_blocks
from survivalgpu.sparse import SegmentSum
from survivalgpu.ties import HazardTables, TieTerms

# survival recentres the linear predictor of (start, stop] data beyond this.
_RECENTRE_ABOVE = 200.0
# Right-censored data are not recentred. Below this a risk set's total has no reciprocal;
# all risks are then raised towards the largest that still add up.
_SMALLEST_TOTAL, _LARGEST_PREDICTOR = 1e-300, 690.0
# Information lost to cancellation: a column whose variance within the risk sets is
# below this share of its second moment has no correct digit left and counts as zero.
_CANCELLED = 1e-13
# Tables of a block's rows by problems that are in memory at once.
_TABLES = 4
# From this many problems on, one product with all pairs of columns beats a loop.
_PAIRWISE_FROM = 8


@dataclass(frozen=True)
class Evaluation:
    """Value and derivatives at ``B`` parameter vectors.

    Attributes
    ----------
    loglik : Tensor
        ``(B,)``.
    score : Tensor
        ``(B, p)``.
    information : Tensor or None
        ``(B, p, p)``, minus the Hessian; None where it was not asked for.
    """

    loglik: Tensor
    score: Tensor
    information: Tensor | None


@dataclass(frozen=True)
class _RiskTables:
    """One evaluation's risks by sorted row ``(n_used, B)`` and sums by event time."""

    risk: Tensor
    s0: Tensor  # (K, B)
    mean: Tensor  # (K, B, p or 0): S1 / S0, the mean covariates of the risk set
    tied_mean: Tensor  # (T, B, p or 0): E1 / S0
    hazards: HazardTables
    shift: Tensor | None  # (S, B) subtracted from the linear predictor


class PartialLikelihood:
    """Partial likelihood of one data set, to be evaluated at any parameters.

    Parameters
    ----------
    risk_sets : RiskSets
        Who is at risk when.
    design : Design
        Covariates in the order of ``risk_sets``.
    ties : {"efron", "breslow"}
        Treatment of tied event times.
    block_rows : int, optional
        Rows per block of PyTorch's route; the result depends on it by rounding only.
    compiled : bool
        Take the compiled kernels where they can do it: one problem, on the CPU, without a
        wish for ``block_rows``.
    copies : Tensor, optional
        ``(n_used, B)`` how often each sorted row is in each problem, 0 or more, where rows
        stand for several; the weights are then those of all copies together, and Efron's
        tied events are the copies.
    """

    def __init__(
        self,
        risk_sets: RiskSets,
        design: Design,
        ties: str,
        block_rows: int | None = None,
        compiled: bool = True,
        copies: Tensor | None = None,
    ) -> None:
        self.risk_sets = risk_sets
        self.design = design
        rows, weights = risk_sets.event_rows, design.weights
        self._event_x = torch.atleast_2d(chosen_row_sums(design.x1, rows, weights))
        self._event_offset: Tensor | float = 0.0
        if design.offset is not None:
            offset = design.offset.unsqueeze(1)
            self._event_offset = chosen_row_sums(offset, rows, weights).reshape(-1)
        self._ties_rule, self._block_rows, self._copies = ties, block_rows, copies
        self._compiled: CompiledLikelihood | None = None
        if compiled and block_rows is None and CompiledLikelihood.suits(design):
            self._compiled = CompiledLikelihood(risk_sets, design, ties)

    @cached_property
    def _event_weight(self) -> Tensor:
        """Total weight of the events of each event time, ``(K, B or 1)``."""
        weights = self._row_weights(self.risk_sets.event_rows)
        number = torch.arange(weights.shape[0], device=weights.device)
        return SegmentSum(self.risk_sets.event_offsets, number, weights.shape[0])(weights)

    @cached_property
    def _ties(self) -> TieTerms:
        copies = self._copies
        events = None if copies is None else copies[self.risk_sets.event_rows]
        return TieTerms(self.risk_sets, self._ties_rule, events)

    @cached_property
    def _blocks(self) -> tuple[RowBlock, ...]:
        rows = self._block_rows
        if rows is None:
            width = self.design.x1.shape[1]
            if self._several_weights:
                # a column for each problem, and for each pair of covariates
                width = max(self.design.weights.shape[1], width * (width - 1) // 2) * _TABLES
            rows = default_block_rows(width, self.design.x1.device)
        return tuple(row_blocks(self.risk_sets, rows))

    def restricted_to(self, problems: np.ndarray) -> PartialLikelihood:
        """The same likelihood for some of the problems; itself where weights are shared."""
        weights = self.design.weights
        if weights is None or weights.ndim == 1 or problems.size == weights.shape[1]:
            return self
        index = torch.as_tensor(problems, device=weights.device)
        part = copy.copy(self)
        part.design = replace(self.design, weights=weights[:, index].contiguous())
        part._event_weight = self._event_weight[:, index]
        part._event_x = self._event_x[index]
        if self._copies is not None:
            part._copies = self._copies[:, index]
            part.__dict__.pop("_ties", None)
        if self.design.offset is not None:
            part._event_offset = self._event_offset[index]
        return part

    def evaluate(self, beta: Tensor, information: bool = True) -> Evaluation:
        """Evaluate at ``(B, p)`` coefficients on the scale of the design."""
        if self._compiled is not None and beta.shape[0] == 1:
            sums = self._compiled.evaluate(beta[0])
            if sums is not None:
                return self._completed(beta, sums)
        tables = self._risk_tables(beta, self.design.x1)
        hazards = tables.hazards
        score = self._event_x[:, 1:] - torch.einsum("kb,kbp->bp", hazards.phi, tables.mean)
        score = score + torch.einsum("kb,kbp->bp", hazards.excess, tables.tied_mean)
        second = self._information(tables) if information else None
        return Evaluation(self._loglik(beta, tables), score, second)

    def _completed(self, beta: Tensor, sums: RiskSums) -> Evaluation:
        """The kernels' sums with the events' own covariates."""
        return Evaluation(
            loglik=self._event_loglik(beta) - sums.log_terms,
            score=self._event_x[:, 1:] + sums.score,
            information=_information(sums.second_moment[None], sums.outer[None]),
        )

    def martingale(self, beta: Tensor) -> Tensor:
        """Martingale residuals ``delta_i - r_i Lambda_i`` in the order of the data.

        They are 0 for rows that are never at risk. ``beta`` is one parameter vector ``(p,)``
        on the scale of the design; the result is ``(n,)``.
        """
        residuals = None if self._compiled is None else self._compiled.martingale(beta)
        if residuals is not None:
            return residuals
        tables = self._risk_tables(beta.unsqueeze(0), self.design.x1[:, :1].contiguous())
        expected = torch.cat([values for _, values in self._expected(tables)])
        if self.design.weights is not None:
            expected /= self._row_weights(slice(None))
        residual = -expected.squeeze(1)
        residual[self.risk_sets.event_rows] += 1.0
        residuals = residual.new_zeros(self.risk_sets.n_rows)
        residuals[self.risk_sets.order] = residual
        return residuals

    # ---- sums over the risk sets -----------------------------------------------------

    def _risk_tables(
        self, beta: Tensor, columns: Tensor, shift: Tensor | None = None
    ) -> _RiskTables:
        """Risks of all rows, and their sums with ``columns`` (ones first) by event time."""
        risk, sums, largest = self._group_sums(beta, columns, shift)
        if self.risk_sets.counting and shift is None and largest > _RECENTRE_ABOVE:
            return self._risk_tables(beta, columns, self._stratum_shift(beta))
        n_problems, q = beta.shape[0], columns.shape[1]
        risk_set = self.risk_sets.intervals.risk_set_sums(sums.flatten(1)).view(-1, n_problems, q)
        s0 = risk_set[:, :, 0].clone()
        if self._several_weights:
            # without an event of some weight a risk set may be empty, and does not count
            s0.masked_fill_(self._event_weight == 0, 1.0)
        # a total of 0 stays: survival, too, rejects a step that far
        tiny = (s0 > 0).all(0) & (s0 < _SMALLEST_TOTAL).any(0)
        if not self.risk_sets.counting and shift is None and bool(tiny.any()):
            return self._risk_tables(beta, columns, self._lowering(beta, tiny))
        tied = self._ties.sum_rows.products(risk, columns)
        hazards = self._ties.hazards(s0, tied[:, :, 0], self._event_weight)
        risk_set /= s0.unsqueeze(2)
        tied_mean = tied[:, :, 1:] / s0[self._ties.tied_k].unsqueeze(2)
        return _RiskTables(risk, s0, risk_set[:, :, 1:], tied_mean, hazards, shift)

    def _group_sums(
        self, beta: Tensor, columns: Tensor, shift: Tensor | None
    ) -> tuple[Tensor, Tensor, float]:
        """Risk of each row ``(n_used, B)``, its sums by group, and the largest ``|eta|``."""
        n_problems = beta.shape[0]
        risk = columns.new_empty(self.risk_sets.n_used, n_problems)
        sums = columns.new_zeros(self.risk_sets.n_groups, n_problems, columns.shape[1])
        largest = 0.0
        for block in self._blocks:
            eta = self._linear_predictor(beta, block.rows, shift)
            if self.risk_sets.counting:
                largest = max(largest, float(eta.abs().max()))
            block_risk = torch.exp(eta, out=risk[block.rows])
            if self.design.weights is not None:
                weights = self._row_weights(block.rows)
                block_risk *= weights
                if self._several_weights:
                    block_risk.masked_fill_(weights == 0, 0.0)
            self._add_block(sums, block, block_risk, columns[block.rows])
        return risk, sums, largest

    @staticmethod
    def _add_block(sums: Tensor, block: RowBlock, risk: Tensor, columns: Tensor) -> None:
        if block.sums is None:
            torch.mul(columns.unsqueeze(1), risk.unsqueeze(2), out=sums[block.groups])
        else:
            sums[block.groups] += block.sums.products(risk, columns)

    def _linear_predictor(self, beta: Tensor, rows: slice, shift: Tensor | None) -> Tensor:
        """``(rows, B)`` of ``x beta + offset``, less the shift of the row's stratum."""
        eta = self.design.x1[rows] @ torch.nn.functional.pad(beta, (1, 0)).T
        if self.design.offset is not None:
            eta += self.design.offset[rows].unsqueeze(1)
        if shift is not None:
            strata = self.risk_sets.row_strata
            eta -= shift if strata is None else shift[strata[rows]]
        return eta

    def _stratum_shift(self, beta: Tensor) -> Tensor:
        """Mean linear predictor of each stratum ``(S, B)``, to keep ``exp`` in range."""
        eta = self._linear_predictor(beta, slice(None), None)
        strata = self.risk_sets.row_strata
        if strata is None:
            return eta.mean(0, keepdim=True)
        total = eta.new_zeros(self.risk_sets.n_strata, eta.shape[1]).index_add_(0, strata, eta)
        counts = torch.bincount(strata, minlength=self.risk_sets.n_strata)
        return total / counts.clamp(min=1).unsqueeze(1)

    def _lowering(self, beta: Tensor, which: Tensor) -> Tensor:
        """Shift ``(S, B)`` that raises all risks of the problems ``which``."""
        highest = self._linear_predictor(beta, slice(None), None).amax(0)
        room = (_LARGEST_PREDICTOR - highest).clamp(min=0.0)
        shift = torch.where(which, -room, torch.zeros_like(room))
        return shift.expand(self.risk_sets.n_strata, -1)

    @property
    def _several_weights(self) -> bool:
        """Whether each problem has its own weights, some of which may be 0."""
        return self.design.weights is not None and self.design.weights.ndim == 2

    def _row_weights(self, rows: Tensor | slice) -> Tensor:
        """Case weights of some sorted rows, ``(rows, B or 1)``."""
        weights = self.design.weights
        if weights is None:
            return torch.ones_like(self.design.x1[rows, :1])
        return weights[rows].unsqueeze(1) if weights.ndim == 1 else weights[rows]

    # ---- log-likelihood and information ----------------------------------------------

    def _event_loglik(self, beta: Tensor) -> Tensor:
        """Weighted linear predictors of the events, summed: ``(B,)``."""
        return (self._event_x[:, 1:] * beta).sum(1) + self._event_offset

    def _loglik(self, beta: Tensor, tables: _RiskTables) -> Tensor:
        loglik = self._event_loglik(beta) - tables.hazards.log_terms.sum(0)
        if tables.shift is not None:
            shift = tables.shift[self.risk_sets.event_strata]
            loglik = loglik - (self._event_weight * shift).sum(0)
        return loglik

    def _expected(self, tables: _RiskTables) -> Iterator[tuple[slice, Tensor]]:
        """Per block, ``w_i r_i Lambda_i``: the weighted expected events, ``(rows, B)``."""
        by_group = self.risk_sets.intervals.interval_sums(tables.hazards.phi / tables.s0)
        spared = tables.hazards.excess / tables.s0[self._ties.tied_k]
        spared_by_row = None
        if self._ties.rows.numel():
            spared_by_row = by_group.new_zeros(self.risk_sets.n_used, by_group.shape[1])
            spared_by_row[self._ties.rows] = spared[self._ties.time_of_row]
        for block in self._blocks:
            cumulative = block.spread(by_group)
            if spared_by_row is not None:
                cumulative = cumulative - spared_by_row[block.rows]
            yield block.rows, tables.risk[block.rows] * cumulative

    def _information(self, tables: _RiskTables) -> Tensor:
        second_moment = self._second_moment(tables)
        hazards = tables.hazards
        mean, tied = tables.mean, tables.tied_mean
        outer = torch.einsum("kbp,kbq->bpq", hazards.a.unsqueeze(2) * mean, mean)
        if self._ties.tied_k.numel():
            tied_set = hazards.b.unsqueeze(2) * mean[self._ties.tied_k]
            cross = torch.einsum("kbp,kbq->bpq", tied_set, tied)
            outer = outer - cross - cross.transpose(1, 2)
            outer = outer + torch.einsum("kbp,kbq->bpq", hazards.c.unsqueeze(2) * tied, tied)
        return _information(second_moment, outer)

    def _second_moment(self, tables: _RiskTables) -> Tensor:
        """``X' diag(w r Lambda) X`` for each problem, ``(B, p, p)``."""
        p, n_problems = self.design.n_covariates, tables.risk.shape[1]
        x1 = self.design.x1
        if n_problems < _PAIRWISE_FROM:
            total = x1.new_zeros(n_problems, p + 1, p + 1)
            for rows, v in self._expected(tables):
                x_rows = x1[rows]
                for b in range(n_problems):
                    total[b].addmm_((x_rows * v[:, b, None]).T, x_rows)
            return total[:, 1:, 1:]
        first, second = torch.triu_indices(p, p, device=x1.device).unbind()
        pairs = x1.new_zeros(n_problems, first.numel())
        for rows, v in self._expected(tables):
            pairs.addmm_(v.T, x1[rows][:, 1 + first] * x1[rows][:, 1 + second])
        total = x1.new_zeros(n_problems, p, p)
        total[:, first, second] = pairs
        total[:, second, first] = pairs
        return total


def _information(second_moment: Tensor, outer: Tensor) -> Tensor:
    """Their difference ``(B, p, p)``; what cancellation left of a variance of 0 becomes 0."""
    information = second_moment - outer
    diagonal = torch.diagonal(information, dim1=1, dim2=2)
    moment = torch.diagonal(second_moment, dim1=1, dim2=2)
    diagonal[diagonal.abs() < _CANCELLED * moment] = 0.0
    return information
