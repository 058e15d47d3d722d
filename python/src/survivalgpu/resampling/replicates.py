"""Fits of many resamples of one data set at once.

A replicate of the bootstrap gives every subject a weight. Where the weights are numbers of
copies, a fit equals the one of the data frame with the drawn subjects' rows repeated: under
Efron's rule a subject drawn twice is two tied events. Other weights (Rubin 1981, Annals of
Statistics 9:130) multiply the case weights and leave ties alone.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import torch

from survivalgpu.cholesky import GeneralisedCholesky, generalised_cholesky
from survivalgpu.convergence import still_moving
from survivalgpu.coxph import CoxData, sorted_problem
from survivalgpu.kernels import n_threads
from survivalgpu.newton import CONVERGED, NOT_FINITE, RAN_OUT, NewtonControl, NewtonResult, newton
from survivalgpu.partial_likelihood import PartialLikelihood
from survivalgpu.resampling.chord_steps import climb
from survivalgpu.resampling.compiled_replicates import CompiledReplicates
from survivalgpu.resampling.merged_rows import merge_neighbours
from survivalgpu.resampling.replicate_likelihood import ReplicateLikelihood, most_problems
from survivalgpu.threads import threads_for

INFINITE, SINGULAR, NO_EVENTS = "infinite", "singular", "no events"

# Replicates are computed in batches of about so many rows, so that progress can be shown
# and a batch be interrupted.
_BATCH_ROWS = {"cpu": 3e8, "cuda": 2e9}
_MOST_REPLICATES = 4096
# An estimate at which the information is this share of that at 0 is on its way to infinity.
_FLAT = 1e-6


@dataclass(frozen=True)
class ReplicateFits:
    """The fits of ``B`` replicates.

    Attributes
    ----------
    coefficients : ndarray
        ``(B, p)``; NaN where the replicate did not converge, and in columns that are
        redundant in the full sample.
    loglik : ndarray
        ``(B,)`` log-likelihood where the iterations stopped; NaN without events.
    iterations : ndarray
        ``(B,)`` int.
    status : ndarray
        ``(B,)`` of str: "converged", "ran out" (of iterations), "infinite" (a coefficient, by
        survival's rule), "singular" (other columns are redundant than in the full
        sample), "no events" or "not finite".
    """

    coefficients: np.ndarray
    loglik: np.ndarray
    iterations: np.ndarray
    status: np.ndarray


class Replicates:
    """One data set, to be fitted under many sets of weights of its subjects.

    Parameters
    ----------
    data : CoxData
        The rows; one set of case weights at most.
    subjects : ndarray
        ``(n,)`` int subject of each row, numbered from 0 in order of first appearance.
    ties : {"efron", "breslow"}
        Treatment of tied event times.
    control : NewtonControl
        survival's options, for replicates that need its own iterations.
    start : ndarray
        ``(p,)`` coefficients of the full sample; NaN in redundant columns.
    uncentred : ndarray, optional
        ``(p,)`` bool, as of :func:`survivalgpu.coxph.fit_coxph`.
    compiled : bool
        Take the compiled kernels on the CPU where they can do it.
    """

    def __init__(
        self,
        data: CoxData,
        subjects: np.ndarray,
        ties: str,
        control: NewtonControl,
        start: np.ndarray,
        uncentred: np.ndarray | None = None,
        compiled: bool = True,
    ) -> None:
        subjects = np.asarray(subjects, dtype=np.int64)
        self.n_subjects = int(subjects.max()) + 1
        self._control, self._ties = control, ties
        self._n_elements = data.x.numel()
        with threads_for(self._n_elements), np.errstate(all="ignore"):
            data, subjects = merge_neighbours(data, subjects)
            self._risk_sets, self._design = sorted_problem(data, uncentred)
            order = self._risk_sets.order
            self._subject_of_row = torch.as_tensor(subjects, device=order.device)[order]
            self._scale = self._design.scale.cpu().numpy()
            start = np.nan_to_num(np.asarray(start, dtype=np.float64), nan=0.0)
            self._start, self._full = self._full_sample(start / self._scale, compiled)
            self._kept = self._full.pivots[0] != 0
            self._compiled = None
            if compiled and CompiledReplicates.suits(self._design):
                self._compiled = CompiledReplicates(
                    self._risk_sets, self._design, ties, self._subject_of_row
                )

    def _full_sample(
        self, start: np.ndarray, compiled: bool
    ) -> tuple[np.ndarray, GeneralisedCholesky]:
        """Where replicates start, and the full sample's information there, factored.

        Where the full sample has no maximum, its estimate is a place so far out that neither
        score nor information has digits left; replicates then start from 0.
        """
        likelihood = PartialLikelihood(self._risk_sets, self._design, self._ties, compiled=compiled)

        def information(beta: np.ndarray) -> np.ndarray:
            at = likelihood.evaluate(torch.as_tensor(beta[None], device=self._design.x1.device))
            return at.information.cpu().numpy()

        here, at_zero = information(start), information(np.zeros_like(start))
        left = np.diagonal(here[0]) / np.diagonal(at_zero[0])
        if (left < _FLAT).any():
            start, here = np.zeros_like(start), at_zero
        return start, generalised_cholesky(here, self._control.toler_chol)

    def batch_size(self) -> int:
        """Number of replicates that fit the free memory and end within about a second."""
        rows, device = max(self._risk_sets.n_used, 1), self._design.x1.device.type
        most = min(int(_BATCH_ROWS.get(device, _BATCH_ROWS["cpu"]) / rows), _MOST_REPLICATES)
        if self._compiled is None:
            most = min(most, most_problems(self._risk_sets, self._design))
            return max(1, most)
        most = min(most, self._compiled.most_problems(self.n_subjects))
        # every thread takes as many of the kernel's eights
        step = 8 * n_threads()
        return max(step, most // step * step)

    def fit(self, weights: np.ndarray, copies: bool) -> ReplicateFits:
        """Fit every replicate; out of memory, half of them at a time.

        Parameters
        ----------
        weights : ndarray
            ``(n_subjects, B)`` weight of each subject, 0 or more.
        copies : bool
            Whether they are whole numbers of copies; otherwise they multiply the case
            weights.
        """
        weights = np.asarray(weights)
        try:
            with threads_for(self._n_elements * weights.shape[1]):
                return self._fit_batch(weights, copies)
        except (MemoryError, RuntimeError) as error:
            if weights.shape[1] < 2 or not _out_of_memory(error):
                raise
        # out of the handler, whose traceback holds on to the failed batch's memory
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        half = weights.shape[1] // 2
        return _joined(self.fit(weights[:, :half], copies), self.fit(weights[:, half:], copies))

    def _fit_batch(self, weights: np.ndarray, copies: bool) -> ReplicateFits:
        likelihood = ReplicateLikelihood(
            self._risk_sets,
            self._design,
            self._ties,
            self._subject_of_row,
            weights,
            copies,
            self._compiled,
        )
        n_problems, p = weights.shape[1], self._start.size
        outcome = _Outcome(n_problems, p)
        share = likelihood.event_share()
        some = np.flatnonzero(share > 0)
        start = np.broadcast_to(self._start, (some.size, p))
        first = GeneralisedCholesky(
            np.broadcast_to(self._full.factor, (some.size, p, p)),
            self._full.pivots * share[some, None],
            np.empty(0),
        )
        stuck = self._climb(likelihood, outcome, some, start, first)
        if stuck.size:
            self._climb_by_survivals_rules(likelihood, outcome, stuck)
        fits = outcome.fits()
        fits.coefficients[:] *= self._scale
        fits.coefficients[:, ~self._kept] = np.nan
        return fits

    def _climb(
        self,
        likelihood: ReplicateLikelihood,
        outcome: _Outcome,
        which: np.ndarray,
        start: np.ndarray,
        first: GeneralisedCholesky | None,
    ) -> np.ndarray:
        """Fit some replicates; returns those that are left."""

        def evaluate(beta: np.ndarray, problems: np.ndarray, information: bool):
            return likelihood.evaluate(beta, which[problems], information)

        climbed = climb(evaluate, start, first, self._kept, self._control.toler_chol)
        done = climbed.settled
        outcome.add(which[done], climbed.beta[done], climbed.loglik[done], CONVERGED)
        outcome.iterations[which] += climbed.iterations
        return which[~done]

    def _climb_by_survivals_rules(
        self, likelihood: ReplicateLikelihood, outcome: _Outcome, which: np.ndarray
    ) -> None:
        """Fit replicates that need them, from the full sample's estimate and then from 0."""
        starts = np.broadcast_to(self._start, (which.size, self._start.size))
        left = self._by_survivals_rules(likelihood, outcome, which, starts)
        if left.size:
            zeros = np.zeros((left.size, self._start.size))
            self._by_survivals_rules(likelihood, outcome, left, zeros)

    def _by_survivals_rules(
        self,
        likelihood: ReplicateLikelihood,
        outcome: _Outcome,
        which: np.ndarray,
        starts: np.ndarray,
    ) -> np.ndarray:
        """Fit by survival's rules; returns those that got nowhere from these starts."""
        counting = self._risk_sets.counting

        def evaluate(beta: np.ndarray, problems: np.ndarray):
            return likelihood.evaluate(beta, which[problems], True)

        result = newton(evaluate, starts, self._control, counting)
        status = np.array([self._status(result, b, counting) for b in range(which.size)])
        outcome.iterations[which] = result.iterations
        for b, problem in enumerate(which):
            outcome.add(problem, result.beta[b], result.loglik[b, 1], status[b])
        # survival stops early for our purposes
        polished = np.flatnonzero(status == CONVERGED)
        if polished.size:
            self._climb(likelihood, outcome, which[polished], result.beta[polished], None)
        return which[(status == RAN_OUT) | (status == NOT_FINITE)]

    def _status(self, result: NewtonResult, b: int, counting: bool) -> str:
        """How a replicate ended that was fitted by survival's rules."""
        if result.status[b] != CONVERGED:
            return RAN_OUT if result.status[b] == RAN_OUT else NOT_FINITE
        if ((result.variance[b].diagonal() != 0) != self._kept).any():
            return SINGULAR
        # the rule is one for coefficients of the covariates as they are
        moving = still_moving(
            result.beta[b] * self._scale,
            result.score_vector[b] / self._scale,
            result.variance[b] * self._scale[:, None] * self._scale,
            self._control.eps,
            counting,
        )
        return INFINITE if moving.any() else CONVERGED


class _Outcome:
    """What is known of each replicate so far."""

    def __init__(self, n_problems: int, p: int) -> None:
        self.coefficients = np.full((n_problems, p), np.nan)
        self.loglik = np.full(n_problems, np.nan)
        self.iterations = np.zeros(n_problems, dtype=int)
        self.status = np.full(n_problems, NO_EVENTS, dtype=object)

    def add(self, which, beta: np.ndarray, loglik: np.ndarray, status: str) -> None:
        """Record the end of some replicates."""
        self.coefficients[which] = beta if status == CONVERGED else np.nan
        self.loglik[which] = loglik
        self.status[which] = status

    def fits(self) -> ReplicateFits:
        return ReplicateFits(
            self.coefficients, self.loglik, self.iterations, self.status.astype(str)
        )


def _out_of_memory(error: Exception) -> bool:
    """Whether memory ran out: PyTorch's error on the CPU is a plain RuntimeError."""
    kinds = MemoryError, torch.cuda.OutOfMemoryError
    return isinstance(error, kinds) or "allocate memory" in str(error)


def _joined(first: ReplicateFits, second: ReplicateFits) -> ReplicateFits:
    parts = [(getattr(first, f.name), getattr(second, f.name)) for f in fields(ReplicateFits)]
    return ReplicateFits(*[np.concatenate(pair) for pair in parts])
