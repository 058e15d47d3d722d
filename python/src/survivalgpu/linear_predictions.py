"""Linear predictors, whole or by term, and their standard errors."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from survivalgpu.kernels import kernels_for, n_threads, pointer
from survivalgpu.memory import empty

_ELEMENTS = {"cpu": 1 << 18, "cuda": 1 << 26}
_PREDICTOR_ROWS = 1 << 16


def linear_predictors(
    x: Tensor, coefficients: Tensor, center: Tensor, offset: Tensor | None = None
) -> Tensor:
    """``(x - center) b + offset``, ``(n,)``, for all columns at once.

    They are added up column by column, so that rounding never varies: equal rows must
    have equal predictors.

    Parameters
    ----------
    x : Tensor
        ``(n, p)`` float64, in any memory order.
    coefficients, center : Tensor
        ``(p,)``.
    offset : Tensor, optional
        ``(n,)``.
    """
    constant = float((coefficients * center).sum())
    out = empty(x.shape[0], device=x.device)
    kernels = kernels_for(x, offset)
    if kernels is not None:
        at, offset = coefficients.contiguous(), None if offset is None else offset.contiguous()
        arguments = pointer(x), *x.shape, *x.stride(), pointer(at)
        kernels.linear_predictors(*arguments, pointer(offset), constant, pointer(out), n_threads())
        return out
    for first in range(0, out.numel(), _PREDICTOR_ROWS):
        rows = slice(first, first + _PREDICTOR_ROWS)
        total = torch.zeros_like(out[rows])
        for j, coefficient in enumerate(coefficients.tolist()):
            total.add_(x[rows, j], alpha=coefficient)
        if offset is not None:
            total += offset[rows]
        out[rows] = total - constant
    return out


def linear_predictions(
    x: Tensor,
    center: Tensor,
    terms: Sequence[Tensor],
    coefficients: Tensor,
    variance: Tensor | None,
) -> tuple[Tensor, Tensor | None]:
    """``(x_J - c_J) b_J`` for the columns ``J`` of each term, in blocks of rows.

    Parameters
    ----------
    x : Tensor
        ``(n, p)`` float64, in any memory order.
    center : Tensor
        ``(p,)``.
    terms : sequence of Tensor
        int64 columns of each of ``T`` terms.
    coefficients : Tensor
        ``(p,)``.
    variance : Tensor or None
        ``(p, p)`` variance of the coefficients.

    Returns
    -------
    predictions, errors : Tensor
        ``(T, n)``; no errors where there is no variance.
    """
    n, p = x.shape
    out = x.new_empty(len(terms), n)
    errors = None if variance is None else torch.empty_like(out)
    block_rows = max(_ELEMENTS.get(x.device.type, _ELEMENTS["cpu"]) // max(p, 1), 1)
    for first in range(0, n, block_rows):
        rows = slice(first, min(first + block_rows, n))
        d = x[rows] - center
        for t, columns in enumerate(terms):
            of_term = d if columns.numel() == p else d[:, columns]
            out[t, rows] = of_term @ coefficients[columns]
            if errors is not None:
                v = variance[columns][:, columns]
                errors[t, rows] = ((of_term @ v) * of_term).sum(1).sqrt_()
    return out, errors
