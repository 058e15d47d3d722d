"""The loop of the bootstrap: batches of replicates, between which it can be interrupted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields

import numpy as np

from survivalgpu.resampling.replicates import ReplicateFits


def run_batches(
    fit: Callable[[int, int], ReplicateFits],
    total: int,
    size: int,
    saved: ReplicateFits | None,
    keep: Callable[[ReplicateFits], None],
    report: Callable[[int, int], None],
) -> ReplicateFits:
    """Fit the replicates from 0 to ``total``, but for those that are there already.

    Parameters
    ----------
    fit : callable
        ``fit(first, number)`` fits ``number`` replicates from the one numbered ``first``.
    total : int
        Number of replicates.
    size : int
        Replicates in a batch, at least 1.
    saved : ReplicateFits or None
        The first replicates, as many as there are.
    keep : callable
        Given all replicates so far after each batch.
    report : callable
        ``report(done, total)`` at the beginning, and after each batch that was kept.

    Returns
    -------
    ReplicateFits
        ``total`` replicates.
    """
    fits = saved
    done = 0 if saved is None else saved.status.size
    report(min(done, total), total)
    while done < total:
        batch = fit(done, min(size, total - done))
        fits = batch if fits is None else _joined(fits, batch)
        done = fits.status.size
        keep(fits)
        report(done, total)
    return ReplicateFits(*(getattr(fits, field.name)[:total] for field in fields(ReplicateFits)))


def _joined(*parts: ReplicateFits) -> ReplicateFits:
    columns = ([getattr(part, field.name) for part in parts] for field in fields(ReplicateFits))
    return ReplicateFits(*(np.concatenate(column) for column in columns))
