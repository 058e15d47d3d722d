"""Score residuals by the compiled kernels, some columns of the covariates at a time.

Formulas in :mod:`survivalgpu.score_residuals`. The linear predictors enter as an offset
with all coefficients 0, so that one evaluation of the partial likelihood leaves the tables
by event time that the residuals are made of.
"""

from __future__ import annotations

import torch
from torch import Tensor

from survivalgpu.compiled_likelihood import CompiledLikelihood
from survivalgpu.design import Design, build_design
from survivalgpu.fitted_risks import FittedRows, is_exact
from survivalgpu.kernels import kernels_for, pointer
from survivalgpu.risk_sets import RiskSets, build_risk_sets

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
    if not bool((rows.linear_predictors.abs() <= _LARGEST_PREDICTOR).all()):
        return None
    sets = build_risk_sets(rows.stop, rows.event, rows.start, rows.strata)
    out = rows.x.new_zeros(n if codes is None else n_groups, p)
    width = max(1, min(_MOST_COLUMNS, _ELEMENTS // (n + 1)))
    for first in range(0, p, width):
        columns = slice(first, min(first + width, p))
        residuals = _residuals_of(rows, sets, columns)
        if residuals is None:
            return None
        if weighted and rows.weights is not None:
            residuals *= rows.weights.unsqueeze(1)
        if codes is None:
            out[:, columns] = residuals
            continue
        total = residuals.new_zeros(n_groups, residuals.shape[1])
        arguments = pointer(residuals), *residuals.shape, pointer(codes), pointer(total)
        kernels.add_rows_by_code(*arguments)
        out[:, columns] = total
    return out


def _residuals_of(rows: FittedRows, sets: RiskSets, columns: slice) -> Tensor | None:
    x = rows.x[:, columns]
    exact = torch.tensor([is_exact(x[:, j]) for j in range(x.shape[1])])
    weights = rows.weights
    design: Design = build_design(x, sets, exact, rows.linear_predictors, weights)
    if not CompiledLikelihood.suits(design):
        return None
    likelihood = CompiledLikelihood(sets, design, rows.ties, event_tables=True)
    if likelihood.evaluate(x.new_zeros(x.shape[1])) is None:
        return None
    return likelihood.score_residuals().div_(design.scale)
