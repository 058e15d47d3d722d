r"""Schoenfeld residuals: at each event, ``x_i - mean_l xbar_kl``.

Source: Schoenfeld (1982), Biometrika 69:239; Efron's ties as in Therneau and Grambsch
(2000), *Modeling Survival Data*, section 4.6.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from survivalgpu.fitted_risks import FittedRisks


@dataclass(frozen=True)
class Schoenfeld:
    """One residual for each event, by stratum, then time.

    Attributes
    ----------
    rows : Tensor
        ``(N,)`` int64 row of the data of each event.
    event_times : Tensor
        ``(N,)`` int64 event time ``k`` of each event.
    residuals : Tensor
        ``(N, p)`` float64, stored column by column.
    """

    rows: Tensor
    event_times: Tensor
    residuals: Tensor


def schoenfeld_residuals(risks: FittedRisks, last_first: bool = False) -> Schoenfeld:
    """Compute the Schoenfeld residuals.

    Parameters
    ----------
    risks : FittedRisks
        Rows and linear predictors.
    last_first : bool
        The order of tied events: that of the rows of the data, or its reverse.
    """
    sets = risks.risk_sets
    k = risks.event_time_of
    rows = sets.order[sets.event_rows]
    within = sets.n_rows - 1 - rows if last_first else rows
    by_row = torch.argsort(k * sets.n_rows + within)
    places, k = sets.event_rows[by_row], k[by_row]
    out = torch.empty(risks.n_covariates, k.numel(), dtype=torch.float64, device=k.device)
    for columns, values in risks.column_blocks():
        mean = risks.event_means(risks.covariate_means(values))
        out[columns] = (values[places] - mean[k]).T
    return Schoenfeld(rows[by_row], k, out.T)
