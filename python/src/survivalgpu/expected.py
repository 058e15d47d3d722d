"""Expected events of rows, and their variance, from the tables of a baseline hazard."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from survivalgpu.baseline import BaselineTables, quadratic_form
from survivalgpu.compiled_baseline import compiled_variances

_ELEMENTS = 1 << 20


@dataclass(frozen=True)
class NewRows:
    """Rows for which to predict, in any order.

    Attributes
    ----------
    times : tuple of Tensor
        ``(m,)`` float64 each: the end of follow-up, or the entry time and the end. NaN
        where unknown, and so are then the hazards and variances at both.
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
    variances = []
    if variance is not None:
        values, vectors = quadratic_form(variance)
        form = values, vectors, tables.mean_hazard @ vectors
        for place in places:
            at = places[0] if entry_tables else place
            variances.append(_variances(tables, form, rows.x, place, at))
    if len(variances) == 2:
        # where no event lies between them the two are one number, however it was rounded
        same = places[0] == places[1]
        variances[1] = torch.where(same, variances[0], variances[1])
    unknown = torch.isnan(rows.times[0] + rows.times[-1])
    if bool(unknown.any()):
        for values in (*hazards, *variances):
            values[unknown] = torch.nan
    return hazards, variances


def _variances(
    tables: BaselineTables,
    form: tuple[Tensor, Tensor, Tensor],
    x: Tensor,
    hazard_place: Tensor,
    place: Tensor,
) -> Tensor:
    """Variances ``(m,)`` of the hazards, ``V`` and ``M`` taken at ``place``."""
    compiled = compiled_variances(tables, form, x, hazard_place, place)
    if compiled is not None:
        return compiled
    values, vectors, rotated = form
    out = torch.empty_like(place, dtype=torch.float64)
    block_rows = max(_ELEMENTS // max(x.shape[1], 1), 1)
    for first in range(0, place.numel(), block_rows):
        block = slice(first, first + block_rows)
        d = (x[block] - tables.center) @ vectors
        d *= tables.hazard[hazard_place[block]].unsqueeze(1)
        d -= rotated[place[block]]
        torch.add(tables.variance[place[block]], d.square_() @ values, out=out[block])
    return out
