"""Which device computes: asked for by name, chosen at run time, never silently changed."""

from __future__ import annotations

import re
import warnings

import numpy as np
import torch

from survivalgpu.errors import DeviceUnavailableError, InvalidArgumentError

_NAMES = re.compile(r"auto|cpu|cuda(:\d+)?")
_VALID = 'Use "auto", "cpu", "cuda" or "cuda:N".'


def resolve_device(name: str | torch.device | None = "auto") -> torch.device:
    """Turn a device's name into the device that will compute.

    Parameters
    ----------
    name : str, torch.device or None
        ``"auto"`` (also None): the first CUDA device, else the CPU. ``"cpu"``,
        ``"cuda"``, ``"cuda:1"``: that device or an error.

    Raises
    ------
    DeviceUnavailableError
        The device is not there, is lost to a forked process, or (``"mps"``) has no
        float64.
    InvalidArgumentError
        The name is not one of a device.
    """
    name = "auto" if name is None else str(name)
    if name == "mps" or name.startswith("mps:"):
        raise DeviceUnavailableError(
            "device",
            "Apple's mps device cannot compute in float64, which every result here needs.",
            'Use device = "cpu".',
        )
    if not _NAMES.fullmatch(name):
        raise InvalidArgumentError("device", f'there is no device "{name}".', _VALID)
    # a process forked from one that used CUDA cannot: to ask it may hang
    forked = torch.cuda._is_in_bad_fork()
    available = not forked and torch.cuda.is_available()
    if name == "cpu" or (name == "auto" and not available):
        return torch.device("cpu")
    if forked:
        raise DeviceUnavailableError(
            "device",
            f'"{name}" was asked for in a process forked from one that has used it, '
            "which CUDA does not allow.",
            'Use processes of their own (parallel::makeCluster() in R), or device = "cpu".',
        )
    if not available:
        raise DeviceUnavailableError(
            "device",
            f'"{name}" was asked for, but PyTorch finds no CUDA GPU here '
            f"(torch {torch.__version__}).",
            'Use device = "auto" or "cpu", or install a CUDA build of torch.',
        )
    index = int(name.split(":")[1]) if ":" in name else 0
    if index >= torch.cuda.device_count():
        raise DeviceUnavailableError(
            "device",
            f'"{name}" was asked for, but there are {torch.cuda.device_count()} CUDA GPU(s) here.',
            "CUDA devices are numbered from 0.",
        )
    return torch.device("cuda", index)


def as_tensor(array: np.ndarray, device: torch.device) -> torch.Tensor:
    """View an array as a tensor where the device shares its memory, else copy it.

    Read-only memory (of R, of pandas) is shared too: the package never writes to what
    it is given.
    """
    if any(stride < 0 or stride % array.itemsize for stride in array.strides):
        # backwards in memory, or a field of a structured array
        array = np.ascontiguousarray(array)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*not writable.*", category=UserWarning)
        return torch.from_numpy(array).to(device)
