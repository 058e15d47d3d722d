"""Rows of one subject that follow each other and differ in nothing else, made one."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import torch

from survivalgpu.coxph import CoxData


def merge_neighbours(data: CoxData, subjects: np.ndarray) -> tuple[CoxData, np.ndarray]:
    """Merge ``(start, stop]`` rows that continue the row before them.

    ``(a, b]`` and ``(b, c]`` of one subject, without an event at ``b`` and alike in
    covariates, offset, weight and stratum, are at risk when ``(a, c]`` is. Data with a row
    a day shrink to a row for each change.

    Parameters
    ----------
    data : CoxData
        The rows; those that are merged have to be neighbours.
    subjects : ndarray
        ``(n,)`` subject of each row.

    Returns
    -------
    data : CoxData
        The merged rows.
    subjects : ndarray
        The subject of each.
    """
    if data.start is None or subjects.size < 2:
        return data, subjects
    codes = torch.as_tensor(subjects, device=data.start.device)
    joins = (data.start[1:] == data.stop[:-1]) & ~data.event[:-1] & (codes[1:] == codes[:-1])
    alike = data.strata, data.offset, data.weights, *data.x.unbind(1)
    for column in alike:
        if column is not None and bool(joins.any()):
            joins &= column[1:] == column[:-1]
    if not bool(joins.any()):
        return data, subjects
    end = joins.new_zeros(1)
    first, last = ~torch.cat((end, joins)), ~torch.cat((joins, end))
    parts = {field.name: getattr(data, field.name) for field in fields(CoxData)}
    merged = {
        name: None if part is None else part[last if name in ("stop", "event") else first]
        for name, part in parts.items()
    }
    return CoxData(**merged), codes[first].cpu().numpy()
