r"""Artificial covariates: what a dose history adds up to under each basis function.

With the dose ``X(s)`` of day ``s``, the covariates at day ``t`` are

.. math:: D_j(t) = \sum_{u=1}^{cutoff} B_j(u) X(t + 1 - u).

Doses are constant between the days ``s`` on which they change, by ``J_s``. With the cumulated
basis ``C_j(m) = B_j(1) + ... + B_j(m)``, ``C_j(m) = C_j(cutoff)`` for larger ``m``,

.. math:: D_j(t) = L \, C_j(cutoff) + \sum_{t - cutoff < s < t} J_s C_j(t - s),

where ``L`` is the dose of the last day before the window: one look-up per change of dose,
however long it lasts. Source of the model: Sylvestre and Abrahamowicz (2009), Statistics in
Medicine 28:3437.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from survivalgpu.kernels import kernels_for, n_threads, pointer
from survivalgpu.wce.dose_changes import DoseChanges

# Doubles that the kernel's processor adds at a time.
_LANES = 4
# Elements of a block's temporaries in PyTorch.
_BLOCK_ELEMENTS = {"cpu": 1 << 17, "cuda": 1 << 26}


def artificial_covariates(
    changes: DoseChanges, cumulated: np.ndarray, subject: Tensor, day: Tensor, out: Tensor
) -> None:
    """Fill ``out`` with the artificial covariates of subjects at days.

    Parameters
    ----------
    changes : DoseChanges
        Histories of all subjects.
    cumulated : ndarray
        ``(cutoff + 1, J)``, see :attr:`survivalgpu.wce.weight_basis.WeightBasis.cumulated`.
    subject, day : Tensor
        ``(m,)`` int64.
    out : Tensor
        ``(m, J)`` float64, rows of adjacent elements; may be some columns of a wider matrix.
    """
    kernels = kernels_for(out, subject, day, changes.days)
    if kernels is None:
        table = torch.from_numpy(cumulated).to(out.device)
        _artificial_covariates_in_torch(changes, table, subject, day, out)
        return
    cutoff, n_functions = cumulated.shape[0] - 1, cumulated.shape[1]
    # columns of zeros make rows of whole vectors
    table = torch.from_numpy(np.pad(cumulated, ((0, 0), (0, -n_functions % _LANES))))
    parts = changes.offsets, changes.days, changes.jumps, changes.levels
    kernels.artificial_covariates(
        *[pointer(part) for part in parts],
        *[pointer(table), cutoff, n_functions, table.shape[1]],
        *[pointer(subject), pointer(day), day.numel()],
        *[pointer(out), out.stride(0), n_threads()],
    )


def _artificial_covariates_in_torch(
    changes: DoseChanges, table: Tensor, subject: Tensor, day: Tensor, out: Tensor
) -> None:
    """The same by PyTorch: the changes in the window one by one, all rows at once."""
    cutoff = table.shape[0] - 1
    step = max(_BLOCK_ELEMENTS.get(out.device.type, 1 << 17) // table.shape[1], 1)
    for first in range(0, day.numel(), step):
        rows = slice(first, first + step)
        owner, days, total = subject[rows], day[rows], out[rows]
        before = changes.dose_after(owner, days - cutoff)
        total.copy_(before.unsqueeze(1) * table[cutoff])
        low, high = changes.until(owner, days - cutoff), changes.until(owner, days - 1)
        for ahead in range(int((high - low).max())):
            inside = low + ahead < high
            at = torch.where(inside, low + ahead, 0)
            since = torch.where(inside, days - changes.days[at], 0)
            total += (inside * changes.jumps[at]).unsqueeze(1) * table[since]
