"""Checked rows of a fitted model to the permutation tests of its terms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from survivalgpu.dependencies import require
from survivalgpu.errors import InvalidArgumentError
from survivalgpu.fitted_model import FittedModel, model_data
from survivalgpu.inputs import ModelRows
from survivalgpu.resampling.exchange import check_statistic
from survivalgpu.resampling.p_values import permutation_p_values
from survivalgpu.resampling.permutation import PermutationTest, terms_at_once
from survivalgpu.resampling.subjects import constant_labels, seed_or_drawn, subject_codes
from survivalgpu.settings import Settings
from survivalgpu.validation import check_count

_BATCH = 64


@dataclass(frozen=True)
class PermutationPlan:
    """What a user asks of a permutation test.

    Attributes
    ----------
    terms : list, dict or None
        Names of columns, each tested, or lists of names to test jointly; None for all.
    n_permutations : int
    statistic : str
        ``"score"``, ``"lrt"`` or ``"wald"``.
    strata : array-like or None
        ``(n,)`` labels, constant within subjects, within which subjects are permuted.
    seed : int or None
        None draws one.
    """

    terms: Any = None
    n_permutations: int = 1000
    statistic: str = "score"
    strata: Any = None
    seed: int | None = None


@dataclass(frozen=True, repr=False)
class CoxPermutationTest:
    """Permutation tests of ``T`` terms of a Cox model.

    Attributes
    ----------
    names : tuple of str
        ``(T,)`` terms.
    statistic : ndarray
        ``(T,)`` chi-square statistics of the data.
    df : ndarray
        ``(T,)`` degrees of freedom.
    p_values, adjusted, stepdown : ndarray
        ``(T,)`` of each term, and adjusted for all by max-T in a single step and step-down.
    null : ndarray
        ``(R, T)`` statistics of the permuted data; NaN where a fit did not converge.
    kind : str
        ``"score"``, ``"lrt"`` or ``"wald"``.
    seed : int
        What the permutations depend on.
    n_subjects : int
        Number of subjects.
    """

    names: tuple[str, ...]
    statistic: np.ndarray
    df: np.ndarray
    p_values: np.ndarray
    adjusted: np.ndarray
    stepdown: np.ndarray
    null: np.ndarray
    kind: str
    seed: int
    n_subjects: int

    def as_frame(self) -> Any:
        """Return the tests as a pandas DataFrame.

        Returns
        -------
        DataFrame
            One row per term: ``statistic``, ``df``, ``p``, ``p_adjusted``, ``p_stepdown``.

        Raises
        ------
        MissingDependencyError
            pandas is not installed.
        """
        pandas = require("pandas", "as_frame()", "survivalgpu[dataframe]")
        columns = {
            "statistic": self.statistic,
            "df": self.df,
            "p": self.p_values,
            "p_adjusted": self.adjusted,
            "p_stepdown": self.stepdown,
        }
        return pandas.DataFrame(columns, index=list(self.names))

    def __repr__(self) -> str:
        lines = [
            f"CoxPermutationTest: {self.null.shape[0]} permutations of {self.n_subjects} "
            f"subjects, {self.kind} statistic, seed {self.seed}"
        ]
        rows = zip(self.names, self.statistic, self.df, self.p_values, self.adjusted, strict=True)
        for name, statistic, df, p, adjusted in rows:
            lines.append(
                f"{name}: chisq {statistic:.4g} on {df} df, p {p:.4g}, adjusted {adjusted:.4g}"
            )
        return "\n".join(lines)


def permute_model(
    model: FittedModel, rows: ModelRows, settings: Settings, subjects: Any, plan: PermutationPlan
) -> CoxPermutationTest:
    """Test terms of a fitted model.

    Parameters
    ----------
    model : FittedModel
        The fit.
    rows : ModelRows
        Its rows.
    settings : Settings
        Its options.
    subjects : array-like or None
        ``(n,)`` labels; None where each row is a subject.
    plan : PermutationPlan
        What is wanted.

    Raises
    ------
    InvalidArgumentError
        A part of the plan is at fault, or a term cannot be permuted.
    """
    codes = subject_codes(subjects, rows)
    check_count("n_permutations", plan.n_permutations, 1)
    check_statistic(plan.statistic)
    groups = constant_labels("permutation_strata", plan.strata, codes)
    seed = seed_or_drawn(plan.seed)
    kept = np.flatnonzero(~np.isnan(model.coef))
    terms = _term_columns(plan.terms, list(model.feature_names_in), kept)
    data = model_data(rows, settings)
    data = replace(data, x=data.x[:, torch.as_tensor(kept, device=data.x.device)])
    names, observed, null = list(terms), [], []
    together = terms_at_once(*data.x.shape)
    for first in range(0, len(names), together):
        some = {name: terms[name] for name in names[first : first + together]}
        test = PermutationTest(
            data, codes, some, settings.ties, settings.control, groups, plan.statistic
        )
        observed.append(test.observed())
        null.append(_drawn(test, seed, plan.n_permutations))
    statistic, permuted = np.concatenate(observed), np.concatenate(null, axis=1)
    df = np.array([len(columns) for columns in terms.values()])
    p = permutation_p_values(statistic, permuted, df)
    return CoxPermutationTest(
        names=tuple(names),
        statistic=statistic,
        df=df,
        p_values=p.each,
        adjusted=p.adjusted,
        stepdown=p.stepdown,
        null=permuted,
        kind=plan.statistic,
        seed=seed,
        n_subjects=int(codes.max()) + 1,
    )


def _drawn(test: PermutationTest, seed: int, total: int) -> np.ndarray:
    """Statistics of all permutations, in batches between which an interrupt is heard."""
    parts = [test.drawn(seed, b, min(_BATCH, total - b)) for b in range(0, total, _BATCH)]
    return np.concatenate(parts)


def _term_columns(terms: Any, names: list[str], kept: np.ndarray) -> dict[str, np.ndarray]:
    """Columns of each term, by name, among those with a coefficient."""
    if terms is None:
        terms = [names[column] for column in kept]
    elif isinstance(terms, str):
        terms = [terms]
    if isinstance(terms, Mapping):
        sets = {str(name): _as_list(term) for name, term in terms.items()}
    else:
        sets = {" + ".join(map(str, _as_list(term))): _as_list(term) for term in terms}
    if not sets:
        raise InvalidArgumentError("terms", "it is empty.", "Name columns, or give None for all.")
    columns = {}
    for name, term in sets.items():
        unknown = [column for column in term if column not in names]
        if unknown:
            raise InvalidArgumentError(
                "terms", f"there is no column {unknown[0]!r}.", f"There are {', '.join(names)}."
            )
        places = np.searchsorted(kept, [names.index(c) for c in term if names.index(c) in kept])
        if not places.size:
            raise InvalidArgumentError(
                "terms",
                f"{name} has no coefficient of its own.",
                "Its columns are combinations of others: test another term.",
            )
        columns[name] = np.unique(places)
    return columns


def _as_list(term: Any) -> list[str]:
    return [term] if isinstance(term, str) else list(term)
