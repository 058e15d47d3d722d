"""Sums for the test of proportional hazards against their definition and identities."""

from __future__ import annotations

import numpy as np
import pytest
import reference
import torch
from hypothesis import given
from strategies import make_rows, survival_rows, ties_rules

from survivalgpu import proportional_hazards
from survivalgpu.api import cox_zph
from survivalgpu.fitted_risks import FittedRows
from survivalgpu.proportional_hazards import zph_sums


def fitted(rows, *arguments, **changes) -> FittedRows:
    return rows.fitted(*arguments, **changes)


@given(rows=survival_rows(), ties=ties_rules)
def test_sums_are_those_of_the_definition(rows, ties):
    beta = np.random.default_rng(1).normal(size=rows.x.shape[1])
    g = np.log1p(rows.stop)
    sums = zph_sums(fitted(rows, beta, ties), torch.as_tensor(g))
    arguments = (*rows.arrays(), beta, ties)
    score, information = reference.zph(*arguments, g)
    np.testing.assert_allclose(sums.score.numpy(), score, rtol=0, atol=1e-10)
    np.testing.assert_allclose(sums.information.numpy(), information, rtol=0, atol=1e-10)
    event_rows, residuals = reference.schoenfeld(*arguments)
    found = sums.rows.numpy()
    key = np.lexsort((found, rows.stop[found], rows.strata[found]))
    np.testing.assert_array_equal(found[key], event_rows)
    np.testing.assert_allclose(sums.schoenfeld.numpy()[key], residuals, rtol=0, atol=1e-11)
    np.testing.assert_array_equal(sums.transformed.numpy(), g[found])


@pytest.mark.parametrize("counting", [False, True])
@pytest.mark.parametrize(("n", "p"), [(300, 1), (20000, 3), (9000, 5)])
def test_compiled_sums_are_pytorchs(n, p, counting, monkeypatch):
    assert proportional_hazards.kernels_for() is not None
    rows = make_rows(8, n, p, 40, 4, counting)
    rows.x[:, 0] = rows.x[:, 0] > 0
    data = fitted(rows, np.linspace(-0.5, 0.5, p))
    compiled = zph_sums(data)
    monkeypatch.setattr(proportional_hazards, "kernels_for", lambda *_: None)
    plain = zph_sums(data)
    for name in ("information", "score", "schoenfeld"):
        one, other = getattr(compiled, name), getattr(plain, name)
        scale = float(other.abs().max()) if name == "information" else 1.0
        torch.testing.assert_close(one, other, rtol=0, atol=1e-11 * max(scale, 1.0))


def test_more_columns_than_the_kernel_takes(monkeypatch):
    rows = make_rows(9, 60, 4, 8, 2, False)
    data = fitted(rows, np.zeros(4))
    compiled = zph_sums(data).information
    monkeypatch.setattr(proportional_hazards, "_MOST_COVARIATES", 3)
    torch.testing.assert_close(zph_sums(data).information, compiled, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("counting", [False, True])
def test_a_constant_function_of_time_adds_nothing(counting, device):
    rows = make_rows(3, 120, 3, 15, 2, counting)
    beta = np.array([0.3, -0.2, 0.1])
    data = fitted(rows, beta, device=device)
    sums = zph_sums(data, torch.full_like(data.stop, 7.0))
    _, score, information = reference.loglik_score_information(*rows.arrays(), beta, "efron")
    np.testing.assert_allclose(sums.score[:3].cpu(), score, rtol=0, atol=1e-10)
    np.testing.assert_allclose(sums.information[:3, :3].cpu(), information, rtol=1e-10, atol=1e-12)
    assert float(sums.score[3:].abs().max()) < 1e-12
    assert float(sums.information[3:].abs().max()) < 1e-12


def test_events_count_where_a_covariate_varies():
    rows = make_rows(4, 90, 3, 9, 3, False)
    rows.x[:, 0] = rows.strata
    rows.x[rows.strata == 1, 1] = 5.0
    used = zph_sums(fitted(rows, np.zeros(3)), torch.as_tensor(rows.stop)).used.numpy()
    events = np.bincount(rows.strata, weights=rows.event).astype(int)
    expected = np.column_stack((0 * events, events * [1, 0, 1], events))
    np.testing.assert_array_equal(used, expected)
    rows.strata[:] = 0
    rows.x[:, 2] = 1.0
    whole = fitted(rows, np.zeros(3), strata=None)
    used = zph_sums(whole, torch.as_tensor(rows.stop)).used.numpy()
    np.testing.assert_array_equal(used, [[events.sum(), events.sum(), 0]])


def test_tied_events_are_listed_as_survival_lists_them():
    for counting in (False, True):
        rows = make_rows(5, 40, 1, 3, 2, counting)
        found = zph_sums(fitted(rows, np.zeros(1)), torch.as_tensor(rows.stop)).rows.numpy()
        within = -found if counting else found
        key = np.lexsort((within, rows.stop[found], rows.strata[found]))
        np.testing.assert_array_equal(key, np.arange(found.size))


def at_events(stop, event, start=None, transform="km", strata=None):
    """Transformed times of the events, by row."""
    rows = FittedRows(
        x=torch.zeros(stop.numel(), 1, dtype=torch.float64),
        linear_predictors=torch.zeros_like(stop),
        stop=stop,
        event=event,
        start=start,
        strata=strata,
    )
    sums = zph_sums(rows, transform)
    out = np.full(stop.numel(), np.nan)
    out[sums.rows.numpy()] = sums.transformed.numpy()
    return out[event.numpy()]


@pytest.mark.parametrize("strata", [None, torch.tensor([1, 0, 0, 1, 2])])
def test_transforms_hand_checked(strata):
    stop = torch.tensor([3.0, 1.0, 2.0, 2.0, 4.0], dtype=torch.float64)
    event = torch.tensor([True, True, True, False, True])
    found = at_events(stop, event, strata=strata)
    expected = [1 - 4 / 5 * 3 / 4, 0, 1 - 4 / 5, 1 - 4 / 5 * 3 / 4 / 2]
    np.testing.assert_allclose(found, expected, rtol=1e-14)
    start = torch.tensor([0.0, 0.0, 1.0, 0.0, 2.0], dtype=torch.float64)
    # at risk: three at time 1, three at 2, two at 3
    found = at_events(stop, event, start, strata=strata)
    np.testing.assert_allclose(found, [1 - 4 / 9, 0, 1 - 2 / 3, 1 - 2 / 9], rtol=1e-14)
    found = at_events(stop, event, start, "rank", strata)
    np.testing.assert_array_equal(found, [4, 1, 2.5, 5])


@given(rows=survival_rows())
def test_kaplan_meier_ignores_strata(rows):
    curve, values = 1.0, {}
    for t in np.unique(rows.stop):
        values[t] = 1 - curve
        present = (rows.stop >= t) & ((rows.start < t) | (not rows.counting))
        curve *= 1 - (rows.event & (rows.stop == t)).sum() / present.sum()
    expected = np.array([values[t] for t in rows.stop])[rows.event]
    data = rows.data()
    for strata in (None, data.strata):
        found = at_events(data.stop, data.event, data.start, strata=strata)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize("transform", ["km", "rank", "given"])
def test_the_front_ends_door(transform):
    rows = make_rows(6, 70, 2, 6, 2, True)
    beta = np.array([0.4, -0.6])
    arguments = {
        "x": np.asfortranarray(rows.x),
        "y": np.column_stack((rows.start, rows.stop, rows.event)).astype(float),
        "strata": rows.strata + 1,
        "weights": rows.weights,
        "linear_predictors": rows.x @ beta + rows.offset,
        "ties": "breslow",
    }
    given = np.sqrt(rows.stop) if transform == "given" else None
    result = cox_zph(arguments, transform, given, "cpu")
    g = np.interp(
        rows.stop, rows.stop[result["rows"]][np.argsort(result["x"])], np.sort(result["x"])
    )
    if given is not None:
        np.testing.assert_array_equal(result["x"], given[result["rows"]])
    score, information = reference.zph(*rows.arrays(), beta, "breslow", g)
    np.testing.assert_allclose(result["u"], score, rtol=0, atol=1e-9)
    np.testing.assert_allclose(result["imat"], information, rtol=1e-9, atol=1e-9)
    assert result["used"].shape == (2, 2)
