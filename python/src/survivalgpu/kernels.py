"""The compiled kernels of the CPU path, where this installation has them.

They are plain C (folder ``src`` of the R package), compiled when the package is installed,
and called here through ctypes, which lets other Python threads run meanwhile. Whatever
they compute has a twin in PyTorch, used on other devices and where there is no compiled
library.
"""

from __future__ import annotations

import ctypes
import functools
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

_VERSION = 3
_NAMES = {"win32": ("x64/survivalGPU.dll", "survivalGPU.dll")}.get(
    sys.platform, ("survivalGPU.so", "survivalGPU.dylib")
)

_INT, _LONG, _DOUBLE, _POINTER = ctypes.c_int, ctypes.c_int64, ctypes.c_double, ctypes.c_void_p
_SIGNATURES: dict[str, tuple[type | None, Sequence[type]]] = {
    "argsort_keys": (_INT, [_POINTER, _LONG, _LONG, _POINTER, _INT]),
    "argsort_doubles": (_INT, [_POINTER, _LONG, _POINTER, _INT]),
    "distinct_doubles": (_LONG, [_POINTER, _POINTER, _LONG, _POINTER, _INT]),
    "count_at_most": (_INT, [_POINTER, _LONG, _POINTER, _LONG, _POINTER, _INT]),
    "event_ranges": (
        _LONG,
        [*[_POINTER] * 4, _LONG, _LONG, _POINTER, _LONG, *[_POINTER] * 3, _INT],
    ),
    "sort_groups": (_LONG, [*[_POINTER] * 3, _LONG, _INT, _LONG, *[_POINTER] * 7, _INT]),
    "linear_predictors": (
        None,
        [_POINTER, *[_LONG] * 4, _POINTER, _POINTER, _DOUBLE, _POINTER, _INT],
    ),
    "column_sums": (_INT, [_POINTER, *[_LONG] * 4, _POINTER, _POINTER, _POINTER, _INT]),
    "chosen_row_sums": (_INT, [_POINTER, _LONG, _POINTER, _LONG, _POINTER, _POINTER, _INT]),
    "gather_rows": (None, [_POINTER, _LONG, _LONG, _POINTER, _LONG, _LONG, _POINTER, _INT]),
    "stratum_ranges": (None, [_POINTER, _LONG, _LONG, *[_POINTER] * 4]),
    "centre_and_scale": (None, [_POINTER, _LONG, _LONG, *[_POINTER] * 3, _INT]),
    "cox_right_censored": (_INT, [_POINTER] * 3),
    "cox_counting": (_INT, [_POINTER] * 3),
    "cox_score_residuals": (_INT, [_POINTER] * 4),
    "add_rows_by_code": (None, [_POINTER, _LONG, _LONG, _POINTER, _POINTER]),
    "cox_resampled": (_INT, [_POINTER]),
    "cox_martingale": (None, [_POINTER] * 4),
    "weighted_squares": (_INT, [_POINTER, *[_LONG] * 3, _POINTER, _LONG, _POINTER, _INT]),
    "right_censored_sums": (None, [_POINTER, _LONG, _LONG, *[_POINTER] * 3, _LONG, _POINTER]),
    "concordance_counts": (_INT, [_POINTER] * 5),
    "exact_chains": (
        _INT,
        [_POINTER, _POINTER, *[_LONG] * 3, *[_POINTER] * 3, _LONG, *[_POINTER] * 4, _INT],
    ),
    "draw_counts": (_INT, [*[_LONG] * 4, *[_POINTER] * 4, _INT]),
    "draw_exponentials": (_INT, [*[_LONG] * 4, _POINTER, _INT]),
    "draw_permutations": (_INT, [*[_LONG] * 5, *[_POINTER] * 3, _INT]),
    "permuted_scores": (_INT, [_POINTER, _LONG, _LONG]),
    "artificial_covariates": (
        None,
        [*[_POINTER] * 5, *[_LONG] * 3, _POINTER, _POINTER, _LONG, _POINTER, _LONG, _INT],
    ),
    "rows_by_number": (None, [_POINTER, _POINTER, _LONG, _POINTER, _POINTER]),
    "baseline_increments": (
        _INT,
        [
            *[_POINTER, *[_LONG] * 4, *[_POINTER] * 6],
            *[_LONG, _POINTER, _LONG, _INT, _POINTER, _POINTER, _INT],
        ],
    ),
    "hazard_variances": (
        _INT,
        [_POINTER, *[_LONG] * 4, *[_POINTER] * 3, _LONG, *[_POINTER] * 6, _INT],
    ),
    "inversion_sums": (_INT, [*[_POINTER] * 3, _LONG, _POINTER, _POINTER, _INT]),
}


@functools.cache
def compiled_kernels() -> ctypes.CDLL | None:
    """Load the compiled kernels; None where there are none of this version."""
    here = Path(__file__).resolve()
    for folder in (here.parent, here.parents[1], here.parents[2]):
        for name in _NAMES:
            library = _load(folder / "libs" / name)
            if library is not None:
                return library
    return None


def _load(path: Path) -> ctypes.CDLL | None:
    if not path.is_file():
        return None
    try:
        library = ctypes.CDLL(str(path))
        if library.survivalgpu_kernels_version() != _VERSION:
            return None
        for name, (result, arguments) in _SIGNATURES.items():
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
    except (OSError, AttributeError):
        return None
    return library


def kernels_for(*tensors: Tensor | None) -> ctypes.CDLL | None:
    """The compiled kernels if all tensors are in the CPU's memory, else None."""
    if any(t is not None and t.device.type != "cpu" for t in tensors):
        return None
    return compiled_kernels()


def pointer(tensor: Tensor | None) -> int | None:
    """Address of a tensor's first element for a kernel; NULL for None."""
    return None if tensor is None else tensor.data_ptr()


def check(failed: int) -> None:
    """Raise where a kernel ran out of memory."""
    if failed:
        raise MemoryError("a compiled kernel could not get the memory it needs")


def n_threads() -> int:
    """Threads of the kernels: as many as PyTorch uses."""
    return torch.get_num_threads()
