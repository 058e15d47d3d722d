"""Weighted cumulative exposure for R."""

from __future__ import annotations

from typing import Any

import numpy as np

from survivalgpu.api.boundary import plain
from survivalgpu.api.fits import fit_as_survivals


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

    Returns
    -------
    dict
        ``models``, a list with for each number of knots what :func:`fit_cox` returns without
        linear predictors and residuals, and ``knots``, ``basis`` (cutoff, J) and ``first``,
        see :class:`survivalgpu.wce.weight_basis.WeightBasis`.
    """
    from survivalgpu.device import resolve_device
    from survivalgpu.newton import NewtonControl
    from survivalgpu.threads import threads_for
    from survivalgpu.wce.follow_up import follow_up
    from survivalgpu.wce.models import check_cutoff, dose_changes, fit_models
    from survivalgpu.wce.weight_basis import weight_basis

    vectors = {
        name: None if rows[name] is None else np.asarray(rows[name]).reshape(-1)
        for name in ("subject", "start", "stop", "event", "dose", "weights", "uncentred")
    }
    followed = follow_up(*[vectors[name] for name in ("subject", "start", "stop", "event")])
    check_cutoff(int(cutoff), followed, spells)
    bases = [weight_basis(int(cutoff), int(n), constrained) for n in np.asarray(n_knots)]
    with threads_for(followed.start.size):
        fits = fit_models(
            followed,
            dose_changes(followed, vectors["dose"], spells, resolve_device(device)),
            bases,
            np.asarray(rows["covariates"]),
            vectors["weights"],
            vectors["uncentred"],
            ties,
            NewtonControl(int(iter_max), float(eps), float(toler_chol)),
        )
        models = [fit_as_survivals(fit, True, int(iter_max)) for fit in fits]
    for model, basis in zip(models, bases, strict=True):
        model.update(knots=basis.knots, basis=basis.values, first=basis.first)
    return {"models": models}
