"""The partial likelihood as a front end's own maximiser asks for it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import loglik_score_information, martingale
from strategies import make_rows, survival_rows, ties_rules

from survivalgpu import api
from survivalgpu.user_likelihood import UserLikelihood

ROUNDING = {"rtol": 1e-10, "atol": 1e-10}


@settings(max_examples=40)
@given(survival_rows(), ties_rules, st.integers(0, 2**32 - 1))
def test_equals_the_definition_on_the_users_scale(rows, ties, seed):
    beta = np.random.default_rng(seed).normal(size=rows.x.shape[1])
    likelihood = UserLikelihood(rows.data(), ties)
    expected = loglik_score_information(*rows.arrays(), beta, ties)
    for ours, theirs in zip(likelihood.evaluate(beta), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, **ROUNDING)
    np.testing.assert_allclose(
        likelihood.martingale(beta), martingale(*rows.arrays(), beta, ties), **ROUNDING
    )


@pytest.mark.parametrize("counting", [False, True])
def test_the_front_end_gets_plain_arrays(counting, device):
    rows = make_rows(3, 60, 2, 9, 3, counting)
    y = np.column_stack(
        [rows.start, rows.stop, rows.event] if counting else [rows.stop, rows.event]
    )
    beta = np.array([0.4, -0.2])
    made = api.cox_likelihood(
        rows.x, y.astype(float), rows.strata, rows.offset, rows.weights, "efron", device
    )
    at = api.evaluate_cox_likelihood(made["likelihood"], beta)
    loglik, score, information = loglik_score_information(*rows.arrays(), beta, "efron")
    assert at["ok"]
    assert at["loglik"] == pytest.approx(loglik, rel=1e-12)
    np.testing.assert_allclose(at["score"], score, **ROUNDING)
    np.testing.assert_allclose(at["information"], information, **ROUNDING)
    residuals = api.cox_likelihood_residuals(made["likelihood"], beta)["residuals"]
    np.testing.assert_allclose(residuals, martingale(*rows.arrays(), beta, "efron"), **ROUNDING)


def test_factors_multiply_to_the_matrix_and_give_the_step():
    rng = np.random.default_rng(8)
    root = rng.normal(size=(6, 4))
    information, score = root.T @ root, rng.normal(size=4)
    found = api.factor_information(information, score, 1e-12)
    diagonal = np.diag(1 / found["inverse_pivots"])
    np.testing.assert_allclose(
        found["factor"] @ diagonal @ found["factor"].T, information, rtol=1e-12, atol=1e-12
    )
    np.testing.assert_allclose(found["inverse_factor"] @ found["factor"], np.eye(4), atol=1e-12)
    np.testing.assert_allclose(found["step"], np.linalg.solve(information, score), rtol=1e-10)
    assert found["rank"] == 4


def test_a_redundant_column_has_no_step():
    information = np.array([[2.0, 4.0], [4.0, 8.0]])
    found = api.factor_information(information, np.array([1.0, 2.0]), 1e-9)
    assert found["rank"] == 1
    np.testing.assert_array_equal(found["inverse_pivots"], [0.5, 0.0])
    np.testing.assert_array_equal(found["step"], [0.5, 0.0])
