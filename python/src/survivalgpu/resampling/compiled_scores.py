"""Score statistics of permuted covariates by the compiled kernel."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from survivalgpu.kernels import check, kernels_for, n_threads, pointer
from survivalgpu.resampling.null_scores import NullScore, chi_squares
from survivalgpu.resampling.shuffle import SubjectStrata

_TERM_POINTERS = (
    "values",
    "loads",
    "weighted_risk",
    "expected",
    "tied_risk",
    "tables",
    "sums",
    "squares",
)
_ROW_NUMBERS = (
    "n",
    "n_times",
    "n_groups",
    "n_subjects",
    "n_terms",
    "n_strata",
    "n_replicates",
    "n_threads",
)
_ROW_POINTERS = (
    "group_offsets",
    "event_strata",
    "group_lo",
    "group_hi",
    "subject_of_row",
    "offsets",
    "members",
    "donors",
    "terms",
)
# In (start, stop] data groups are taken from the risk sets that they leave: beyond this ratio
# of totals that would cost more digits than a statistic needs.
_LARGEST_SPREAD = 1e6


class _Term(ctypes.Structure):
    """``PermutedTerm`` of src/permuted_scores.c."""

    _fields_ = (
        *[(name, ctypes.c_int64) for name in ("q", "n_loads")],
        *[(name, ctypes.c_void_p) for name in _TERM_POINTERS],
    )


class _Rows(ctypes.Structure):
    """``PermutedRows`` of src/permuted_scores.c."""

    _fields_ = (
        *[(name, ctypes.c_int64) for name in _ROW_NUMBERS],
        *[(name, ctypes.c_void_p) for name in _ROW_POINTERS],
    )


class CompiledScores:
    """Score tests of some terms under permutations that all of them share.

    Parameters
    ----------
    scores : sequence of NullScore
        For which :meth:`suits` holds.
    subject_of_row : Tensor
        ``(n_used,)`` int64 subject of each sorted row.
    strata : SubjectStrata or None
        Within which subjects are permuted.
    """

    def __init__(
        self, scores: Sequence[NullScore], subject_of_row: Tensor, strata: SubjectStrata | None
    ) -> None:
        self._kernels = kernels_for(subject_of_row)
        self._scores, self._strata = scores, strata
        self._sets = scores[0].risks.risk_sets
        in_order = torch.equal(subject_of_row, torch.arange(subject_of_row.numel()))
        self._subject_of_row = None if in_order else subject_of_row.int()
        self._tables = [_event_tables(score) for score in scores]
        self._tied_risk = [_tied_risk(score) for score in scores]

    @staticmethod
    def suits(scores: Sequence[NullScore]) -> bool:
        """Whether the kernel can do them."""
        kernels = kernels_for(*[score.values for score in scores])
        if kernels is None or not scores[0].risks.risk_sets.counting:
            return kernels is not None
        return all(_spread(score) <= _LARGEST_SPREAD for score in scores)

    def drawn(self, base: int, first: int, number: int) -> np.ndarray:
        """Statistics ``(number, T)`` of replicates ``first`` and following."""
        return self._run(base, first, number, None)

    def given(self, donors: Tensor) -> np.ndarray:
        """Statistics ``(B, T)`` of the permutations ``donors`` ``(B, m)``."""
        donors = donors.int().contiguous()
        return self._run(0, 0, donors.shape[0], donors)

    def _run(self, base: int, first: int, number: int, donors: Tensor | None) -> np.ndarray:
        outputs = []
        for score in self._scores:
            q, n_loads = score.values.shape[1], score.loads.shape[1]
            outputs.append([score.values.new_empty(number, q, k) for k in (n_loads, q)])
        terms = (_Term * len(self._scores))(
            *[self._term(t, *outputs[t]) for t in range(len(self._scores))]
        )
        sets, strata = self._sets, self._strata
        rows = _Rows(
            n=sets.n_used,
            n_times=sets.n_event_times,
            n_groups=sets.n_groups,
            n_subjects=self._scores[0].values.shape[0],
            n_terms=len(self._scores),
            n_strata=0 if strata is None else strata.n_strata,
            n_replicates=number,
            n_threads=n_threads(),
            group_offsets=pointer(sets.group_offsets),
            event_strata=pointer(sets.event_strata),
            group_lo=pointer(sets.group_lo) if sets.counting else None,
            group_hi=pointer(sets.group_hi) if sets.counting else None,
            subject_of_row=pointer(self._subject_of_row),
            offsets=None if strata is None else pointer(strata.offsets),
            members=None if strata is None else pointer(strata.members),
            donors=pointer(donors),
            terms=ctypes.addressof(terms),
        )
        check(self._kernels.permuted_scores(ctypes.addressof(rows), base, first))
        columns = [chi_squares(sums.numpy(), squares.numpy()) for sums, squares in outputs]
        return np.stack(columns, axis=1)

    def _term(self, t: int, sums: Tensor, squares: Tensor) -> _Term:
        score = self._scores[t]
        arrays = {
            "values": score.values,
            "loads": score.loads,
            "weighted_risk": score.risks.weighted_risk,
            "expected": score.expected,
            "tied_risk": self._tied_risk[t],
            "tables": self._tables[t],
            "sums": sums,
            "squares": squares,
        }
        addresses = {name: pointer(array) for name, array in arrays.items()}
        return _Term(q=score.values.shape[1], n_loads=score.loads.shape[1], **addresses)


def _spread(score: NullScore) -> float:
    """Largest ratio of the total risks of two risk sets of one stratum."""
    sets, total = score.risks.risk_sets, score.risks.total[:, 0]
    largest = total.new_zeros(sets.n_strata)
    least = torch.full_like(largest, torch.inf)
    largest.scatter_reduce_(0, sets.event_strata, total, "amax")
    least.scatter_reduce_(0, sets.event_strata, total, "amin")
    return float((largest / least).max())


def _event_tables(score: NullScore) -> Tensor:
    """``1 / S0``, ``a``, ``b``, ``c`` by event time, ``(K, 4)``."""
    risks, hazards = score.risks, score.risks.hazards
    table = torch.zeros(risks.total.numel(), 4, dtype=torch.float64)
    table[:, 0], table[:, 1] = 1.0 / risks.total[:, 0], hazards.a[:, 0]
    tied_k = risks.ties.tied_k
    if tied_k.numel():
        table[tied_k, 2], table[tied_k, 3] = hazards.b[:, 0], hazards.c[:, 0]
    return table


def _tied_risk(score: NullScore) -> Tensor | None:
    """Weighted risk of the tied events among the sorted rows, else 0; None without ties."""
    rows = score.risks.ties.rows
    if not rows.numel():
        return None
    tied = torch.zeros_like(score.expected)
    tied[rows] = score.risks.weighted_risk[rows, 0]
    return tied
