"""The design matrix as the likelihood wants it: sorted, centred, scaled, row-major."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from survivalgpu.risk_sets import RiskSets
from survivalgpu.sparse import SegmentSum, offsets_from_counts

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
    x1 = _sorted_copy(x, order)
    scale, means = _scale_and_means(x, uncentred, weights, x1, flat, scale_row)
    covariates = x1[:, 1:]
    _centre(covariates, risk_sets, uncentred)
    covariates *= scale
    return Design(
        x1=x1,
        offset=None if offset is None else offset[order].contiguous(),
        weights=sorted_weights,
        scale=scale,
        means=means,
    )


def _sorted_copy(x: Tensor, order: Tensor) -> Tensor:
    x1 = torch.empty(order.numel(), x.shape[1] + 1, dtype=torch.float64, device=x.device)
    x1[:, 0] = 1.0
    for first in range(0, order.numel(), _COPY_ROWS):
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
        means = x.mean(0) if flat is None else (flat @ x) / flat.sum()
        deviation = _mean_abs_deviation(x, means, flat)
    else:
        means = x.mean(0)
        deviation = _mean_abs_deviation(x1[:, 1:], x[scale_row], sorted_weights)
    scale = torch.where(deviation > 0, 1.0 / deviation, torch.ones_like(deviation))
    scale = torch.where(uncentred, torch.ones_like(scale), scale)
    return scale, torch.where(uncentred, torch.zeros_like(means), means)


def _mean_abs_deviation(x: Tensor, centre: Tensor, weights: Tensor | None) -> Tensor:
    total = torch.zeros_like(centre)
    for first in range(0, x.shape[0], _COPY_ROWS):
        deviation = (x[first : first + _COPY_ROWS] - centre).abs_()
        if weights is None:
            total += deviation.sum(0)
        else:
            total += weights[first : first + _COPY_ROWS] @ deviation
    return total / (x.shape[0] if weights is None else weights.sum())


def _centre(covariates: Tensor, risk_sets: RiskSets, uncentred: Tensor) -> None:
    """Subtract the centre of each stratum in place; constant columns become exactly 0."""
    if covariates.numel() == 0:
        return
    if risk_sets.row_strata is None:
        low, high = covariates.amin(0), covariates.amax(0)
        covariates -= _centres(covariates.mean(0), low, high, uncentred)
        return
    centres = _stratum_centres(covariates, risk_sets.row_strata, risk_sets.n_strata, uncentred)
    for first in range(0, covariates.shape[0], _COPY_ROWS):
        rows = slice(first, first + _COPY_ROWS)
        covariates[rows] -= centres[risk_sets.row_strata[rows]]


def _centres(mean: Tensor, low: Tensor, high: Tensor, uncentred: Tensor) -> Tensor:
    return torch.where(low == high, low, torch.where(uncentred, torch.zeros_like(mean), mean))


def _stratum_centres(
    covariates: Tensor, strata: Tensor, n_strata: int, uncentred: Tensor
) -> Tensor:
    counts = torch.bincount(strata, minlength=n_strata)
    by_stratum = SegmentSum(
        offsets_from_counts(counts), torch.argsort(strata, stable=True), strata.numel()
    )
    mean = by_stratum(covariates.contiguous()) / counts.clamp(min=1).unsqueeze(1)
    index = strata.unsqueeze(1).expand_as(covariates)
    low = torch.full_like(mean, torch.inf).scatter_reduce_(0, index, covariates, "amin")
    high = torch.full_like(mean, -torch.inf).scatter_reduce_(0, index, covariates, "amax")
    return _centres(mean, low, high, uncentred)
