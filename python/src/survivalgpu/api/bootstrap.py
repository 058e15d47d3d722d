"""Bootstrap replicates of a Cox model for R."""

from __future__ import annotations

from typing import Any

import numpy as np

from survivalgpu.api.boundary import cox_data, plain


@plain
def bootstrap_resampler(
    rows: dict[str, Any],
    ties: str,
    device: str,
    start: np.ndarray,
    control: dict[str, Any],
    uncentred: np.ndarray,
    kind: str,
    seed: float,
) -> dict[str, Any]:
    """Prepare a bootstrap.

    Parameters
    ----------
    rows : dict
        ``x`` (n, p), ``y`` (n, 2 or 3), ``subjects`` (n,) codes from 0 in order of first
        appearance, and each of these or None: ``strata`` (n,) labels, ``offset`` and
        ``weights`` (n,), ``resampling_strata`` (n_subjects,) codes from 0.
    ties : str
        ``"efron"`` or ``"breslow"``.
    device : str
        As :func:`survivalgpu.device.resolve_device` takes it.
    start : ndarray
        ``(p,)`` from which the replicates are fitted: the estimate.
    control : dict
        ``iter_max``, ``eps``, ``toler_chol``; see :class:`survivalgpu.newton.NewtonControl`.
    uncentred : ndarray
        ``(p,)`` bool, columns that are neither centred nor scaled.
    kind : str
        See :class:`survivalgpu.resampling.bootstrap.Resampler`.
    seed : float
        A whole number from 0.

    Returns
    -------
    dict
        ``resampler``, for the front end to hand back for each batch and to drop then;
        ``batch_size``, the most replicates of a batch.
    """
    from survivalgpu.newton import NewtonControl
    from survivalgpu.resampling.bootstrap import Resampler
    from survivalgpu.resampling.replicates import Replicates

    replicates = Replicates(
        _data(rows, device),
        _codes(rows["subjects"]),
        ties,
        NewtonControl(
            int(control["iter_max"]), float(control["eps"]), float(control["toler_chol"])
        ),
        np.array(start, dtype=np.float64),
        np.asarray(uncentred, dtype=bool),
    )
    return {
        "resampler": Resampler(replicates, _draws(rows, kind, seed)),
        "batch_size": replicates.batch_size(),
    }


@plain
def bootstrap_fits(resampler: Any, first: int, number: int) -> dict[str, Any]:
    """Fit ``number`` replicates from the one numbered ``first``, from 0.

    Returns
    -------
    dict
        ``coefficients`` (number, p), NaN where not converged; ``loglik`` and ``iter``
        (number,); ``status``, a list of str.
    """
    return _plain_fits(resampler.fit(int(first), int(number)))


@plain
def frequency_fits(resampler: Any, frequencies: np.ndarray) -> dict[str, Any]:
    """Fit with given copies ``(n_subjects, B)`` of the subjects; as :func:`bootstrap_fits`."""
    return _plain_fits(resampler.replicates.fit(np.asarray(frequencies), copies=True))


@plain
def bootstrap_hazards(
    rows: dict[str, Any],
    ties: str,
    device: str,
    centre: np.ndarray,
    times: np.ndarray,
    kind: str,
    seed: float,
) -> dict[str, Any]:
    """Prepare the baseline hazards of the replicates of a bootstrap.

    Parameters
    ----------
    rows, ties, device, kind, seed
        As of :func:`bootstrap_resampler`; the strata are codes from 0, every one present.
    centre : ndarray
        ``(p,)`` covariates for which the hazards are.
    times : ndarray
        ``(T,)`` times.

    Returns
    -------
    dict
        ``hazards``, for the front end to hand back and to drop then.
    """
    from survivalgpu.device import as_tensor
    from survivalgpu.resampling.baseline import ReplicateHazards

    data = _data(rows, device)
    subjects = as_tensor(_codes(rows["subjects"]), data.x.device)
    centre_, times_ = (as_tensor(np.asarray(value), data.x.device) for value in (centre, times))
    hazards = ReplicateHazards(data, subjects, centre_, times_, ties)
    return {"hazards": (hazards, _draws(rows, kind, seed))}


@plain
def replicate_hazards(
    hazards: Any, coefficients: np.ndarray, first: int, frequencies: np.ndarray | None
) -> dict[str, Any]:
    """Baseline hazards of the replicates from the one numbered ``first``, from 0.

    Parameters
    ----------
    hazards
        What :func:`bootstrap_hazards` returned.
    coefficients : ndarray
        ``(B, p)`` of the replicates.
    first : int
        Number of the first.
    frequencies : ndarray or None
        ``(n_subjects, B)`` copies of the subjects, in place of those drawn.

    Returns
    -------
    dict
        ``hazards`` (B, S, T).
    """
    of_rows, draws = hazards
    beta = np.asarray(coefficients)
    if frequencies is not None:
        return {"hazards": of_rows.at(beta, np.asarray(frequencies), copies=True)}
    return {"hazards": of_rows.at(beta, draws.weights(int(first), len(beta)), draws.copies)}


def _data(rows: dict[str, Any], device: str) -> Any:
    return cox_data(*(rows[name] for name in ("x", "y", "strata", "offset", "weights")), device)


def _draws(rows: dict[str, Any], kind: str, seed: float) -> Any:
    from survivalgpu.resampling.bootstrap import BootstrapDraws

    strata = rows["resampling_strata"]
    codes = None if strata is None else _codes(strata)
    return BootstrapDraws(kind, int(seed), int(_codes(rows["subjects"]).max()) + 1, codes)


def _codes(codes: Any) -> np.ndarray:
    return np.asarray(codes).astype(np.int64)


def _plain_fits(fits: Any) -> dict[str, Any]:
    return {
        "coefficients": fits.coefficients,
        "loglik": fits.loglik,
        "iter": np.asarray(fits.iterations).astype(np.int32),
        "status": [str(status) for status in fits.status],
    }
