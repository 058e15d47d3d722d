"""Score and Schoenfeld residuals against their definitions, identities and edge cases."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import reference
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import make_rows, survival_rows, ties_rules

from survivalgpu import fitted_risks
from survivalgpu.api import (
    cox_schoenfeld_residuals,
    cox_score_residuals,
    fit_cox,
    release_rows,
)
from survivalgpu.compiled_residuals import compiled_score_residuals
from survivalgpu.coxph import PreparedRows, fit_coxph
from survivalgpu.fitted_risks import FittedRisks, FittedRows
from survivalgpu.schoenfeld import schoenfeld_residuals
from survivalgpu.score_residuals import Collapse, score_residuals, score_residuals_of_rows


def fitted(rows, *arguments, **changes) -> FittedRisks:
    """The tables of the rows at ``beta``."""
    return FittedRisks(rows.fitted(*arguments, **changes))


def beta_of(rows, seed=0):
    return np.random.default_rng(seed).normal(size=rows.x.shape[1])


@given(rows=survival_rows(), ties=ties_rules)
def test_residuals_are_the_sums_of_their_definitions(rows, ties):
    beta = beta_of(rows)
    risks = fitted(rows, beta, ties)
    arguments = (*rows.arrays(), beta, ties)
    expected = reference.score_residuals(*arguments)
    np.testing.assert_allclose(score_residuals(risks).numpy(), expected, rtol=0, atol=1e-11)
    event_rows, expected = reference.schoenfeld(*arguments)
    found = schoenfeld_residuals(risks)
    np.testing.assert_array_equal(found.rows.numpy(), event_rows)
    np.testing.assert_allclose(found.residuals.numpy(), expected, rtol=0, atol=1e-11)


@given(rows=survival_rows(), ties=ties_rules, weighted=st.booleans(), n_groups=st.integers(0, 4))
def test_compiled_residuals_are_pytorchs(rows, ties, weighted, n_groups):
    risks = fitted(rows, beta_of(rows), ties)
    data = risks.rows
    codes = torch.arange(data.stop.numel()) % max(n_groups, 1) if n_groups else None
    collapse = None if codes is None else Collapse(codes, n_groups)
    compiled = compiled_score_residuals(data, weighted, codes, n_groups)
    expected = score_residuals(risks, weighted, collapse)
    assert compiled is not None
    np.testing.assert_allclose(compiled.numpy(), expected.numpy(), rtol=0, atol=1e-11)
    p = data.x.shape[1]
    matrix = torch.eye(p, dtype=torch.float64) * 2 + 0.1
    both = [
        score_residuals_of_rows(data, weighted, collapse, matrix),
        score_residuals(risks, weighted, collapse, matrix),
    ]
    np.testing.assert_allclose(both[0].numpy(), both[1].numpy(), rtol=0, atol=1e-10)


@given(rows=survival_rows(), ties=ties_rules, collapsed=st.booleans())
def test_rows_prepared_by_a_fit_have_the_same_residuals(rows, ties, collapsed):
    data = rows.data()
    prepared = PreparedRows(data)
    collapse = Collapse(torch.arange(data.stop.numel()) % 3, 3) if collapsed else None
    for predictors in (rows.fitted(beta_of(rows)).linear_predictors, torch.zeros_like(data.stop)):
        new = rows.fitted(np.zeros(data.x.shape[1]), ties, linear_predictors=predictors)
        kept = dataclasses.replace(new, risk_sets=prepared.risk_sets, design=prepared.design)
        expected = score_residuals(FittedRisks(new), True, collapse).numpy()
        for found in (
            score_residuals_of_rows(kept, True, collapse),
            score_residuals(FittedRisks(kept), True, collapse),
        ):
            np.testing.assert_allclose(found.numpy(), expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("counting", [True, False])
@pytest.mark.parametrize("n_strata", [1, 40])
@pytest.mark.parametrize("n_times", [30, 100_000])
def test_compiled_residuals_over_many_blocks_and_columns(counting, n_strata, n_times, monkeypatch):
    rows = make_rows(5, 20_000, 3, n_times, n_strata, counting)
    risks = fitted(rows, np.array([0.3, -0.2, 0.1]))
    whole = compiled_score_residuals(risks.rows, True, None, 0)
    expected = score_residuals(risks, True)
    scale = expected.abs().max()
    np.testing.assert_allclose((whole / scale).numpy(), (expected / scale).numpy(), atol=1e-11)
    monkeypatch.setattr("survivalgpu.compiled_residuals._ELEMENTS", 0)
    kept = PreparedRows(rows.data())
    of_fit = dataclasses.replace(risks.rows, risk_sets=kept.risk_sets, design=kept.design)
    for data in (risks.rows, of_fit):
        by_column = compiled_score_residuals(data, True, None, 0)
        np.testing.assert_allclose((by_column / scale).numpy(), (whole / scale).numpy(), atol=1e-12)


def test_predictors_out_of_range_are_left_to_pytorch():
    rows = make_rows(5, 200, 2, 30, 1, True)
    risks = fitted(rows, np.zeros(2))
    far = dataclasses.replace(risks.rows, linear_predictors=risks.rows.linear_predictors + 500.0)
    assert compiled_score_residuals(far, False, None, 0) is None
    near = score_residuals_of_rows(risks.rows)
    np.testing.assert_allclose(score_residuals_of_rows(far).numpy(), near.numpy(), atol=1e-10)


@given(rows=survival_rows(), ties=ties_rules)
def test_weighted_residuals_add_up_to_the_score(rows, ties):
    beta = beta_of(rows)
    risks = fitted(rows, beta, ties)
    _, score, _ = reference.loglik_score_information(*rows.arrays(), beta, ties)
    total = score_residuals(risks, weighted=True).sum(0)
    np.testing.assert_allclose(total.numpy(), score, rtol=0, atol=1e-10)
    found = schoenfeld_residuals(risks)
    weights = rows.weights[found.rows.numpy()]
    np.testing.assert_allclose(weights @ found.residuals.numpy(), score, rtol=0, atol=1e-10)


@pytest.mark.parametrize("counting", [False, True])
def test_hand_checked(counting, device):
    # risks 1, 1, 2 at x = 0, 1, 3; one event at time 1, two tied at time 2
    rows = FittedRows(
        x=torch.tensor([[0.0], [1.0], [3.0]], dtype=torch.float64, device=device),
        linear_predictors=torch.tensor([0.0, 0.0, np.log(2)], dtype=torch.float64, device=device),
        stop=torch.tensor([1.0, 2.0, 2.0], dtype=torch.float64, device=device),
        event=torch.tensor([True, True, True], device=device),
        start=torch.zeros(3, dtype=torch.float64, device=device) if counting else None,
    )
    risks = FittedRisks(rows)
    # means 7/4 at time 1; at time 2 both terms of Efron's have the mean 7/3, with
    # denominators 3 and 3/2 and the second term's risks halved
    found = schoenfeld_residuals(risks).residuals[:, 0].cpu().numpy()
    np.testing.assert_allclose(found, [-7 / 4, 1 - 7 / 3, 3 - 7 / 3], rtol=1e-14)
    score = score_residuals(risks)[:, 0].cpu().numpy()
    at_2 = 1 / 3 + 1 / 2 / 1.5
    expected = [
        -7 / 4 * (1 - 1 / 4),
        -(1 - 7 / 4) / 4 + (1 - 7 / 3) * (1 - at_2),
        -2 * (3 - 7 / 4) / 4 + (3 - 7 / 3) * (1 - 2 * at_2),
    ]
    np.testing.assert_allclose(score, expected, rtol=1e-13)


@given(rows=survival_rows(), ties=ties_rules)
def test_collapsed_residuals_are_sums_of_residuals(rows, ties):
    beta = beta_of(rows)
    risks = fitted(rows, beta, ties)
    codes = np.random.default_rng(3).integers(0, 5, rows.stop.size)
    matrix = np.random.default_rng(4).normal(size=(rows.x.shape[1],) * 2)
    collapse = Collapse(torch.as_tensor(codes), 6)
    found = score_residuals(risks, True, collapse, torch.as_tensor(matrix)).numpy()
    expected = np.zeros((6, rows.x.shape[1]))
    np.add.at(expected, codes, rows.weights[:, None] * score_residuals(risks).numpy() @ matrix)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("counting", [False, True])
def test_columns_one_at_a_time_are_columns_together(counting, monkeypatch, device):
    rows = make_rows(5, 300, 4, 30, 3, counting)
    rows.x[:, 2] = rows.x[:, 2] > 0
    risks = fitted(rows, beta_of(rows), device=device)
    together = score_residuals(risks), schoenfeld_residuals(risks).residuals
    monkeypatch.setitem(fitted_risks._ELEMENTS, risks.risk.device.type, 1)
    alone = score_residuals(risks), schoenfeld_residuals(risks).residuals
    for one, other in zip(together, alone, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-12)


@pytest.mark.parametrize("counting", [False, True])
def test_strata_are_separate_data_sets(counting):
    rows = make_rows(6, 200, 2, 12, 3, counting)
    rows.event[np.unique(rows.strata, return_index=True)[1]] = True
    beta = beta_of(rows)
    whole = score_residuals(fitted(rows, beta)).numpy()
    for stratum in range(3):
        own = rows.strata == stratum
        part = type(rows)(
            *(getattr(rows, name)[own] for name in (
                "x", "start", "stop", "event", "strata", "weights", "offset"
            )),
            counting,
        )  # fmt: skip
        alone = score_residuals(fitted(part, beta, strata=None)).numpy()
        np.testing.assert_allclose(whole[own], alone, rtol=0, atol=1e-12)


def test_breslow_is_efron_without_ties():
    rows = make_rows(7, 100, 3, 5, 2, True)
    rows.stop[:] = np.random.default_rng(2).permutation(100) + 6.0
    beta = beta_of(rows)
    efron, breslow = (score_residuals(fitted(rows, beta, ties)) for ties in ("efron", "breslow"))
    torch.testing.assert_close(efron, breslow, rtol=0, atol=1e-13)


def test_integer_weights_are_copies_under_breslow():
    rows = make_rows(8, 60, 2, 8, 2, True)
    copies = np.random.default_rng(1).integers(1, 4, 60)
    index = np.repeat(np.arange(60), copies)
    weights = torch.as_tensor(copies.astype(float))
    beta = beta_of(rows)
    names = ("x", "start", "stop", "event", "strata", "weights", "offset")
    long = type(rows)(*(getattr(rows, name)[index] for name in names), True)
    found = score_residuals(fitted(rows, beta, "breslow", weights=weights)).numpy()
    repeated = score_residuals(fitted(long, beta, "breslow", weights=None)).numpy()
    np.testing.assert_allclose(found[index], repeated, rtol=0, atol=1e-12)


@pytest.mark.parametrize("counting", [False, True])
def test_score_residuals_of_a_fit_add_up_to_zero(counting, device):
    rows = make_rows(9, 400, 3, 40, 2, counting)
    data = rows.data(device)
    fit = fit_coxph(data)
    predictors = torch.as_tensor(fit.linear_predictors, device=device)
    risks = fitted(rows, np.zeros(3), device=device, linear_predictors=predictors)
    dfbeta = score_residuals(
        risks, True, matrix=torch.as_tensor(fit.variance[0], device=device)
    ).sum(0)
    assert float(dfbeta.abs().max()) < 1e-8


@pytest.mark.parametrize("shift", [1e4, -1e4])
@pytest.mark.parametrize("counting", [False, True])
def test_large_predictors_are_shifted_by_stratum(counting, shift):
    rows = make_rows(10, 80, 2, 9, 3, counting)
    beta = beta_of(rows)
    offset = rows.offset + shift * rows.strata
    plain = score_residuals(fitted(rows, beta)).numpy()
    predictors = torch.as_tensor(rows.x @ beta + offset)
    moved = score_residuals(fitted(rows, beta, linear_predictors=predictors)).numpy()
    np.testing.assert_allclose(moved, plain, rtol=0, atol=1e-8)


def test_a_distant_column_loses_no_digits():
    rows = make_rows(11, 200, 2, 20, 2, True)
    beta = beta_of(rows)
    exact = np.round(rows.x * 1024) / 1024
    predictors = torch.as_tensor(exact @ beta)
    near = fitted(rows, beta, x=torch.as_tensor(exact), linear_predictors=predictors)
    far = fitted(rows, beta, x=torch.as_tensor(exact + 2.0**30), linear_predictors=predictors)
    torch.testing.assert_close(score_residuals(near), score_residuals(far), rtol=0, atol=1e-12)


def test_a_column_constant_in_each_stratum_has_residual_zero():
    rows = make_rows(12, 50, 2, 9, 3, False)
    rows.x[:, 1] = 0.1 + rows.strata / 3
    risks = fitted(rows, np.array([0.3, 0.0]))
    assert not score_residuals(risks)[:, 1].any()
    assert not schoenfeld_residuals(risks).residuals[:, 1].any()


def test_rows_never_at_risk_have_residual_zero():
    rows = make_rows(13, 60, 2, 5, 1, True)
    rows.start[:20], rows.stop[:20], rows.event[:20] = 50.0, 60.0, False
    found = score_residuals(fitted(rows, beta_of(rows)))
    assert not found[:20].any()
    assert found[20:].any()


@pytest.mark.parametrize("counting", [False, True])
def test_the_front_ends_door_to_the_rows_of_a_fit(counting):
    rows = make_rows(15, 80, 2, 6, 3, counting)
    columns = (rows.start, rows.stop, rows.event) if counting else (rows.stop, rows.event)
    y, ties = np.column_stack(columns).astype(float), "efron"
    data = {"x": rows.x, "y": y, "strata": rows.strata, "weights": rows.weights}
    control = {"iter_max": 20, "eps": 1e-9, "toler_chol": 1e-10}
    arguments = {**data, "offset": rows.offset, "init": None, "ties": ties, "device": "cpu"}
    uncentred = np.array([False, True])
    fit = fit_cox(**arguments, **control, uncentred=uncentred, resid=True, keep=True)
    at = {"linear_predictors": fit["linear_predictors"], "ties": ties}
    options = ("cpu", True, np.arange(80) % 4, 4, fit["var"])
    prepared = cox_score_residuals({"prepared": fit["prepared"], **at}, *options)
    anew = cox_score_residuals({**data, **at}, *options)
    np.testing.assert_allclose(prepared["residuals"], anew["residuals"], rtol=0, atol=1e-12)
    assert release_rows(fit["prepared"]) == {"ok": True}
    assert not vars(fit["prepared"])
    fit = fit_cox(**arguments, **control, uncentred=uncentred, resid=True)
    assert fit["prepared"] is None


@pytest.mark.parametrize("counting", [False, True])
def test_the_front_ends_door(counting):
    rows = make_rows(14, 70, 3, 6, 3, counting)
    beta = beta_of(rows)
    columns = (rows.start, rows.stop, rows.event) if counting else (rows.stop, rows.event)
    arguments = {
        "x": np.asfortranarray(rows.x),
        "y": np.column_stack(columns).astype(float),
        "strata": (rows.strata * 1000 - 17).astype(np.int32),
        "weights": rows.weights,
        "linear_predictors": rows.x @ beta + rows.offset,
        "ties": "efron",
    }
    result = cox_score_residuals(arguments, "cpu", False, None, 0, None)
    expected = reference.score_residuals(*rows.arrays(), beta, "efron")
    np.testing.assert_allclose(result["residuals"], expected, rtol=0, atol=1e-11)
    groups = np.arange(70) % 2
    result = cox_score_residuals(arguments, "cpu", True, groups, 2, np.eye(3))
    weighted = rows.weights[:, None] * expected
    np.testing.assert_allclose(result["residuals"][1], weighted[1::2].sum(0), rtol=0, atol=1e-10)
    result = cox_schoenfeld_residuals(arguments, "cpu")
    event_rows, expected = reference.schoenfeld(*rows.arrays(), beta, "efron")
    np.testing.assert_array_equal(result["rows"], event_rows)
    np.testing.assert_allclose(result["residuals"], expected, rtol=0, atol=1e-11)
