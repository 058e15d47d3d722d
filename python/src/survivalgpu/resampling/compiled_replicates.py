"""The partial likelihood under many sets of weights by the compiled kernel.

The kernel (``src/resampled_cox.c``) carries several sets of weights at a time over all rows.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from survivalgpu.compiled_likelihood import CompiledLikelihood, kernel_data
from survivalgpu.design import Design
from survivalgpu.kernels import check, compiled_kernels, n_threads, pointer
from survivalgpu.risk_sets import RiskSets

_SIDE_BY_SIDE = 8
# Subjects that are packed at once, in the processor's cache.
_PACKED_ROWS = 1024
# Bytes that the weights of a batch may take.
_MEMORY = 600e6
_MOST_COPIES = 255
_OUTPUTS = ("loglik", "score", "information", "sound")


class _Resampled(ctypes.Structure):
    """``Resampled`` of src/resampled_cox.h."""

    _fields_ = (
        ("data", ctypes.c_void_p),
        ("subject", ctypes.c_void_p),
        ("is_event", ctypes.c_void_p),
        ("n_subjects", ctypes.c_int64),
        ("n_tasks", ctypes.c_int64),
        ("bytes", ctypes.c_void_p),
        ("doubles", ctypes.c_void_p),
        ("copies", ctypes.c_int64),
        ("beta", ctypes.c_void_p),
        *[(name, ctypes.c_void_p) for name in _OUTPUTS],
        ("memory", ctypes.c_void_p),
        ("memory_size", ctypes.c_int64),
        ("next", ctypes.c_int64),
    )


@dataclass(frozen=True)
class _Packed:
    """Weights of some problems, ``(tasks, n_subjects, 8)``, and each problem's place."""

    weights: np.ndarray
    place: np.ndarray
    n_problems: int


class CompiledReplicates:
    """Evaluates one data set under many sets of weights.

    Parameters
    ----------
    risk_sets : RiskSets
        Who is at risk when.
    design : Design
        Covariates in the order of ``risk_sets``, with one set of case weights at most.
    ties : {"efron", "breslow"}
        Treatment of tied event times.
    subject_of_row : Tensor
        ``(n_used,)`` subject of each sorted row.
    """

    def __init__(
        self, risk_sets: RiskSets, design: Design, ties: str, subject_of_row: Tensor
    ) -> None:
        self.n_covariates = design.n_covariates
        self._data, self._inputs = kernel_data(risk_sets, design, ties)
        self._subject = subject_of_row.to(torch.int32)
        self._is_event = torch.zeros(risk_sets.n_used, dtype=torch.uint8)
        self._is_event[risk_sets.event_rows] = 1

    @staticmethod
    def most_problems(n_subjects: int) -> int:
        """Number of sets of weights that fit the memory: as they come, and packed."""
        return int(_MEMORY / (3 * 8 * n_subjects))

    @staticmethod
    def suits(design: Design) -> bool:
        """Whether the kernel is here, and takes this design."""
        return CompiledLikelihood.suits(design)

    def evaluate(
        self, packed: _Packed, copies: bool, beta: np.ndarray, information: bool
    ) -> dict[str, np.ndarray | None]:
        """Evaluate all packed problems at ``(tasks * 8, p)`` coefficients.

        Returns
        -------
        dict
            ``loglik`` ``(b,)``, ``score`` ``(b, p)``, ``information`` ``(b, p, p)`` or None,
            and ``sound`` ``(b,)``: whether the kernel's arithmetic was good enough.
        """
        n_tasks, n_subjects = packed.weights.shape[:2]
        n, p = beta.shape
        out = {
            "loglik": np.empty(n),
            "score": np.empty((n, p)),
            "information": np.empty((n, p, p)) if information else None,
            "sound": np.empty(n, dtype=bool),
        }
        kind = "bytes" if packed.weights.dtype == np.uint8 else "doubles"
        self._data.n_threads = n_threads()
        job = _Resampled(
            data=ctypes.addressof(self._data),
            subject=pointer(self._subject),
            is_event=pointer(self._is_event),
            n_subjects=n_subjects,
            n_tasks=n_tasks,
            copies=copies,
            beta=beta.ctypes.data,
            **{kind: packed.weights.ctypes.data},
            **{name: None if a is None else a.ctypes.data for name, a in out.items()},
        )
        check(compiled_kernels().cox_resampled(ctypes.byref(job)))
        return out


class CompiledBatch:
    """One batch of sets of weights.

    Parameters
    ----------
    replicates : CompiledReplicates
        The data.
    weights : ndarray
        ``(n_subjects, B)``.
    copies : bool
        Whether they are numbers of copies.
    """

    def __init__(self, replicates: CompiledReplicates, weights: np.ndarray, copies: bool) -> None:
        self._replicates, self._weights, self._copies = replicates, weights, copies
        small = copies and weights.max(initial=0) <= _MOST_COPIES
        self._type = np.dtype(np.uint8 if small else np.float64)
        self._packed: _Packed | None = None

    def evaluate(
        self, beta: np.ndarray, problems: np.ndarray, information: bool
    ) -> dict[str, np.ndarray | None]:
        """Evaluate some problems ``(b,)`` at ``(b, p)``; see :class:`CompiledReplicates`."""
        packed = self._packed_for(problems)
        place = packed.place[problems]
        every = np.zeros((packed.weights.shape[0] * _SIDE_BY_SIDE, self._replicates.n_covariates))
        every[place] = beta
        out = self._replicates.evaluate(packed, self._copies, every, information)
        return {name: None if array is None else array[place] for name, array in out.items()}

    def _packed_for(self, problems: np.ndarray) -> _Packed:
        """The weights in hand if they hold these problems, and not twice as many."""
        packed = self._packed
        if (
            packed is None
            or (packed.place[problems] < 0).any()
            or packed.n_problems > 2 * max(problems.size, _SIDE_BY_SIDE)
        ):
            packed = self._packed = self._pack(problems)
        return packed

    def _pack(self, problems: np.ndarray) -> _Packed:
        n_subjects, n_all = self._weights.shape
        chosen = slice(None) if problems.size == n_all else problems
        n_tasks = -(-problems.size // _SIDE_BY_SIDE)
        # those of a subject move as one element
        eight = np.dtype((np.void, _SIDE_BY_SIDE * self._type.itemsize))
        packed = np.empty((n_tasks, n_subjects), dtype=eight)
        block = np.zeros((_PACKED_ROWS, n_tasks * _SIDE_BY_SIDE), dtype=self._type)
        for first in range(0, n_subjects, _PACKED_ROWS):
            rows = self._weights[first : first + _PACKED_ROWS]
            part = block[: rows.shape[0]]
            part[:, : problems.size] = rows[:, chosen]
            packed[:, first : first + _PACKED_ROWS] = part.view(eight).T
        weights = packed.view(self._type)
        place = np.full(n_all, -1)
        place[problems] = np.arange(problems.size)
        return _Packed(weights.reshape(n_tasks, n_subjects, _SIDE_BY_SIDE), place, problems.size)
