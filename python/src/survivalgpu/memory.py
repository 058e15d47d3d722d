"""Memory for large tensors.

A fresh array costs a page fault for every 4 kB, several times what it takes to fill it.
On Linux, NumPy asks the system for pages of 2 MB, and PyTorch does not.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

_NUMPY = {torch.float64: np.float64, torch.int64: np.int64, torch.int32: np.int32}


def empty(
    *shape: int, dtype: torch.dtype = torch.float64, device: torch.device | None = None
) -> Tensor:
    """As :func:`torch.empty`; in the CPU's memory, on large pages."""
    if device is not None and device.type != "cpu":
        return torch.empty(shape, dtype=dtype, device=device)
    return torch.from_numpy(np.empty(shape, _NUMPY[dtype]))


def zeros(
    *shape: int, dtype: torch.dtype = torch.float64, device: torch.device | None = None
) -> Tensor:
    """As :func:`torch.zeros`; in the CPU's memory, on large pages."""
    if device is not None and device.type != "cpu":
        return torch.zeros(shape, dtype=dtype, device=device)
    return torch.from_numpy(np.zeros(shape, _NUMPY[dtype]))
