"""The design matrix as the likelihood wants it: sorted, centred, scaled, row-major."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from survivalgpu.column_statistics import mean_abs_deviation, mean_columns, stratum_ranges
from survivalgpu.kernels import kernels_for, n_threads, pointer
from survivalgpu.memory import empty
from survivalgpu.risk_sets import RiskSets

_COPY_ROWS = 1 << 16


@dataclass(frozen=True)
class Design:
    """Covariates, offset and weights of the rows at risk, in the order of the groups.

    Attributes
    ----------
    x1 : Tensor
        ``(n_used, 1 + p)`` float64, row-major: a column of ones, then the covariates,
        centred within strata and multiplied by ``scale``. The ones make a risk set's
        total risk and its covariate sums one product.
    offset : Tensor or None
        ``(n_used,)``.
    weights : Tensor or None
        ``(n_used,)`` positive case weights, or ``(n_used, B)`` for ``B`` problems.
    scale : Tensor
        ``(p,)``; a coefficient on the scale of ``x1`` is ``beta / scale``.
    means : Tensor
        ``(p,)`` what survival reports as ``means``: 0 for columns left uncentred.
    """

    x1: Tensor
    offset: Tensor | None
    weights: Tensor | None
    scale: Tensor
    means: Tensor

    @property
    def n_covariates(self) -> int:
        """Number ``p`` of covariates."""
        return self.x1.shape[1] - 1


def build_design(
    x: Tensor,
    risk_sets: RiskSets,
    uncentred: Tensor,
    offset: Tensor | None = None,
    weights: Tensor | None = None,
    scale_row: int | None = None,
) -> Design:
    """Sort, centre and scale the covariates.

    The likelihood does not change with the centre, which is chosen for accuracy: the
    mean of each stratum, or the value itself where a column is constant in a stratum,
    so that such a column is exactly zero. Other ``uncentred`` columns stay as they are:
    indicators are exact, and the mean of an indicator in a risk set may be far smaller
    than any centre would leave digits for. The scale is survival's: the mean absolute
    deviation becomes 1, except in ``uncentred`` columns. Only survival's rule for
    singular columns depends on it.

    Parameters
    ----------
    x : Tensor
        ``(n, p)`` float64 covariates in the order of the data.
    risk_sets : RiskSets
        Risk sets of the same ``n`` rows.
    uncentred : Tensor
        ``(p,)`` bool, columns that survival neither centres nor scales (``nocenter``).
    offset, weights : Tensor, optional
        ``(n,)`` in the order of the data; ``weights`` may be ``(n, B)``.
    scale_row : int, optional
        Row from which absolute deviations are taken; the weighted mean if None.
    """
    order = risk_sets.order
    sorted_weights = None if weights is None else weights[order].contiguous()
    flat = sorted_weights if sorted_weights is None or sorted_weights.ndim == 1 else None
    x1 = sorted_copy(x, order)
    scale, means = _scale_and_means(x, uncentred, weights, x1, flat, scale_row)
    _centre_and_scale(x1, risk_sets, uncentred, scale)
    return Design(
        x1=x1,
        offset=None if offset is None else offset[order].contiguous(),
        weights=sorted_weights,
        scale=scale,
        means=means,
    )


def sorted_covariates(x: Tensor, risk_sets: RiskSets, uncentred: Tensor) -> Tensor:
    """A design's ``x1``, centred but not scaled: ``(n_used, 1 + p)``, row-major."""
    x1 = sorted_copy(x, risk_sets.order)
    ones = torch.ones(x.shape[1], dtype=torch.float64, device=x.device)
    _centre_and_scale(x1, risk_sets, uncentred, ones)
    return x1


def sorted_copy(x: Tensor, order: Tensor) -> Tensor:
    """Gather the rows at risk into ``(n_used, 1 + p)``, row-major, after a column of ones."""
    n, p = order.numel(), x.shape[1]
    x1 = empty(n, p + 1, device=x.device)
    kernels = kernels_for(x, order)
    if kernels is not None:
        kernels.gather_rows(pointer(x), *x.stride(), pointer(order), n, p, pointer(x1), n_threads())
        return x1
    x1[:, 0] = 1.0
    for first in range(0, n, _COPY_ROWS):
        rows = slice(first, first + _COPY_ROWS)
        x1[rows, 1:] = x[order[rows]]
    return x1


def _scale_and_means(
    x: Tensor,
    uncentred: Tensor,
    weights: Tensor | None,
    x1: Tensor,
    sorted_weights: Tensor | None,
    scale_row: int | None,
) -> tuple[Tensor, Tensor]:
    """survival's column scales and reported means.

    Right-censored data: weighted mean over all rows. ``(start, stop]`` data: plain mean
    as the reported one, and deviations of the rows at risk from one row of the data.
    """
    flat = weights if weights is not None and weights.ndim == 1 else None
    if scale_row is None:
        means = mean_columns(x, flat)
        deviation = mean_abs_deviation(x, means, flat)
    else:
        means = mean_columns(x, None)
        deviation = mean_abs_deviation(x1[:, 1:], x[scale_row], sorted_weights)
    scale = torch.where(deviation > 0, 1.0 / deviation, torch.ones_like(deviation))
    scale = torch.where(uncentred, torch.ones_like(scale), scale)
    return scale, torch.where(uncentred, torch.zeros_like(means), means)


def _centre_and_scale(x1: Tensor, risk_sets: RiskSets, uncentred: Tensor, scale: Tensor) -> None:
    """Subtract each stratum's centre and scale, in place; constant columns become exactly 0."""
    n, p = x1.shape[0], x1.shape[1] - 1
    if n == 0 or p == 0:
        return
    strata = risk_sets.row_strata
    mean, low, high = stratum_ranges(x1, strata, risk_sets.n_strata)
    centre = torch.where(uncentred, torch.zeros_like(mean), mean)
    centre = torch.where(low == high, low, centre).contiguous()
    kernels = kernels_for(x1, strata)
    if kernels is not None:
        kernels.centre_and_scale(
            pointer(x1), n, p, pointer(strata), pointer(centre), pointer(scale), n_threads()
        )
        return
    covariates = x1[:, 1:]
    for first in range(0, n, _COPY_ROWS):
        rows = slice(first, first + _COPY_ROWS)
        covariates[rows] -= centre[0] if strata is None else centre[strata[rows]]
        covariates[rows] *= scale
