r"""Maximise many log-likelihoods that differ little from one whose maximum is known.

Newton's method with an information matrix that is kept for as long as it serves (chord
steps). With ``u`` the score and ``I`` the information kept, the length of a step is measured
in standard errors, ``s = sqrt(u' I^{-1} u)``. Each step leaves about
``s`` times the last contraction ``s / s_before`` to go; once that is negligible the step is
taken and not looked at again. This is much stricter than survival's rule, which stops when
the log-likelihood, flat at its maximum, no longer changes.

The first step takes the information of the full sample, the second and later ones that of
the problem itself. Whatever is not plain sailing (a log-likelihood that falls, a rank that
is lost, values that are not finite, slow contraction) is left to the caller.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from survivalgpu.cholesky import GeneralisedCholesky, generalised_cholesky

Values = tuple[np.ndarray, np.ndarray, np.ndarray | None]
Evaluate = Callable[[np.ndarray, np.ndarray, bool], Values]

# What may be left to go, in standard errors.
_NEGLIGIBLE = 1e-9
# A single contraction better than this may be luck.
_BEST_CONTRACTION = 1e-4
# Contractions near a maximum are smaller, unless steps are nothing but rounding.
_CLOSING_IN, _ROUNDED = 0.3, 1e-10
# Beyond this contraction the information is evaluated again.
_SLOW = 0.05
_MOST_EVALUATIONS = 15
# A log-likelihood that falls by less, relatively, is rounding.
_ROUNDING = 1e-10


@dataclass(frozen=True)
class Climbed:
    """Where ``b`` problems stand.

    Attributes
    ----------
    beta : ndarray
        ``(b, p)``, the maximum where ``settled``.
    loglik : ndarray
        ``(b,)`` there.
    iterations : ndarray
        ``(b,)`` int number of steps taken.
    settled : ndarray
        ``(b,)`` bool.
    """

    beta: np.ndarray
    loglik: np.ndarray
    iterations: np.ndarray
    settled: np.ndarray


class _Climb:
    """State of all problems, and the information each of them takes its steps with."""

    def __init__(self, start: np.ndarray, first: GeneralisedCholesky | None) -> None:
        n_problems, p = start.shape
        self.beta = start.copy()
        self.loglik = np.full(n_problems, -np.inf)
        self.length = np.full(n_problems, np.inf)
        self.iterations = np.zeros(n_problems, dtype=int)
        self.settled = np.zeros(n_problems, dtype=bool)
        self.running = np.ones(n_problems, dtype=bool)
        self.wants_information = np.full(n_problems, first is None)
        self.has_own = np.zeros(n_problems, dtype=bool)
        self.factor = np.zeros((n_problems, p, p)) if first is None else first.factor.copy()
        self.pivots = np.zeros((n_problems, p)) if first is None else first.pivots.copy()

    def take_information(
        self, which: np.ndarray, information: np.ndarray, kept: np.ndarray, tolerance: float
    ) -> None:
        """Factor the information of some problems; those with other redundant columns stop."""
        factors = generalised_cholesky(information, tolerance)
        self.factor[which], self.pivots[which] = factors.factor, factors.pivots
        self.has_own[which] = True
        self.running[which[((factors.pivots != 0) != kept).any(axis=1)]] = False

    def take_step(self, which: np.ndarray, loglik: np.ndarray, score: np.ndarray) -> None:
        """Move on from where some problems were evaluated, or stop."""
        factors = GeneralisedCholesky(self.factor[which], self.pivots[which], np.empty(0))
        step = factors.solve(score)
        length = np.sqrt((score * step).sum(axis=1))
        before = self.loglik[which]
        fell = loglik < before - _ROUNDING * np.abs(before)
        sound = self.running[which] & np.isfinite(loglik) & np.isfinite(length) & ~fell
        contraction = np.where(length > 0, length / self.length[which], 0.0)
        left = 2.0 * length * np.maximum(contraction, _BEST_CONTRACTION)
        # towards an infinite coefficient steps shrink, too, but all by the same factor
        closing_in = (contraction < _CLOSING_IN) | (length < _ROUNDED)
        done = sound & self.has_own[which] & closing_in & (left < _NEGLIGIBLE)
        self.wants_information[which] = ~self.has_own[which] | (contraction > _SLOW)
        self.beta[which] += np.where(sound[:, None], step, 0.0)
        # the last step is not looked at again: a parabola's rise
        self.loglik[which] = loglik + np.where(done, length**2 / 2, 0.0)
        self.length[which] = length
        self.iterations[which] += 1
        self.settled[which] = done
        self.running[which] = sound & ~done


def climb(
    evaluate: Evaluate,
    start: np.ndarray,
    first: GeneralisedCholesky | None,
    kept: np.ndarray,
    toler_chol: float,
) -> Climbed:
    """Maximise ``b`` log-likelihoods from ``start`` ``(b, p)``.

    Parameters
    ----------
    evaluate : callable
        Takes coefficients ``(c, p)``, the indices ``(c,)`` of their problems and whether the
        information is wanted; returns the log-likelihood ``(c,)``, score ``(c, p)`` and
        information ``(c, p, p)`` or None.
    start : ndarray
        ``(b, p)``.
    first : GeneralisedCholesky or None
        ``b`` factored matrices close to the information at the start; evaluated where None.
    kept : ndarray
        ``(p,)`` bool, the columns that are redundant in no problem.
    toler_chol : float
        Tolerance for singular columns.
    """
    state = _Climb(start, first)
    with np.errstate(all="ignore"):
        for _ in range(_MOST_EVALUATIONS):
            # who wants what is settled before anyone moves
            wanting = state.running & state.wants_information
            for wanted, group in ((True, wanting), (False, state.running & ~wanting)):
                which = np.flatnonzero(group)
                if not which.size:
                    continue
                loglik, score, information = evaluate(state.beta[which], which, wanted)
                if information is not None:
                    state.take_information(which, information, kept, toler_chol)
                state.take_step(which, loglik, score)
            if not state.running.any():
                break
    return Climbed(state.beta, state.loglik, state.iterations, state.settled)
