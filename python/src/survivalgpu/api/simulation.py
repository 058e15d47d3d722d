"""Simulated cohorts for R."""

from __future__ import annotations

from typing import Any

import numpy as np

from survivalgpu.api.boundary import plain


@plain
def draw_subjects(n: int, followup: int, seed: float) -> dict[str, Any]:
    """Draw covariates and times; see :class:`survivalgpu.simulation.subjects.RandomSubjects`.

    Returns
    -------
    dict
        ``age``, ``sex``, ``event_days`` (of mean ``followup``) and ``censoring_days`` (n,).
    """
    import torch

    from survivalgpu.simulation.subjects import RandomSubjects

    numbers = RandomSubjects(int(seed), int(n), torch.device("cpu"))
    return {
        "age": numbers.age().numpy(),
        "sex": numbers.sex().numpy(),
        "event_days": numbers.event_days(float(followup)).numpy().astype(np.float64),
        "censoring_days": numbers.censoring_days(int(followup)).numpy().astype(np.float64),
    }


@plain
def shape_of_weights(shape: str, cutoff: int) -> dict[str, Any]:
    """Weights of a shape; see :mod:`survivalgpu.simulation.weight_functions`."""
    from survivalgpu.simulation.weight_functions import weight_function

    return {"weights": weight_function(shape, int(cutoff))}


@plain
def simulate_cohort(
    seed: float,
    times: np.ndarray,
    event: np.ndarray,
    constant: np.ndarray,
    variables: list[dict[str, Any]],
    followup: int,
    daily: bool,
    device: str,
) -> dict[str, Any]:
    """Match times to histories and return the rows of follow-up.

    Parameters
    ----------
    seed : float
        A whole number below ``2**53``.
    times, event : ndarray
        ``(n,)`` observed days, and 1 where they end with an event.
    constant : ndarray
        ``(n,)`` log hazard ratio of each subject's constant covariates.
    variables : list of dict
        Each with ``weights`` and ``spells``: ``subject`` (codes from 0), ``start``, ``stop``
        and ``dose``, or None for random courses of treatment up to day ``followup``.
    followup : int
        Longest follow-up.
    daily : bool
        Whether there is a row for each day.
    device : str
        As :func:`survivalgpu.device.resolve_device` takes it.

    Returns
    -------
    dict
        ``subject`` (codes from 1), ``event``, ``start``, ``stop`` (m,) int32, and
        ``values``, a list with ``(m,)`` float64 for each variable.
    """
    from survivalgpu.device import as_tensor, resolve_device
    from survivalgpu.simulation.cohort import Variable, cohort_rows, match_cohort
    from survivalgpu.simulation.subjects import RandomSubjects
    from survivalgpu.threads import threads_for
    from survivalgpu.wce.dose_changes import changes_from_spells, spell_columns

    on = resolve_device(device)
    observed = np.asarray(times).astype(np.int64)
    numbers = RandomSubjects(int(seed), observed.size, on)
    with threads_for(observed.size):
        changing = []
        for variable in variables:
            if variable["spells"] is None:
                spells = numbers.courses(int(followup))
            else:
                columns = spell_columns(variable["spells"])
                spells = tuple(as_tensor(column, on) for column in columns)
            changes = changes_from_spells(*spells, observed.size)
            changing.append(Variable(changes, np.asarray(variable["weights"]).reshape(-1)))
        time, has_event = match_cohort(
            numbers,
            as_tensor(observed, on),
            as_tensor(np.asarray(event) == 1, on),
            as_tensor(np.asarray(constant), on),
            changing,
        )
        rows = cohort_rows(time, has_event, changing, bool(daily))
    whole = {
        "subject": rows.subject + 1,
        "start": rows.start,
        "stop": rows.stop,
        "event": rows.event,
    }
    return {
        **{name: column.int().cpu().numpy() for name, column in whole.items()},
        "values": [values.cpu().numpy() for values in rows.values],
    }
