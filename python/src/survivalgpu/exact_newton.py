"""Newton-Raphson by survival's rules for the exact partial likelihood.

They differ from those of the other fits (:mod:`survivalgpu.newton`) in the halving of
steps, which always goes half-way back, and in what is kept when the iterations run out.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from survivalgpu.cholesky import GeneralisedCholesky, generalised_cholesky
from survivalgpu.newton import (
    CONVERGED,
    NO_ITERATIONS,
    NOT_FINITE,
    RAN_OUT,
    NewtonControl,
    NewtonResult,
)

Evaluate = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray]]


class _Point:
    """The likelihood at one ``(1, p)`` parameter vector, its information factored."""

    def __init__(self, evaluate: Evaluate, beta: np.ndarray, toler_chol: float) -> None:
        loglik, self.score, self.information = evaluate(beta)
        self.beta, self.loglik = beta, loglik[0]
        self.factors: GeneralisedCholesky = generalised_cholesky(self.information, toler_chol)

    def is_finite(self) -> bool:
        return bool(
            np.isfinite(self.loglik)
            and np.isfinite(self.score).all()
            and np.isfinite(self.information).all()
        )

    def step(self) -> np.ndarray:
        return self.factors.solve(self.score)


def newton_exact(
    evaluate: Evaluate, start: np.ndarray, control: NewtonControl, counting: bool
) -> NewtonResult:
    """Maximise one exact log-likelihood from ``start`` ``(1, p)``.

    Parameters
    ----------
    evaluate : callable
        Takes ``(1, p)`` coefficients; returns log-likelihood ``(1,)``, score ``(1, p)``
        and information ``(1, p, p)``.
    start : ndarray
        ``(1, p)`` initial values.
    control : NewtonControl
        Iterations and tolerances.
    counting : bool
        Follow survival's rules for ``(start, stop]`` data; else those for right-censored.
    """
    with np.errstate(all="ignore"):
        first = _Point(evaluate, start, control.toler_chol)
        if control.iter_max == 0:
            return _result(first, first, 0, 0, NO_ITERATIONS)
        if not np.isfinite(first.loglik):
            return _result(first, first, 0, 0, NOT_FINITE)
        best, trial, halving, halvings = first, start + first.step(), False, 0
        for iteration in range(1, control.iter_max + 1):
            at = _Point(evaluate, trial, control.toler_chol)
            if at.is_finite() and abs(1.0 - best.loglik / at.loglik) <= control.eps:
                return _result(first, at, iteration, halvings, CONVERGED, halving)
            if iteration == control.iter_max:
                # survival ends at the last trial in one routine, and in the other only
                # where there was no other
                end = at if counting or control.iter_max == 1 else best
                return _result(first, end, iteration, halvings, RAN_OUT, halving)
            if not at.is_finite() or at.loglik < best.loglik:
                halving, halvings = True, halvings + 1
                trial = (trial + best.beta) / 2.0
            else:
                best, halving = at, False
                trial = at.beta + at.step()
    raise AssertionError("the last iteration returns")


def _result(
    first: _Point,
    end: _Point,
    iterations: int,
    halvings: int,
    status: str,
    halving: bool = False,
) -> NewtonResult:
    return NewtonResult(
        beta=end.beta,
        loglik=np.array([[first.loglik, end.loglik]]),
        score_vector=end.score,
        variance=end.factors.inverse(),
        information=end.information,
        score_test=(first.score * first.step()).sum(axis=1),
        iterations=np.array([iterations]),
        rank=end.factors.rank,
        halvings=np.array([halvings]),
        halving=np.array([halving]),
        status=np.array([status]),
    )
