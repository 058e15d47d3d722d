r"""Score residuals and dfbeta: each row's share of the score and of the estimate.

With the tables of :mod:`survivalgpu.partial_likelihood` and
``xbar_kl = (S1_k - f_l E1_k) / den_kl``, the score residual of row ``i`` is

.. math::

    \delta_i (x_i - mean_l \, \bar x_{k_i l})
    - r_i \sum_{k = lo_i}^{hi_i - 1} (x_i \varphi_k - q_k)
    + \delta_i r_i [x_i (\varphi_{k_i} - \psi_{k_i}) - (q_{k_i} - q'_{k_i})]

with ``q_k = (W_k/d_k) sum_l xbar_kl / den_kl`` and ``q'_k`` the same with ``1 - f_l`` in
the numerator. In the tables of :class:`survivalgpu.ties.HazardTables`,
``S0 q = a S1/S0 - b E1/S0`` and ``S0 (q - q') = b S1/S0 - c E1/S0``, so that two sums over
each row's range of event times give all residuals in time proportional to the rows.

Source: Therneau, Grambsch and Fleming (1990), Biometrika 77:147; Therneau and Grambsch
(2000), *Modeling Survival Data*, sections 4.2 and 7.1.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from survivalgpu.compiled_residuals import compiled_score_residuals
from survivalgpu.fitted_risks import CovariateMeans, FittedRisks, FittedRows
from survivalgpu.sparse import SegmentSum, offsets_from_counts

_PRODUCT_ROWS = 1 << 14


@dataclass(frozen=True)
class Collapse:
    """Rows to be added up, as by cluster.

    Attributes
    ----------
    codes : Tensor
        ``(n,)`` int64 group ``0 .. n_groups - 1`` of each row of the data.
    n_groups : int
    """

    codes: Tensor
    n_groups: int


def score_residuals(
    risks: FittedRisks,
    weighted: bool = False,
    collapse: Collapse | None = None,
    matrix: Tensor | None = None,
) -> Tensor:
    """Score residuals, or with ``matrix`` the variance, the dfbeta residuals.

    Parameters
    ----------
    risks : FittedRisks
        Rows and linear predictors.
    weighted : bool
        Whether to multiply each row by its case weight.
    collapse : Collapse, optional
        Groups of rows to add up.
    matrix : Tensor, optional
        ``(p, p)``, multiplied from the right.

    Returns
    -------
    Tensor
        ``(n, p)``, or ``(n_groups, p)`` with ``collapse``, stored column by column. Rows
        that are never at risk have 0.
    """
    sets = risks.risk_sets
    total = None if collapse is None else _collapsing_sum(collapse, sets.order)
    n_out = sets.n_rows if total is None else total.n_segments
    out = torch.zeros(risks.n_covariates, n_out, dtype=torch.float64, device=risks.risk.device)
    expected = sets.intervals.interval_sums(risks.hazards.phi / risks.total)
    for columns, values in risks.column_blocks():
        residual = _residuals_of(risks, values, risks.spread(expected))
        if weighted and risks.weights is not None:
            residual *= risks.weights
        if total is None:
            out[columns, sets.order] = residual.T
        else:
            out[columns] = total(residual).T
    if matrix is not None:
        for first in range(0, n_out, _PRODUCT_ROWS):
            rows = slice(first, first + _PRODUCT_ROWS)
            out[:, rows] = matrix.T @ out[:, rows]
    return out.T


def score_residuals_of_rows(
    rows: FittedRows,
    weighted: bool = False,
    collapse: Collapse | None = None,
    matrix: Tensor | None = None,
) -> Tensor:
    """:func:`score_residuals` of rows, by the compiled kernels where they can do it."""
    codes = None if collapse is None else collapse.codes.contiguous()
    n_groups = 0 if collapse is None else collapse.n_groups
    residuals = compiled_score_residuals(rows, weighted, codes, n_groups)
    if residuals is None:
        return score_residuals(FittedRisks(rows), weighted, collapse, matrix)
    if matrix is not None:
        for first in range(0, residuals.shape[0], _PRODUCT_ROWS):
            part = slice(first, first + _PRODUCT_ROWS)
            residuals[part] = residuals[part] @ matrix
    return residuals.T.contiguous().T


def _residuals_of(risks: FittedRisks, values: Tensor, expected: Tensor) -> Tensor:
    """Score residuals ``(n_used, q)`` of some columns ``values`` of the sorted rows.

    ``expected`` is ``(n_used, 1)``, the sum of ``phi`` over the range of each row.
    """
    sets = risks.risk_sets
    means = risks.covariate_means(values)
    residual = compensators(risks, values, means, expected)
    observed = values[sets.event_rows] - risks.event_means(means)[risks.event_time_of]
    residual[sets.event_rows] += observed
    return residual


def compensators(
    risks: FittedRisks, values: Tensor, means: CovariateMeans, expected: Tensor
) -> Tensor:
    """What the rows' time at risk adds to their score residuals: ``(n_used, q)``.

    Times the case weights, the derivatives of the weighted martingale residuals by the
    coefficients of ``values``. Arguments as of :func:`_residuals_of`.
    """
    sets, hazards, ties = risks.risk_sets, risks.hazards, risks.ties
    q = means.risk_set * hazards.a
    if ties.tied_k.numel():
        q[ties.tied_k] -= means.tied * hazards.b
    q /= risks.total
    by_group = sets.intervals.interval_sums(q)
    residual = torch.addcmul(risks.spread(by_group), values, expected, value=-1)
    if ties.tied_k.numel():
        residual[ties.rows] += _spared(risks, means, values)
    residual *= risks.risk
    return residual


def _spared(risks: FittedRisks, means: CovariateMeans, values: Tensor) -> Tensor:
    """What tied events are spared at their own event time, over ``r_i``: ``(R, q)``."""
    hazards, ties = risks.hazards, risks.ties
    k, own = ties.tied_k, ties.time_of_row
    of_mean = (hazards.b * means.risk_set[k] - hazards.c * means.tied) / risks.total[k]
    of_value = hazards.excess / risks.total[k]
    return values[ties.rows] * of_value[own] - of_mean[own]


def _collapsing_sum(collapse: Collapse, order: Tensor) -> SegmentSum:
    """Sum of sorted rows by group of the data's rows."""
    codes = collapse.codes[order]
    counts = torch.bincount(codes, minlength=collapse.n_groups)
    places = torch.argsort(codes, stable=True)
    return SegmentSum(offsets_from_counts(counts), places, order.numel())
