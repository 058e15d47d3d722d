"""Bootstrap of a Cox model: draws by the replicate's number, fits by the batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from survivalgpu.resampling.draws import bootstrap_counts, exponential_weights
from survivalgpu.resampling.replicates import ReplicateFits, Replicates

KINDS = ("ordinary", "bayesian")


@dataclass(frozen=True)
class BootstrapDraws:
    """The weights of the subjects in any range of replicates.

    Attributes
    ----------
    kind : {"ordinary", "bayesian"}
        Subjects drawn with replacement (Efron 1979, Annals of Statistics 7:1), each with
        all its rows; or all subjects with exponential weights of mean 1, which are
        Dirichlet's up to a factor that no Cox model notices (Rubin 1981, Annals of
        Statistics 9:130).
    seed : int
        What the draws depend on, together with the number of the replicate.
    n_subjects : int
        Number of subjects.
    strata : ndarray or None
        ``(n_subjects,)`` int codes from 0, within which subjects are drawn.
    """

    kind: str
    seed: int
    n_subjects: int
    strata: np.ndarray | None = None

    @property
    def copies(self) -> bool:
        """Whether the weights are numbers of copies."""
        return self.kind == "ordinary"

    def weights(self, first: int, number: int) -> np.ndarray:
        """Weights in replicates ``first``, ``first + 1``, ... (from 0).

        Returns
        -------
        ndarray
            ``(n_subjects, number)``: copies (int32), or float64 weights.
        """
        draw = bootstrap_counts if self.copies else exponential_weights
        return draw(self.seed, first, number, self.n_subjects, self.strata)


@dataclass(frozen=True)
class GivenCopies:
    """Copies of the subjects that the user gave, in place of draws.

    Attributes
    ----------
    counts : ndarray
        ``(n_subjects, R)`` whole numbers.
    """

    counts: np.ndarray
    kind: ClassVar[str] = "frequencies"
    seed: ClassVar[None] = None
    copies: ClassVar[bool] = True

    @property
    def n_subjects(self) -> int:
        """Number of subjects."""
        return self.counts.shape[0]

    @property
    def n_replicates(self) -> int:
        """Number of replicates."""
        return self.counts.shape[1]

    def weights(self, first: int, number: int) -> np.ndarray:
        """Copies in replicates ``first``, ``first + 1``, ...: ``(n_subjects, number)``."""
        return self.counts[:, first : first + number]


@dataclass(frozen=True)
class Resampler:
    """Replicates of one model, any range of them at a time.

    Attributes
    ----------
    replicates : Replicates
        The rows, grouped by subject, and how to fit them.
    draws : BootstrapDraws or GivenCopies
        Which subjects are in which replicate.
    """

    replicates: Replicates
    draws: BootstrapDraws | GivenCopies

    def fit(self, first: int, number: int) -> ReplicateFits:
        """Fit ``number`` replicates from the one numbered ``first``, from 0."""
        return self.replicates.fit(self.draws.weights(first, number), copies=self.draws.copies)
