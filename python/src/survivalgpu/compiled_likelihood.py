"""The partial likelihood of one problem by the compiled kernels.

The kernels (``src/right_censored.c``, ``src/counting.c``) follow the formulas of
:mod:`survivalgpu.partial_likelihood` in fused passes over blocks of rows that stay in the
processor's cache. Rare inputs that need another route, where risks span more than the
kernels' arithmetic, are recognised here and left to PyTorch.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

import torch
from torch import Tensor

from survivalgpu.design import Design
from survivalgpu.kernels import check, kernels_for, n_threads, pointer
from survivalgpu.memory import empty, zeros
from survivalgpu.risk_sets import RiskSets
from survivalgpu.sorting import sort_keys
from survivalgpu.sparse import offsets_from_counts

# Beyond this many columns a matrix product of the processor's own library is faster.
_MOST_COVARIATES = 256
# survival recentres the linear predictor of (start, stop] data beyond this.
_LARGEST_PREDICTOR = 200.0
# A risk set's total below this has no reciprocal.
_SMALLEST_TOTAL = 1e-300
# Beyond this ratio of totals the sums of (start, stop] data may lose digits.
_LARGEST_SPREAD = 2.0**40

_EVENT_TABLES = ("hazard_means", "event_means", "spared_means")


class _Data(ctypes.Structure):
    """``CoxData`` of src/cox.h."""

    _fields_ = (
        *[(name, ctypes.c_int64) for name in ("n", "p", "n_groups", "n_times")],
        *[
            (name, ctypes.c_void_p)
            for name in (
                "x1",
                "offset",
                "weights",
                "group_offsets",
                "group_lo",
                "group_hi",
                "event_offsets",
                "event_rows",
                "event_strata",
                "last_offsets",
                "last_groups",
                "first_offsets",
                "first_groups",
            )
        ],
        ("efron", ctypes.c_int64),
        ("n_threads", ctypes.c_int64),
    )


class _Result(ctypes.Structure):
    """``CoxResult`` of src/cox.h."""

    _fields_ = (
        *[
            (name, ctypes.c_void_p)
            for name in (
                "risk",
                "cumulative",
                "spared",
                "score",
                "second",
                "outer",
                "group_sums",
                "changes",
                "hazard_means",
                "event_means",
                "spared_means",
            )
        ],
        *[(name, ctypes.c_double) for name in ("log_terms", "largest", "smallest", "spread")],
    )


@dataclass(frozen=True)
class RiskSums:
    """One evaluation without the events' own covariates.

    Attributes
    ----------
    log_terms : float
        ``sum_k (W/d) sum_l log den_kl``.
    score : Tensor
        ``(p,)``, minus the sum over event times of the mean covariates.
    second_moment : Tensor
        ``(p, p)``, ``X' diag(w r Lambda) X``.
    outer : Tensor
        ``(p, p)``, what the means of the risk sets take from it.
    """

    log_terms: float
    score: Tensor
    second_moment: Tensor
    outer: Tensor


class CompiledLikelihood:
    """Evaluates one data set; owns the memory its kernels write to.

    Parameters
    ----------
    risk_sets : RiskSets
        Who is at risk when.
    design : Design
        Covariates in the order of ``risk_sets``; one set of case weights at most.
    ties : {"efron", "breslow"}
        Treatment of tied event times.
    event_tables : bool
        Keep, of each evaluation, what :meth:`score_residuals` needs by event time, instead
        of the second moments.
    """

    def __init__(
        self, risk_sets: RiskSets, design: Design, ties: str, event_tables: bool = False
    ) -> None:
        self._kernels = kernels_for(design.x1)
        self._risk_sets, self._design = risk_sets, design
        n, n_times, p = risk_sets.n_used, risk_sets.n_event_times, design.n_covariates
        new = empty
        self._outputs = {
            "risk": new(n),
            "cumulative": new(risk_sets.n_groups),
            "spared": new(n_times),
            "score": new(p),
            "second": new(p, p),
            "outer": new(p, p),
            **(
                {"group_sums": new(risk_sets.n_groups, 1 + p), "changes": new(n_times, 1 + p, 2)}
                if risk_sets.counting
                else {}
            ),
            **({name: new(n_times, p) for name in _EVENT_TABLES} if event_tables else {}),
        }
        self._data, self._inputs = kernel_data(risk_sets, design, ties)
        self._result = _Result(**{k: pointer(v) for k, v in self._outputs.items()})
        self._last: Tensor | None = None

    @property
    def scale(self) -> Tensor:
        """``(p,)``, what the covariates of the design are multiplied by."""
        return self._design.scale

    @staticmethod
    def suits(design: Design) -> bool:
        """Whether the kernels are here, and take this design."""
        flat = design.weights is None or design.weights.ndim == 1
        shape = flat and 1 <= design.n_covariates <= _MOST_COVARIATES and design.x1.shape[0] > 0
        return shape and kernels_for(design.x1) is not None

    def evaluate(self, beta: Tensor) -> RiskSums | None:
        """Sums at ``beta`` ``(p,)``, or None where the kernels' arithmetic may not do."""
        beta = beta.contiguous()
        counting = self._risk_sets.counting
        kernel = self._kernels.cox_counting if counting else self._kernels.cox_right_censored
        self._data.n_threads = n_threads()
        self._last = None
        result = self._result
        check(kernel(ctypes.byref(self._data), pointer(beta), ctypes.byref(result)))
        if not (result.smallest >= _SMALLEST_TOTAL and result.spread <= _LARGEST_SPREAD):
            return None
        if counting and not result.largest <= _LARGEST_PREDICTOR:
            return None
        self._last = beta.clone()
        return RiskSums(
            log_terms=result.log_terms,
            score=self._outputs["score"].clone(),
            second_moment=self._outputs["second"].clone(),
            outer=self._outputs["outer"].clone(),
        )

    def martingale(self, beta: Tensor) -> Tensor | None:
        """Martingale residuals at ``beta`` in the order of the data; 0 for rows never at risk."""
        if (self._last is None or not torch.equal(self._last, beta)) and not self.evaluate(beta):
            return None
        residuals = zeros(self._risk_sets.n_rows)
        self._kernels.cox_martingale(
            ctypes.byref(self._data),
            ctypes.byref(self._result),
            pointer(self._risk_sets.order),
            pointer(residuals),
        )
        return residuals

    def score_residuals(self) -> Tensor:
        """Score residuals of the last evaluation, ``(n, p)`` on the scale of the design.

        They are in the order of the data, row-major, and 0 for rows never at risk.
        """
        residuals = zeros(self._risk_sets.n_rows, self._design.n_covariates)
        data, result = ctypes.byref(self._data), ctypes.byref(self._result)
        order = pointer(self._risk_sets.order)
        check(self._kernels.cox_score_residuals(data, result, order, pointer(residuals)))
        return residuals


def kernel_data(
    risk_sets: RiskSets, design: Design, ties: str
) -> tuple[ctypes.Structure, dict[str, Tensor | None]]:
    """``CoxData`` of src/cox.h, and the tensors that have to outlive it."""
    inputs = {
        "x1": design.x1,
        "offset": design.offset,
        "weights": design.weights,
        "group_offsets": risk_sets.group_offsets,
        "group_lo": risk_sets.group_lo,
        "group_hi": risk_sets.group_hi,
        "event_offsets": risk_sets.event_offsets,
        "event_rows": risk_sets.event_rows,
        "event_strata": risk_sets.event_strata,
        **(_groups_by_ends(risk_sets) if risk_sets.counting else {}),
    }
    data = _Data(
        n=risk_sets.n_used,
        p=design.n_covariates,
        n_groups=risk_sets.n_groups,
        n_times=risk_sets.n_event_times,
        efron=ties == "efron",
        **{name: pointer(tensor) for name, tensor in inputs.items()},
    )
    return data, inputs


def _groups_by_ends(risk_sets: RiskSets) -> dict[str, Tensor]:
    """The groups that have each event time as their last, and as their first."""
    n_times = risk_sets.n_event_times
    ends = {"last": risk_sets.group_hi - 1, "first": risk_sets.group_lo}
    tables = {}
    for name, end in ends.items():
        tables[f"{name}_groups"] = sort_keys(end, n_times)[1]
        counts = torch.bincount(end, minlength=n_times)
        tables[f"{name}_offsets"] = offsets_from_counts(counts)
    return tables
