"""Weighted cumulative exposure for R."""

from __future__ import annotations

from typing import Any

import numpy as np

from survivalgpu.api.boundary import plain
from survivalgpu.api.fits import fit_as_survivals

# Draws that are held at once.
_DRAWS = 1 << 24


@plain
def fit_wce(
    rows: dict[str, Any],
    spells: dict[str, Any] | None,
    n_knots: np.ndarray,
    cutoff: int,
    constrained: str | None,
    ties: str,
    device: str,
    iter_max: int,
    eps: float,
    toler_chol: float,
    keep: bool,
) -> dict[str, Any]:
    """Fit a Cox model of weighted cumulative exposure for each number of knots.

    Parameters
    ----------
    rows : dict
        ``subject`` (n,) codes from 0, every one in use; ``start``, ``stop``, ``event`` (n,);
        ``dose`` (n,), or None with ``spells``; ``covariates`` (n, q); ``uncentred`` (q,)
        bool; ``weights`` (n,) or None.
    spells : dict or None
        ``subject``, ``start``, ``stop`` and ``dose`` (s,) of the exposure.
    n_knots : ndarray
        ``(M,)`` numbers of interior knots.
    cutoff, constrained
        See :func:`survivalgpu.wce.weight_basis.weight_basis`.
    ties, device, iter_max, eps, toler_chol
        See :func:`survivalgpu.api.fits.fit_cox`.
    keep : bool
        Whether the models are to be resampled.

    Returns
    -------
    dict
        ``fits``, a list with for each number of knots what :func:`fit_cox` returns without
        numbers by row, and ``knots``, ``basis`` (cutoff, J) and ``first``, see
        :class:`survivalgpu.wce.weight_basis.WeightBasis`; ``models``, for the front end to
        hand to :func:`wce_resampler` and to drop then, None unless ``keep``.
    """
    from survivalgpu.device import resolve_device
    from survivalgpu.newton import NewtonControl
    from survivalgpu.threads import threads_for
    from survivalgpu.wce.follow_up import follow_up
    from survivalgpu.wce.models import ExposureModels, check_cutoff, dose_changes
    from survivalgpu.wce.weight_basis import weight_basis

    vectors = {
        name: None if rows[name] is None else np.asarray(rows[name]).reshape(-1)
        for name in ("subject", "start", "stop", "event", "dose", "weights", "uncentred")
    }
    followed = follow_up(*[vectors[name] for name in ("subject", "start", "stop", "event")])
    check_cutoff(int(cutoff), followed, spells)
    bases = [weight_basis(int(cutoff), int(n), constrained) for n in np.asarray(n_knots)]
    with threads_for(followed.start.size):
        models = ExposureModels(
            followed,
            dose_changes(followed, vectors["dose"], spells, resolve_device(device)),
            bases,
            np.asarray(rows["covariates"]),
            vectors["weights"],
            vectors["uncentred"],
            ties,
            NewtonControl(int(iter_max), float(eps), float(toler_chol)),
        )
        fits = [fit_as_survivals(models.fit(basis), True, int(iter_max)) for basis in bases]
    for fit, basis in zip(fits, bases, strict=True):
        fit.update(knots=basis.knots, basis=basis.values, first=basis.first)
    return {"fits": fits, "models": models if keep else None}


@plain
def wce_resampler(models: Any, model: int, start: np.ndarray, seed: float) -> dict[str, Any]:
    """Prepare the bootstrap of one model.

    Parameters
    ----------
    models
        What :func:`fit_wce` returned.
    model : int
        Number, from 0, of the model.
    start : ndarray
        ``(p,)`` its coefficients; NaN where a column is redundant.
    seed : float
        A whole number from 0.

    Returns
    -------
    dict
        As of :func:`survivalgpu.api.bootstrap.bootstrap_resampler`.
    """
    resampler = models.resampler(
        models.bases[int(model)], np.array(start, dtype=np.float64).reshape(-1), int(seed)
    )
    return {"resampler": resampler, "batch_size": resampler.replicates.batch_size()}


@plain
def drawn_totals(seed: float, number: int, values: np.ndarray) -> dict[str, Any]:
    """Sum ``values`` ``(n_subjects,)`` over the subjects of the first ``number`` resamples.

    Returns
    -------
    dict
        ``totals`` (number,).
    """
    from survivalgpu.resampling.bootstrap import BootstrapDraws

    of_subject = np.asarray(values, dtype=np.float64).reshape(-1)
    draws = BootstrapDraws("ordinary", int(seed), of_subject.size)
    step = max(_DRAWS // of_subject.size, 1)
    parts = [
        of_subject @ draws.weights(first, min(step, int(number) - first))
        for first in range(0, int(number), step)
    ]
    return {"totals": np.concatenate(parts)}
