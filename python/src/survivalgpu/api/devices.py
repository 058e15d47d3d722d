"""Devices and the state of the installation for R."""

from __future__ import annotations

import platform
import sys
from typing import Any

import numpy as np

from survivalgpu.api.boundary import plain
from survivalgpu.dependencies import require_torch
from survivalgpu.errors import MissingTorchError


@plain
def resolve_device(name: str) -> dict[str, Any]:
    """Name the device that would compute, and whether ``"auto"`` fell back to the CPU."""
    from survivalgpu.device import resolve_device as resolve

    device = resolve(name)
    return {"device": str(device), "fell_back": name == "auto" and device.type == "cpu"}


def device_report() -> dict[str, Any]:
    """Describe Python, PyTorch and the devices; works without PyTorch."""
    report: dict[str, Any] = {
        "python": platform.python_version(),
        "executable": sys.executable,
        "numpy": np.__version__,
        "torch": None,
        "torch_error": None,
        "cuda": False,
        "cuda_devices": [],
        "mps": False,
        "threads": None,
        "libraries": [],
    }
    try:
        require_torch()
    except MissingTorchError as error:
        report["torch_error"] = error.found
        return report
    import torch

    report["torch"] = str(torch.__version__)
    report["cuda"] = bool(torch.cuda.is_available())
    report["cuda_version"] = torch.version.cuda
    report["cuda_devices"] = [_describe_gpu(i) for i in range(torch.cuda.device_count())]
    report["mps"] = bool(torch.backends.mps.is_available())
    report["threads"] = torch.get_num_threads()
    lines = torch.__config__.parallel_info().splitlines()
    wanted = ("OpenMP", "MKL", "Intel(R)", "ATen parallel backend")
    report["libraries"] = [line.strip() for line in lines if any(w in line for w in wanted)]
    return report


def _describe_gpu(index: int) -> dict[str, Any]:
    import torch

    free, total = torch.cuda.mem_get_info(index)
    return {
        "name": torch.cuda.get_device_name(index),
        "total_memory": float(total),
        "free_memory": float(free),
    }
