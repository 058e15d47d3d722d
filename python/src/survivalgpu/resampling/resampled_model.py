"""Checked rows of a fitted model to its bootstrap, in plain arrays."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch

from survivalgpu.errors import ConvergenceWarning, InvalidArgumentError
from survivalgpu.fitted_model import FittedModel, model_data, uncentred_columns
from survivalgpu.fitted_risks import FittedRows
from survivalgpu.inputs import ModelRows, plain
from survivalgpu.resampling.batch_file import BatchFile, check_file, fingerprint
from survivalgpu.resampling.batches import run_batches
from survivalgpu.resampling.bootstrap import KINDS, BootstrapDraws, GivenCopies, Resampler
from survivalgpu.resampling.draws import check_seed
from survivalgpu.resampling.intervals import acceleration_of
from survivalgpu.resampling.progress import progress_report
from survivalgpu.resampling.replicates import ReplicateFits, Replicates
from survivalgpu.resampling.result import CoxBootstrap
from survivalgpu.resampling.statistic import (
    statistic_acceleration,
    statistic_at,
    statistic_of_replicates,
)
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
        None takes that of ``file``, or draws one.
    file : path or None
        Where finished batches are kept, and taken up again.
    statistic : callable or None
        Computes numbers of ``(p,)`` coefficients.
    progress : callable, bool or None
        See :func:`survivalgpu.resampling.progress.progress_report`.
    """

    n_replicates: int = 1000
    kind: str = "ordinary"
    frequencies: Any = None
    strata: Any = None
    batch_size: int = 0
    seed: int | None = None
    file: Any = None
    statistic: Any = None
    progress: Any = None


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
        A part of the plan is at fault, or the file is damaged or of another bootstrap.

    Warns
    -----
    ConvergenceWarning
        Some resamples could not be fitted.
    """
    codes = subject_codes(subjects, rows)
    _check_plan(plan)
    report = progress_report(plan.progress, "Bootstrap")
    at_estimate = None if plan.statistic is None else statistic_at(plan.statistic, model.coef)
    file, draws, saved = _resamples(model, rows, settings, codes, plan)
    data = model_data(rows, settings)
    uncentred = uncentred_columns(rows, settings)
    replicates = Replicates(data, codes, settings.ties, settings.control, model.coef, uncentred)

    keep = _keep_nothing if file is None else partial(file.keep, draws.seed)
    total = draws.n_replicates if isinstance(draws, GivenCopies) else plan.n_replicates
    size = plan.batch_size or replicates.batch_size()
    fits = run_batches(Resampler(replicates, draws).fit, total, size, saved, keep, report)
    influence = _influence(model, data, codes)
    result = CoxBootstrap(
        names=tuple(model.feature_names_in),
        coef=model.coef,
        **vars(fits),
        kind=draws.kind,
        seed=draws.seed,
        n_subjects=draws.n_subjects,
        acceleration=acceleration_of(influence),
        **_of_statistic(plan.statistic, model.coef, at_estimate, fits, influence),
    )
    if result.failures:
        warnings.warn(f"{result!r}: NaN in the result.", ConvergenceWarning, stacklevel=3)
    return result


def _keep_nothing(fits: ReplicateFits) -> None:
    pass


def _check_plan(plan: BootstrapPlan) -> None:
    check_count("n_replicates", plan.n_replicates, 1)
    check_count("batch_size", plan.batch_size, 0)
    if plan.kind not in KINDS:
        raise InvalidArgumentError(
            "kind", f"{plan.kind!r} is no bootstrap.", f"Use one of {', '.join(KINDS)}."
        )


def _resamples(
    model: FittedModel,
    rows: ModelRows,
    settings: Settings,
    codes: np.ndarray,
    plan: BootstrapPlan,
) -> tuple[BatchFile | None, BootstrapDraws | GivenCopies, ReplicateFits | None]:
    """Return the file, who is in the resamples, and those that the file has already."""
    n_subjects = int(codes.max()) + 1
    copies = _check_frequencies(plan.frequencies, n_subjects)
    strata = constant_labels("resampling_strata", plan.strata, codes)
    seed = None if copies is not None or plan.seed is None else check_seed(plan.seed)
    file, kept_seed, saved = None, None, None
    if plan.file is not None:
        path, kind = check_file(plan.file), plan.kind if copies is None else "frequencies"
        digest = _fingerprint(rows, settings, codes, kind, strata, copies)
        file = BatchFile(path, digest, model.coef)
        kept_seed, saved = file.read(seed)
    if copies is not None:
        return file, GivenCopies(copies), saved
    seed = seed_or_drawn(kept_seed if seed is None else seed)
    return file, BootstrapDraws(plan.kind, seed, n_subjects, strata), saved


def _fingerprint(
    rows: ModelRows,
    settings: Settings,
    codes: np.ndarray,
    kind: str,
    strata: np.ndarray | None,
    copies: np.ndarray | None,
) -> str:
    """What the replicates depend on but for the device, the seed and their number."""
    response = rows.response
    options = f"{settings.ties} {settings.control} {settings.timefix} {kind}"
    of_rows = (rows.covariates.x, response.stop, response.event, response.start)
    more = (rows.strata, rows.weights, rows.offset, codes, settings.nocenter)
    return fingerprint(options, *of_rows, *more, strata, copies)


def _of_statistic(
    statistic: Any,
    beta: np.ndarray,
    at_estimate: np.ndarray | None,
    fits: ReplicateFits,
    influence: np.ndarray,
) -> dict[str, np.ndarray]:
    """Fields of the result; none without a statistic."""
    if at_estimate is None:
        return {}
    return {
        "statistic": statistic_of_replicates(statistic, fits, at_estimate),
        "statistic_t0": at_estimate,
        "statistic_acceleration": statistic_acceleration(statistic, beta, at_estimate, influence),
    }


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
