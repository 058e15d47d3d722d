"""Newton-Raphson by survival's rules, for ``B`` problems at once.

survival fits right-censored and ``(start, stop]`` data by two routines whose stopping
rules differ in small things: what counts as converged during step halving, what is
returned when the iterations run out. Both are followed here, so that ``iter``,
``loglik`` and the coefficients agree with survival's to rounding. A problem that has
stopped is left out of later evaluations.

Notation as in Therneau and Grambsch (2000), *Modeling Survival Data*, section 3.1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from survivalgpu.cholesky import GeneralisedCholesky, generalised_cholesky

CONVERGED, RAN_OUT, NOT_FINITE, NO_ITERATIONS = "converged", "ran out", "not finite", "start only"

Evaluate = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class NewtonControl:
    """Numerical options, those of ``survival::coxph.control``.

    Attributes
    ----------
    iter_max : int
        Largest number of iterations; 0 evaluates at the start only.
    eps : float
        Converged when ``|1 - loglik_before / loglik| <= eps``.
    toler_chol : float
        Pivots below this share of the largest diagonal element are singular.
    """

    iter_max: int = 20
    eps: float = 1e-9
    toler_chol: float = float(np.finfo(float).eps) ** 0.75


@dataclass(frozen=True)
class NewtonResult:
    """Where each of the ``B`` problems stopped.

    Attributes
    ----------
    beta : ndarray
        ``(B, p)``.
    loglik : ndarray
        ``(B, 2)``, at the start and at the end.
    score_vector : ndarray
        ``(B, p)`` at the end.
    variance : ndarray
        ``(B, p, p)`` inverse information; zero for redundant columns.
    information : ndarray
        ``(B, p, p)`` at the end.
    score_test : ndarray
        ``(B,)`` at the start.
    iterations : ndarray
        ``(B,)`` int, counted as survival counts them.
    rank : ndarray
        ``(B,)`` int rank of the information matrix: at the end (right-censored) or at
        the start (``(start, stop]``), as survival reports it.
    halvings : ndarray
        ``(B,)`` int number of halved steps.
    halving : ndarray
        ``(B,)`` bool, whether the last step was a halved one.
    status : ndarray
        ``(B,)`` of str: "converged", "ran out", "not finite" or "start only".
    """

    beta: np.ndarray
    loglik: np.ndarray
    score_vector: np.ndarray
    variance: np.ndarray
    information: np.ndarray
    score_test: np.ndarray
    iterations: np.ndarray
    rank: np.ndarray
    halvings: np.ndarray
    halving: np.ndarray
    status: np.ndarray


@dataclass(frozen=True)
class _Evaluated:
    """One evaluation of some of the problems, its information factored."""

    problems: np.ndarray
    loglik: np.ndarray
    score: np.ndarray
    information: np.ndarray
    factors: GeneralisedCholesky

    def everyone(self) -> np.ndarray:
        return np.ones(self.problems.size, dtype=bool)


class _Problems:
    """State of all problems; ``trial`` is evaluated next, ``best`` was the last good one."""

    def __init__(self, start: np.ndarray) -> None:
        n_problems, p = start.shape
        self.trial = start.copy()
        self.best = start.copy()
        self.loglik = np.zeros((n_problems, 2))
        self.score = np.zeros((n_problems, p))
        self.variance = np.zeros((n_problems, p, p))
        self.information = np.zeros((n_problems, p, p))
        self.score_test = np.zeros(n_problems)
        self.iterations = np.zeros(n_problems, dtype=int)
        self.rank = np.zeros(n_problems, dtype=int)
        self.halving = np.zeros(n_problems, dtype=int)
        self.halvings = np.zeros(n_problems, dtype=int)
        self.status = np.full(n_problems, "", dtype=object)

    def running(self) -> np.ndarray:
        return np.flatnonzero(self.status == "")

    def stop(self, mask: np.ndarray, status: str, at: _Evaluated) -> None:
        """Record the end of the problems that ``mask`` picks from this evaluation."""
        if not mask.any():
            return
        which = at.problems[mask]
        self.status[which] = status
        self.score[which] = at.score[mask]
        self.information[which] = at.information[mask]
        self.variance[which] = at.factors.select(mask).inverse()

    def accept(self, mask: np.ndarray, at: _Evaluated) -> None:
        """Take the trial of some problems as their best log-likelihood so far."""
        self.loglik[at.problems[mask], 1] = at.loglik[mask]

    def step(self, mask: np.ndarray, at: _Evaluated) -> None:
        """Make the trial of some problems the best and take a full Newton step from it."""
        if not mask.any():
            return
        which = at.problems[mask]
        self.best[which] = self.trial[which]
        self.trial[which] = self.best[which] + at.factors.select(mask).solve(at.score[mask])
        self.halving[which] = 0

    def halve(self, which: np.ndarray) -> None:
        """Draw the trial back, further each time: ``(trial + h best) / (h + 1)``."""
        if not which.size:
            return
        self.halving[which] += 1
        self.halvings[which] += 1
        h = self.halving[which, None]
        self.trial[which] = (self.trial[which] + h * self.best[which]) / (h + 1.0)

    def result(self) -> NewtonResult:
        return NewtonResult(
            beta=self.trial,
            loglik=self.loglik,
            score_vector=self.score,
            variance=self.variance,
            information=self.information,
            score_test=self.score_test,
            iterations=self.iterations,
            rank=self.rank,
            halvings=self.halvings,
            halving=self.halving > 0,
            status=self.status.astype(str),
        )


def newton(
    evaluate: Evaluate, start: np.ndarray, control: NewtonControl, counting: bool
) -> NewtonResult:
    """Maximise ``B`` log-likelihoods from ``start`` ``(B, p)``.

    Parameters
    ----------
    evaluate : callable
        Takes ``(b, p)`` coefficients and the indices ``(b,)`` of their problems; returns
        the log-likelihood ``(b,)``, score ``(b, p)`` and information ``(b, p, p)``.
    start : ndarray
        ``(B, p)`` initial values.
    control : NewtonControl
        Iterations and tolerances.
    counting : bool
        Follow survival's rules for ``(start, stop]`` data; else those for right-censored.
    """
    problems = _Problems(start)

    def evaluate_trial(which: np.ndarray) -> _Evaluated:
        loglik, score, information = evaluate(problems.trial[which], which)
        factors = generalised_cholesky(information, control.toler_chol)
        return _Evaluated(which, loglik, score, information, factors)

    with np.errstate(all="ignore"):
        _first_evaluation(problems, evaluate_trial, control)
        iterate = _iterate_counting if counting else _iterate_right
        for iteration in range(1, control.iter_max + 1):
            running = problems.running()
            if not running.size:
                break
            problems.iterations[running] = iteration
            iterate(problems, running, evaluate_trial, control)
        left = problems.running()
        if left.size:
            _return_to_best(problems, evaluate_trial)
            if not counting:
                # survival's counter stands one past the limit here
                problems.iterations[left] = control.iter_max + 1
    return problems.result()


def _first_evaluation(problems: _Problems, evaluate_trial, control: NewtonControl) -> None:
    at = evaluate_trial(problems.running())
    problems.loglik[:] = at.loglik[:, None]
    problems.rank[:] = at.factors.rank
    problems.score_test[:] = (at.score * at.factors.solve(at.score)).sum(axis=1)
    stuck = ~np.isfinite(at.loglik)
    if control.iter_max == 0:
        problems.stop(at.everyone(), NO_ITERATIONS, at)
        return
    problems.stop(stuck, NOT_FINITE, at)
    problems.step(~stuck, at)


def _converged(problems: _Problems, at: _Evaluated, eps: float) -> np.ndarray:
    return np.abs(1.0 - problems.loglik[at.problems, 1] / at.loglik) <= eps


def _iterate_right(problems, running, evaluate_trial, control) -> None:
    """One iteration by the rules for right-censored data."""
    at = evaluate_trial(running)
    problems.rank[running] = at.factors.rank
    finite = (
        np.isfinite(at.score).all(axis=1)
        & np.isfinite(at.information).all(axis=(1, 2))
        & np.isfinite(at.loglik)
    )
    done = finite & _converged(problems, at, control.eps)
    worse = ~done & (~finite | (at.loglik < problems.loglik[running, 1]))
    better = ~done & ~worse
    problems.accept(done | better, at)
    problems.stop(done, CONVERGED, at)
    problems.halve(running[worse])
    if control.iter_max == 1:
        # survival does not evaluate again after a single iteration
        problems.stop(~done, RAN_OUT, at)
        problems.trial[running[worse]] = problems.best[running[worse]]
        problems.iterations[running[~done]] += 1
        return
    problems.step(better, at)


def _iterate_counting(problems, running, evaluate_trial, control) -> None:
    """One iteration by the rules for ``(start, stop]`` data."""
    at = evaluate_trial(running)
    diagonal = np.diagonal(at.information, axis1=1, axis2=2)
    failed = (
        ~np.isfinite(diagonal).all(axis=1)
        | ~np.isfinite(at.loglik)
        | (at.factors.rank != problems.rank[running])
    )
    done = ~failed & (problems.halving[running] == 0) & _converged(problems, at, control.eps)
    problems.accept(done, at)
    problems.stop(done, CONVERGED, at)
    if problems.iterations[running].max() == control.iter_max:
        _keep_last_trial(problems, at, ~done, control)
        return
    worse = ~done & (failed | (at.loglik < problems.loglik[running, 1]))
    better = ~done & ~worse
    problems.accept(better, at)
    problems.halve(running[worse])
    problems.step(better, at)


def _keep_last_trial(problems, at: _Evaluated, left: np.ndarray, control: NewtonControl) -> None:
    """Out of iterations: end at the last trial unless an earlier one was clearly better."""
    best = problems.loglik[at.problems, 1]
    worse = (control.iter_max > 1) & ((at.loglik - best) / np.abs(best) < -control.eps)
    problems.accept(left & ~worse, at)
    problems.stop(left & ~worse, RAN_OUT, at)


def _return_to_best(problems: _Problems, evaluate_trial) -> None:
    """Out of iterations: end at the best coefficients so far, evaluated once more."""
    running = problems.running()
    problems.trial[running] = problems.best[running]
    at = evaluate_trial(running)
    problems.accept(at.everyone(), at)
    problems.stop(at.everyone(), RAN_OUT, at)
