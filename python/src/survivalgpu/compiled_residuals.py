"""Score residuals by the compiled kernels, some columns of the covariates at a time.

Formulas in :mod:`survivalgpu.score_residuals`. The linear predictors enter as an offset
with all coefficients 0, so that one evaluation of the partial likelihood leaves the tables
by event time that the residuals are made of.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from survivalgpu.compiled_likelihood import CompiledLikelihood
from survivalgpu.design import build_design
from survivalgpu.fitted_risks import FittedRows, is_exact
from survivalgpu.kernels import kernels_for, pointer
from survivalgpu.risk_sets import RiskSets

# Elements of the tables by event time, and of the rows, that are held at once.
_ELEMENTS = 1 << 26
_MOST_COLUMNS = 64
# Larger predictors are left to the route that shifts them.
_LARGEST_PREDICTOR = 200.0


def compiled_score_residuals(
    rows: FittedRows, weighted: bool, codes: Tensor | None, n_groups: int
) -> Tensor | None:
    """Score residuals ``(n, p)``, or their sums ``(n_groups, p)`` by ``codes`` ``(n,)``.

    None where the kernels are missing or their arithmetic may not do. ``weighted``
    multiplies each row by its case weight.
    """
    kernels = kernels_for(rows.x, codes)
    n, p = rows.x.shape
    if kernels is None or not p or not rows.stop.numel():
        return None
    low, high = rows.linear_predictors.aminmax()
    if not (low >= -_LARGEST_PREDICTOR and high <= _LARGEST_PREDICTOR):
        return None
    sets = rows.sets_at_risk()
    # a constant changes nothing
    predictors = None if low == high else rows.linear_predictors
    out = rows.x.new_zeros(n if codes is None else n_groups, p)
    width = max(1, min(_MOST_COLUMNS, _ELEMENTS // (n + 1)))
    for first in range(0, p, width):
        columns = slice(first, min(first + width, p))
        likelihood = _likelihood_of(rows, sets, columns, predictors)
        if likelihood is None:
            return None
        residuals = likelihood.score_residuals()
        if weighted and rows.weights is not None:
            residuals *= rows.weights.unsqueeze(1)
        if codes is None:
            total = residuals
        else:
            total = residuals.new_zeros(n_groups, residuals.shape[1])
            arguments = pointer(residuals), *residuals.shape, pointer(codes), pointer(total)
            kernels.add_rows_by_code(*arguments)
        torch.div(total, likelihood.scale, out=out[:, columns])
    return out


def _likelihood_of(
    rows: FittedRows, sets: RiskSets, columns: slice, predictors: Tensor | None
) -> CompiledLikelihood | None:
    """The likelihood of some columns, evaluated at ``predictors`` ``(n,)``; None for 0."""
    design, p = rows.design, columns.stop - columns.start
    if design is None or design.n_covariates != p:
        x = rows.x[:, columns]
        exact = torch.tensor([is_exact(x[:, j]) for j in range(p)])
        design = build_design(x, sets, exact, weights=rows.weights)
    offset = None if predictors is None else predictors[sets.order]
    design = replace(design, offset=offset)
    if not CompiledLikelihood.suits(design):
        return None
    likelihood = CompiledLikelihood(sets, design, rows.ties, event_tables=True)
    return None if likelihood.evaluate(design.scale.new_zeros(p)) is None else likelihood
