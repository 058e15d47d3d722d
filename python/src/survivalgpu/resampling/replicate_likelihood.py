"""The partial likelihood under many sets of weights of the subjects."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from survivalgpu.design import Design
from survivalgpu.partial_likelihood import PartialLikelihood
from survivalgpu.resampling.compiled_replicates import CompiledBatch, CompiledReplicates
from survivalgpu.risk_sets import RiskSets

# Bytes that PyTorch may take for it on the CPU, and the share of a GPU's free memory.
_MEMORY, _SHARE_OF_FREE = 600e6, 0.6
# Tables of one evaluation that are in memory at once: of one column, and of all of them.
_TABLES_BY_ROW, _TABLES_BY_TIME = 4, 14
_SUMS_BY_GROUP, _SUMS_BY_TIME = 5, 6
_SHARE_ROWS = 1024


class ReplicateLikelihood:
    """One data set under ``B`` sets of weights.

    Parameters
    ----------
    risk_sets : RiskSets
        Who is at risk when.
    design : Design
        Covariates in the order of ``risk_sets``, with the case weights.
    ties : {"efron", "breslow"}
        Treatment of tied event times.
    subject_of_row : Tensor
        ``(n_used,)`` subject of each sorted row.
    weights : ndarray
        ``(n_subjects, B)``.
    copies : bool
        Whether the weights are numbers of copies.
    compiled : CompiledReplicates or None
        The same data for the compiled kernel; None to compute in PyTorch.
    """

    def __init__(
        self,
        risk_sets: RiskSets,
        design: Design,
        ties: str,
        subject_of_row: Tensor,
        weights: np.ndarray,
        copies: bool,
        compiled: CompiledReplicates | None = None,
    ) -> None:
        self._risk_sets, self._design, self._ties = risk_sets, design, ties
        self._subject_of_row = subject_of_row
        self._weights, self._copies = weights, copies
        self._all = np.arange(weights.shape[1])
        self._torch: PartialLikelihood | None = None
        self._compiled = None if compiled is None else CompiledBatch(compiled, weights, copies)

    def event_share(self) -> np.ndarray:
        """``(B,)`` weight of each problem's events relative to that of the full sample's."""
        rows = self._risk_sets.event_rows
        case = self._design.weights
        case = torch.ones(rows.numel()).double() if case is None else case[rows].cpu()
        subjects = self._subject_of_row[rows].cpu().numpy()
        by_subject = np.bincount(subjects, case.numpy(), self._weights.shape[0])
        some, total = np.flatnonzero(by_subject), np.zeros(self._weights.shape[1])
        for first in range(0, some.size, _SHARE_ROWS):
            rows = some[first : first + _SHARE_ROWS]
            # not a matrix product, whose threads take longer to wake
            total += np.einsum("s,sb->b", by_subject[rows], self._weights[rows])
        # in few digits: how a sum is rounded may depend on B
        return (total / by_subject.sum()).astype(np.float32).astype(np.float64)

    def evaluate(
        self, beta: np.ndarray, problems: np.ndarray, information: bool
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Log-likelihood ``(b,)``, score ``(b, p)`` and information ``(b, p, p)`` of some problems.

        Parameters
        ----------
        beta : ndarray
            ``(b, p)`` coefficients on the scale of the design.
        problems : ndarray
            ``(b,)`` int, ascending: which sets of weights.
        information : bool
            Whether the information is wanted; it is None otherwise.
        """
        if self._compiled is None:
            if self._torch is None:
                self._torch = self._likelihood(self._all)
            return _values(self._torch.restricted_to(problems), beta, information)
        at = self._compiled.evaluate(beta, problems, information)
        parts = at["loglik"], at["score"], at["information"]
        left, step = np.flatnonzero(~at["sound"]), most_problems(self._risk_sets, self._design)
        for first in range(0, left.size, max(step, 1)):
            some = left[first : first + max(step, 1)]
            exact = _values(self._likelihood(problems[some]), beta[some], information)
            for part, values in zip(parts, exact, strict=True):
                if part is not None:
                    part[some] = values
        return parts

    def _likelihood(self, problems: np.ndarray) -> PartialLikelihood:
        """PyTorch's likelihood of some problems."""
        device = self._design.x1.device
        chosen = np.ascontiguousarray(self._weights[:, problems])
        weights = torch.as_tensor(chosen).to(device)[self._subject_of_row].double()
        copies, case = weights if self._copies else None, self._design.weights
        if case is not None:
            weights = weights * case.unsqueeze(1)
        design = replace(self._design, weights=weights)
        return PartialLikelihood(self._risk_sets, design, self._ties, compiled=False, copies=copies)


def _values(
    likelihood: PartialLikelihood, beta: np.ndarray, information: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """An evaluation as arrays."""
    at = likelihood.evaluate(torch.as_tensor(beta, device=likelihood.design.x1.device), information)
    parts = at.loglik, at.score, at.information
    return tuple(None if part is None else part.cpu().numpy() for part in parts)


def most_problems(risk_sets: RiskSets, design: Design) -> int:
    """Number of sets of weights whose tables fit the memory, in PyTorch."""
    device, q = design.x1.device, design.x1.shape[1]
    bytes_free = _MEMORY
    if device.type == "cuda":
        bytes_free = _SHARE_OF_FREE * torch.cuda.mem_get_info(device)[0]
    tables = _TABLES_BY_ROW * risk_sets.n_used + _SUMS_BY_GROUP * q * risk_sets.n_groups
    tables += (_TABLES_BY_TIME + _SUMS_BY_TIME * q) * risk_sets.n_event_times
    return int(bytes_free / (8 * max(tables, 1)))
