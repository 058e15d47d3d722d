"""Linear predictors, whole or by term, and their standard errors."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

_ELEMENTS = {"cpu": 1 << 18, "cuda": 1 << 26}


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
    for t, columns in enumerate(terms):
        b = coefficients[columns]
        v = None if variance is None else variance[columns][:, columns]
        if columns.numel() == 1:
            # the whole column at once: its block is small
            d = x[:, int(columns)] - center[columns]
            torch.mul(d, b, out=out[t])
            if errors is not None:
                torch.mul(d.abs_(), v[0].sqrt(), out=errors[t])
            continue
        of_term = x if columns.numel() == p else x[:, columns]
        for first in range(0, n, block_rows):
            rows = slice(first, min(first + block_rows, n))
            d = of_term[rows] - center[columns]
            out[t, rows] = d @ b
            if errors is not None:
                errors[t, rows] = ((d @ v) * d).sum(1).sqrt_()
    return out, errors
