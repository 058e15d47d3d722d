"""Permutation tests of the terms of a Cox model.

A permutation gives each subject the values that another, its donor, has in the columns of
the terms; all else stays with the subject: follow-up, events, weight and the other
covariates. Under the hypothesis that a term has no effect given the others, and if its values
are exchangeable among subjects given them, the statistics of the permuted data are as good as
that of the data, and the test is exact (Fisher 1935, *The Design of Experiments*). Where the
term depends on other covariates, or on when a subject enters or is censored, it is exact for
large data only, since the statistics are studentised (Neuhaus 1993, *Annals of Statistics*
21:1760).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from survivalgpu.coxph import CoxData
from survivalgpu.newton import NewtonControl
from survivalgpu.resampling.compiled_scores import CompiledScores
from survivalgpu.resampling.draws import check_seed, permuted_subjects
from survivalgpu.resampling.exchange import (
    check_constant,
    check_statistic,
    check_weights,
    exchange_classes,
    first_places,
)
from survivalgpu.resampling.null_scores import NullScore, null_score, score_statistics
from survivalgpu.resampling.random_bits import PERMUTATION, base_of
from survivalgpu.resampling.refits import TermRefits
from survivalgpu.resampling.shuffle import SubjectStrata, subject_strata
from survivalgpu.risk_sets import build_risk_sets
from survivalgpu.threads import threads_for

# Bytes that the terms of one test may take: more are to be tested one after another.
_MEMORY = 1 << 29


def terms_at_once(n: int, p: int) -> int:
    """How many terms of a model of ``n`` rows and ``p`` columns to test together."""
    return max(1, _MEMORY // (8 * max(n, 1) * (2 * p + 6)))


class PermutationTest:
    """Statistics of some terms of one model under shared permutations of its subjects.

    Parameters
    ----------
    data : CoxData
        The rows, without redundant columns; at least one event.
    subjects : ndarray
        ``(n,)`` codes ``0 .. m - 1`` of the rows' subjects.
    terms : dict
        Name of each term to ``(q,)`` places of its columns, constant within subjects.
    ties : {"efron", "breslow"}
    control : NewtonControl
    strata : ndarray, optional
        ``(m,)`` labels of groups of subjects, within which alone to permute. Subjects also
        keep to others with rows in the same strata of the model.
    statistic : {"score", "lrt", "wald"}
        ``"score"`` needs no fit by permutation; the others do.

    Raises
    ------
    InvalidArgumentError
        A term changes within subjects, case weights differ among subjects that would change
        places, or there are none to change places.
    """

    def __init__(
        self,
        data: CoxData,
        subjects: np.ndarray,
        terms: dict[str, np.ndarray],
        ties: str,
        control: NewtonControl,
        strata: np.ndarray | None = None,
        statistic: str = "score",
    ) -> None:
        self.statistic, self.terms = check_statistic(statistic), dict(terms)
        self._n_rows = data.stop.numel()
        codes = torch.as_tensor(np.asarray(subjects, dtype=np.int64), device=data.x.device)
        with threads_for(data.x.numel()):
            self._order_subjects(data, codes, strata)
            self._engine = self._prepare(data, codes, ties, control)

    def _order_subjects(self, data: CoxData, subjects: Tensor, strata: np.ndarray | None) -> None:
        """Check who may change places, and put subjects in the order of the risk sets.

        It is the order in which their rows are read.
        """
        self.n_subjects = int(subjects.max()) + 1
        self._first_row = first_places(subjects, self.n_subjects)
        classes = exchange_classes(subjects, data.strata, strata, self.n_subjects)
        check_weights(data.weights, subjects, classes)
        for name, columns in self.terms.items():
            check_constant(name, data.x, columns, subjects, self._first_row)
        self._order = build_risk_sets(data.stop, data.event, data.start, data.strata).order
        first_sorted = first_places(subjects[self._order], self.n_subjects)
        self._subject_at = torch.argsort(first_sorted, stable=True)
        self._place_of = torch.argsort(self._subject_at)
        at = self._subject_at.cpu().numpy()
        by_place = None if classes is None else classes[at]
        self._strata = subject_strata(by_place, at.size, data.x.device)

    def _prepare(
        self, data: CoxData, subjects: Tensor, ties: str, control: NewtonControl
    ) -> _ScoreEngine | _RefitEngine:
        """Fit the null models."""
        places = self._place_of[subjects]
        first_row = self._first_row[self._subject_at]
        terms = [
            (data.x[first_row][:, torch.as_tensor(columns, device=data.x.device)], columns)
            for columns in self.terms.values()
        ]
        if self.statistic == "score":
            scores = [null_score(data, values, columns, ties, control) for values, columns in terms]
            return _ScoreEngine(scores, places[self._order], self._strata)
        refits = [
            TermRefits(data, values, columns, places, ties, control, self.statistic)
            for values, columns in terms
        ]
        return _RefitEngine(refits, self._strata)

    @property
    def df(self) -> np.ndarray:
        """Degrees of freedom of each term, ``(T,)``."""
        return np.array([len(columns) for columns in self.terms.values()])

    def observed(self) -> np.ndarray:
        """Statistics ``(T,)`` of the data as they are."""
        return self.statistics(np.arange(self.n_subjects)[None])[0]

    def statistics(self, donors: np.ndarray) -> np.ndarray:
        """Statistics ``(B, T)`` of given permutations.

        Parameters
        ----------
        donors : ndarray
            ``(B, m)``: the subject whose values each subject is given.
        """
        given = torch.as_tensor(np.asarray(donors, dtype=np.int64), device=self._place_of.device)
        with threads_for(given.shape[0] * self._n_rows):
            return self._engine.given(self._place_of[given[:, self._subject_at]])

    def drawn(self, seed: int, first: int, number: int) -> np.ndarray:
        """Statistics ``(number, T)`` of the permutations ``first`` (from 0) and following."""
        with threads_for(number * self._n_rows):
            return self._engine.drawn(check_seed(seed), first, number)

    def donors(self, seed: int, first: int, number: int) -> np.ndarray:
        """The permutations of :meth:`drawn`, ``(number, m)``."""
        places = permuted_subjects(
            seed, first, number, self.n_subjects, self._strata, self._place_of.device
        )
        return self._subject_at[places[:, self._place_of].long()].cpu().numpy()


class _ScoreEngine:
    """Score statistics: one pass over the rows for each permutation."""

    def __init__(
        self, scores: Sequence[NullScore], subject_of_row: Tensor, strata: SubjectStrata | None
    ) -> None:
        self._scores, self._subject_of_row, self._strata = scores, subject_of_row, strata
        self._compiled: CompiledScores | None = None
        if CompiledScores.suits(scores):
            self._compiled = CompiledScores(scores, subject_of_row, strata)

    def given(self, donors: Tensor) -> np.ndarray:
        if self._compiled is not None:
            return self._compiled.given(donors)
        columns = [score_statistics(s, self._subject_of_row, donors) for s in self._scores]
        return np.stack(columns, axis=1)

    def drawn(self, seed: int, first: int, number: int) -> np.ndarray:
        if self._compiled is not None:
            return self._compiled.drawn(base_of(seed, PERMUTATION), first, number)
        m, device = self._scores[0].values.shape[0], self._subject_of_row.device
        return self.given(permuted_subjects(seed, first, number, m, self._strata, device))


class _RefitEngine:
    """Likelihood ratio and Wald statistics: a fit for each term and permutation."""

    def __init__(self, refits: Sequence[TermRefits], strata: SubjectStrata | None) -> None:
        self._refits, self._strata = refits, strata

    def given(self, donors: Tensor) -> np.ndarray:
        return np.array([[refit(donor) for refit in self._refits] for donor in donors])

    def drawn(self, seed: int, first: int, number: int) -> np.ndarray:
        m, device = self._refits[0].values.shape[0], self._refits[0].values.device
        return self.given(permuted_subjects(seed, first, number, m, self._strata, device))
