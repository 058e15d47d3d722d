"""Expected events of rows, and their variance, from the tables of a baseline hazard."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from survivalgpu.baseline import BaselineTables, quadratic_form

_ELEMENTS = 1 << 20


@dataclass(frozen=True)
class NewRows:
    """Rows for which to predict, in any order.

    Attributes
    ----------
    times : tuple of Tensor
        ``(m,)`` float64 each: the end of follow-up, or the entry time and the end.
    strata : Tensor or None
        ``(m,)`` int64 codes of the fitted rows' strata.
    x : Tensor or None
        ``(m, p)`` covariates; None where no variance is asked for.
    """

    times: tuple[Tensor, ...]
    strata: Tensor | None = None
    x: Tensor | None = None


def expected_events(
    tables: BaselineTables, rows: NewRows, variance: Tensor | None, entry_tables: bool = False
) -> tuple[list[Tensor], list[Tensor]]:
    """Cumulative hazards at each of the rows' times, and their variances.

    Parameters
    ----------
    tables : BaselineTables
        With ``mean_hazard`` where ``variance`` is given.
    rows : NewRows
        Whose hazards, for a risk of 1.
    variance : Tensor or None
        ``(p, p)`` variance of the coefficients.
    entry_tables : bool
        Take ``V`` and ``M`` of the end of follow-up, too, at the entry time. survival
        3.5 does so for new ``(start, stop]`` rows, and the variance then depends on the
        center of the fitted rows.

    Returns
    -------
    hazards, variances : list of Tensor
        ``(m,)`` for each of ``rows.times``; no variances where none is asked for.
    """
    places = [tables.places(time, rows.strata) for time in rows.times]
    hazards = [tables.hazard[place] for place in places]
    if variance is None:
        return hazards, []
    values, vectors = quadratic_form(variance)
    rotated = tables.mean_hazard @ vectors
    n_rows, p = rows.x.shape
    variances = [torch.empty_like(hazard) for hazard in hazards]
    block_rows = max(_ELEMENTS // max(p, 1), 1)
    for first in range(0, n_rows, block_rows):
        block = slice(first, first + block_rows)
        x = (rows.x[block] - tables.center) @ vectors
        for hazard, place, out in zip(hazards, places, variances, strict=True):
            at = (places[0] if entry_tables else place)[block]
            d = x * hazard[block].unsqueeze(1) - rotated[at]
            torch.add(tables.variance[at], d.square_() @ values, out=out[block])
    if len(variances) == 2:
        # where no event lies between them the two are one number, however it was rounded
        same = places[0] == places[1]
        variances[1] = torch.where(same, variances[0], variances[1])
    return hazards, variances
