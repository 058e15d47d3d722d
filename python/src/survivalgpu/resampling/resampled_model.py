"""Checked rows of a fitted model to its bootstrap, in plain arrays."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch

from survivalgpu.errors import ConvergenceWarning, InvalidArgumentError
from survivalgpu.fitted_model import FittedModel, model_data, uncentred_columns
from survivalgpu.fitted_risks import FittedRows
from survivalgpu.inputs import ModelRows, plain
from survivalgpu.resampling.bootstrap import KINDS, BootstrapDraws
from survivalgpu.resampling.intervals import acceleration_of
from survivalgpu.resampling.replicates import ReplicateFits, Replicates
from survivalgpu.resampling.result import CoxBootstrap
from survivalgpu.resampling.subjects import constant_labels, seed_or_drawn, subject_codes
from survivalgpu.score_residuals import Collapse, score_residuals_of_rows
from survivalgpu.settings import Settings
from survivalgpu.threads import threads_for
from survivalgpu.validation import check_count


@dataclass(frozen=True)
class BootstrapPlan:
    """What a user asks of a bootstrap.

    Attributes
    ----------
    n_replicates : int
        Number of resamples.
    kind : str
        One of :data:`survivalgpu.resampling.bootstrap.KINDS`.
    frequencies : array-like or None
        ``(n_subjects, R)`` copies of the subjects, in place of drawing.
    strata : array-like or None
        ``(n,)`` labels, constant within subjects, within which subjects are drawn.
    batch_size : int
        Resamples fitted at a time; 0 chooses.
    seed : int or None
        None draws one.
    """

    n_replicates: int = 1000
    kind: str = "ordinary"
    frequencies: Any = None
    strata: Any = None
    batch_size: int = 0
    seed: int | None = None


def bootstrap_model(
    model: FittedModel, rows: ModelRows, settings: Settings, subjects: Any, plan: BootstrapPlan
) -> CoxBootstrap:
    """Resample a fitted model.

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
    plan : BootstrapPlan
        What is wanted.

    Raises
    ------
    InvalidArgumentError
        A part of the plan is at fault.

    Warns
    -----
    ConvergenceWarning
        Some resamples could not be fitted.
    """
    codes = subject_codes(subjects, rows)
    n_subjects = int(codes.max()) + 1
    check_count("n_replicates", plan.n_replicates, 1)
    check_count("batch_size", plan.batch_size, 0)
    if plan.kind not in KINDS:
        raise InvalidArgumentError(
            "kind", f"{plan.kind!r} is no bootstrap.", f"Use one of {', '.join(KINDS)}."
        )
    copies = _check_frequencies(plan.frequencies, n_subjects)
    seed = None if copies is not None else seed_or_drawn(plan.seed)
    data = model_data(rows, settings)
    draws = BootstrapDraws(
        plan.kind, seed or 0, n_subjects, constant_labels("resampling_strata", plan.strata, codes)
    )
    start = model.coef
    uncentred = uncentred_columns(rows, settings)
    replicates = Replicates(data, codes, settings.ties, settings.control, start, uncentred)

    def fit(first: int, number: int) -> ReplicateFits:
        if copies is not None:
            return replicates.fit(copies[:, first : first + number], copies=True)
        return replicates.fit(draws.weights(first, number), copies=draws.copies)

    total = plan.n_replicates if copies is None else copies.shape[1]
    size = plan.batch_size or replicates.batch_size()
    fits = _joined([fit(b, min(size, total - b)) for b in range(0, total, size)])
    result = CoxBootstrap(
        names=tuple(model.feature_names_in),
        coef=model.coef,
        coefficients=fits.coefficients,
        loglik=fits.loglik,
        iterations=fits.iterations,
        status=fits.status,
        kind=plan.kind if copies is None else "frequencies",
        seed=seed,
        n_subjects=n_subjects,
        acceleration=acceleration_of(_influence(model, data, codes)),
    )
    if result.failures:
        warnings.warn(f"{result!r}: NaN in the result.", ConvergenceWarning, stacklevel=3)
    return result


def _check_frequencies(frequencies: Any, n_subjects: int) -> np.ndarray | None:
    if frequencies is None:
        return None
    copies = np.asarray(plain("frequencies", frequencies))
    remedy = "Give how often each subject (rows, by first appearance) is in each resample."
    if copies.ndim != 2 or copies.shape[0] != n_subjects or not copies.shape[1]:
        raise InvalidArgumentError(
            "frequencies", f"its shape is {copies.shape} for {n_subjects} subjects.", remedy
        )
    if copies.dtype.kind not in "iuf":
        raise InvalidArgumentError("frequencies", "it does not hold numbers.", remedy)
    whole = np.isfinite(copies) & (copies >= 0) & (copies == np.round(copies))
    if not whole.all():
        row, column = np.argwhere(~whole)[0]
        raise InvalidArgumentError(
            "frequencies", f"row {row}, column {column} has {copies[row, column]}.", remedy
        )
    return copies


def _influence(model: FittedModel, data: Any, subjects: np.ndarray) -> np.ndarray:
    """Change of the estimate with the weight of each subject: dfbeta, ``(n_subjects, p)``."""
    device = data.x.device
    fitted = FittedRows(
        x=data.x,
        linear_predictors=torch.as_tensor(model.linear_predictors, device=device),
        stop=data.stop,
        event=data.event,
        start=data.start,
        strata=data.strata,
        weights=data.weights,
        ties=model.ties,
    )
    groups = Collapse(torch.as_tensor(subjects, device=device), int(subjects.max()) + 1)
    variance = torch.as_tensor(model.variance, device=device)
    with threads_for(data.stop.numel() // 4):
        return score_residuals_of_rows(fitted, True, groups, variance).cpu().numpy()


def _joined(parts: list[ReplicateFits]) -> ReplicateFits:
    columns = ([getattr(part, field.name) for part in parts] for field in fields(ReplicateFits))
    return ReplicateFits(*(np.concatenate(column) for column in columns))
