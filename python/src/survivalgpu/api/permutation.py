"""Permutation tests of a Cox model's terms for R."""

from __future__ import annotations

from typing import Any

import numpy as np

from survivalgpu.api.boundary import cox_data, plain


@plain
def permutation_test(
    rows: dict[str, Any],
    ties: str,
    device: str,
    control: dict[str, Any],
    terms: dict[str, Any],
    statistic: str,
) -> dict[str, Any]:
    """Prepare a permutation test and compute the statistics of the data.

    Parameters
    ----------
    rows : dict
        ``x`` (n, p) without redundant columns, ``y`` (n, 2 or 3), ``subjects`` (n,) codes
        from 0, and each of these or None: ``strata`` (n,) labels, ``offset`` and ``weights``
        (n,), ``resampling_strata`` (n_subjects,) codes.
    ties : str
        ``"efron"`` or ``"breslow"``.
    device : str
        As :func:`survivalgpu.device.resolve_device` takes it.
    control : dict
        ``iter_max``, ``eps``, ``toler_chol``; see :class:`survivalgpu.newton.NewtonControl`.
    terms : dict
        ``names``, a list of str; ``columns``, from 0, of one term after another, and
        ``sizes``, how many each has.
    statistic : str
        ``"score"``, ``"lrt"`` or ``"wald"``.

    Returns
    -------
    dict
        ``test``, for the front end to hand back for each batch and to drop then;
        ``observed`` (T,).
    """
    from survivalgpu.newton import NewtonControl
    from survivalgpu.resampling.permutation import PermutationTest

    given = (rows[name] for name in ("x", "y", "strata", "offset", "weights"))
    strata = rows["resampling_strata"]
    columns = np.asarray(terms["columns"], dtype=np.int64)
    ends = np.cumsum(np.asarray(terms["sizes"], dtype=np.int64))[:-1]
    test = PermutationTest(
        cox_data(*given, device),
        np.asarray(rows["subjects"]).astype(np.int64),
        dict(zip(terms["names"], np.split(columns, ends), strict=True)),
        ties,
        NewtonControl(
            int(control["iter_max"]), float(control["eps"]), float(control["toler_chol"])
        ),
        strata=None if strata is None else np.asarray(strata).astype(np.int64),
        statistic=statistic,
    )
    return {"test": test, "observed": test.observed()}


@plain
def drawn_statistics(test: Any, seed: float, first: int, number: int) -> dict[str, Any]:
    """Statistics ``(number, T)`` of the permutations ``first``, from 0, and following."""
    return {"statistics": test.drawn(seed, int(first), int(number))}


@plain
def given_statistics(test: Any, donors: np.ndarray) -> dict[str, Any]:
    """Statistics ``(B, T)`` of permutations ``(n_subjects, B)`` of subjects, from 0."""
    return {"statistics": test.statistics(np.asarray(donors).T)}


@plain
def terms_at_once(n: int, p: int) -> dict[str, Any]:
    """How many terms of a model of ``n`` rows and ``p`` columns to test together."""
    from survivalgpu.resampling.permutation import terms_at_once

    return {"number": terms_at_once(int(n), int(p))}


@plain
def permutation_p_values(observed: np.ndarray, null: np.ndarray, df: np.ndarray) -> dict[str, Any]:
    """P-values ``(T,)``: see :func:`survivalgpu.resampling.p_values.permutation_p_values`.

    Returns
    -------
    dict
        ``each``, ``adjusted`` and ``stepdown``.
    """
    from survivalgpu.resampling.p_values import permutation_p_values

    return vars(permutation_p_values(np.asarray(observed), np.asarray(null), np.asarray(df)))
