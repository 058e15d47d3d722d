"""The partial likelihood against its definition, by hand and by identities."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from reference import loglik_score_information, martingale
from strategies import make_rows, survival_rows, ties_rules

from survivalgpu.coxph import CoxData, _scale_row
from survivalgpu.design import build_design
from survivalgpu.partial_likelihood import PartialLikelihood
from survivalgpu.risk_sets import build_risk_sets

# Sums of at most 40 rows in another order: a few hundred roundings at most.
ROUNDING = {"rtol": 1e-10, "atol": 1e-10}


def likelihood_of(data: CoxData, ties, block_rows=None, uncentred=True):
    """Likelihood on the user's own scale of the covariates."""
    risk_sets = build_risk_sets(data.stop, data.event, data.start, data.strata)
    mask = torch.full((data.x.shape[1],), uncentred, device=data.x.device)
    design = build_design(
        data.x, risk_sets, mask, data.offset, data.weights, _scale_row(data, risk_sets)
    )
    return PartialLikelihood(risk_sets, design, ties, block_rows)


def evaluate(data, beta, ties, **options):
    likelihood = likelihood_of(data, ties, **options)
    at = likelihood.evaluate(torch.as_tensor(np.atleast_2d(beta)).to(data.x.device))
    return tuple(t.cpu().numpy() for t in (at.loglik, at.score, at.information))


def test_three_subjects_by_hand(device):
    # x = 1, 0, 2 with events at 1 and 2 and a censoring at 3, beta = log 2: risks 2, 1, 4
    data = CoxData(
        x=torch.tensor([[1.0], [0.0], [2.0]], device=device).double(),
        stop=torch.tensor([1.0, 2.0, 3.0], device=device).double(),
        event=torch.tensor([True, True, False], device=device),
    )
    loglik, score, information = evaluate(data, [np.log(2.0)], "efron")
    # denominators 7 and 5; risk-set means 10/7 and 8/5
    assert loglik[0] == pytest.approx(np.log(2 / 7) + np.log(1 / 5), rel=1e-14)
    assert score[0, 0] == pytest.approx((1 - 10 / 7) + (0 - 8 / 5), rel=1e-14)
    variance = (18 / 7 - (10 / 7) ** 2) + (16 / 5 - (8 / 5) ** 2)
    assert information[0, 0, 0] == pytest.approx(variance, rel=1e-13)


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_two_tied_events_by_hand(ties, device):
    # risks 3 and 1 die together, 2 stays: Efron's second denominator spares half of 4
    data = CoxData(
        x=torch.tensor([[1.0], [0.0], [0.5]], device=device).double(),
        stop=torch.tensor([1.0, 1.0, 2.0], device=device).double(),
        event=torch.tensor([True, True, False], device=device),
        offset=torch.log(torch.tensor([3.0, 1.0, 2.0], device=device).double()),
    )
    second = 4.0 if ties == "efron" else 6.0
    loglik, _, _ = evaluate(data, [0.0], ties)
    assert loglik[0] == pytest.approx(np.log(3.0) - np.log(6.0) - np.log(second), rel=1e-14)


@given(survival_rows(), ties_rules, st.integers(0, 2**32 - 1))
def test_equals_the_definition(rows, ties, seed):
    beta = np.random.default_rng(seed).normal(size=rows.x.shape[1])
    expected = loglik_score_information(*rows.arrays(), beta, ties)
    loglik, score, information = evaluate(rows.data(), beta, ties)
    np.testing.assert_allclose(loglik[0], expected[0], **ROUNDING)
    np.testing.assert_allclose(score[0], expected[1], **ROUNDING)
    np.testing.assert_allclose(information[0], expected[2], **ROUNDING)


@given(survival_rows(), ties_rules)
def test_martingale_residuals_equal_the_definition(rows, ties):
    beta = np.linspace(-0.5, 0.8, rows.x.shape[1])
    likelihood = likelihood_of(rows.data(), ties)
    residual = likelihood.martingale(torch.tensor(beta)).numpy()
    np.testing.assert_allclose(residual, martingale(*rows.arrays(), beta, ties), **ROUNDING)
    # observed equals expected in each stratum
    for s in np.unique(rows.strata):
        inside = rows.strata == s
        assert abs((rows.weights * residual)[inside].sum()) < 1e-9


@pytest.mark.parametrize("counting", [True, False])
@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_derivatives_are_those_of_finite_differences(ties, counting):
    data = make_rows(5, 60, 3, 12, 2, counting).data()
    beta, h = np.array([0.3, -0.2, 0.5]), 1e-5
    steps = np.concatenate([beta + h * np.eye(3), beta - h * np.eye(3)])
    loglik, score, _ = evaluate(data, steps, ties)
    _, at_score, at_information = evaluate(data, beta, ties)
    np.testing.assert_allclose((loglik[:3] - loglik[3:]) / (2 * h), at_score[0], rtol=1e-6)
    slope = -(score[:3] - score[3:]) / (2 * h)
    np.testing.assert_allclose(slope, at_information[0], rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("counting", [True, False])
def test_block_size_changes_nothing(counting, device):
    rows = make_rows(8, 500, 3, 30, 3, counting)
    one = evaluate(rows.data(device), [0.1, 0.2, -0.3], "efron")
    sevens = evaluate(rows.data(device), [0.1, 0.2, -0.3], "efron", block_rows=7)
    for a, b in zip(one, sevens, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("counting", [True, False])
@pytest.mark.parametrize("n_problems", [3, 12])
def test_batched_coefficients_equal_looped(counting, n_problems, device):
    data = make_rows(9, 300, 4, 25, 3, counting).data(device)
    betas = np.random.default_rng(0).normal(size=(n_problems, 4)) / 2
    together = evaluate(data, betas, "efron")
    for b, beta in enumerate(betas):
        for many, one in zip(together, evaluate(data, beta, "efron"), strict=True):
            np.testing.assert_allclose(many[b], one[0], rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("counting", [True, False])
@pytest.mark.parametrize("n_problems", [2, 12])
def test_batched_weights_equal_looped(counting, n_problems, device):
    rows = make_rows(10, 200, 2, 15, 2, counting)
    weights = np.random.default_rng(1).exponential(size=(200, n_problems)) + 0.1
    betas = np.random.default_rng(2).normal(size=(n_problems, 2)) / 2
    together = evaluate(rows.data(device, weights=weights), betas, "efron")
    for b, beta in enumerate(betas):
        alone = evaluate(rows.data(device, weights=weights[:, b].copy()), beta, "efron")
        for many, one in zip(together, alone, strict=True):
            np.testing.assert_allclose(many[b], one[0], rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("counting", [True, False])
def test_a_linear_predictor_spread_of_forty_keeps_its_digits(counting):
    rng = np.random.default_rng(12)
    rows = make_rows(12, 80, 2, 20, 2, counting)
    offset = rng.uniform(-40, 40, 80)
    arrays = (*rows.arrays()[:-1], offset)
    expected = loglik_score_information(*arrays, np.zeros(2), "efron")
    found = evaluate(rows.data(offset=offset), np.zeros(2), "efron")
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a[0], b, rtol=1e-8, atol=1e-10)


def test_large_offsets_are_recentred_within_strata():
    rows = make_rows(13, 60, 2, 20, 2, counting=True)
    shifted = rows.offset + 600.0 * rows.strata - 900.0
    plain = evaluate(rows.data(), [0.1, 0.2], "efron")
    moved = evaluate(rows.data(offset=shifted), [0.1, 0.2], "efron")
    for a, b in zip(plain, moved, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)


def test_scaling_and_centring_leave_the_likelihood_alone():
    rows = make_rows(14, 100, 3, 20, 3, counting=True)
    data = rows.data(x=rows.x * [1e-3, 1.0, 1e4] + [5.0, -3.0, 1e5])
    likelihood = likelihood_of(data, "efron", uncentred=False)
    beta = np.array([20.0, 0.1, 1e-5])
    scale = likelihood.design.scale.numpy()
    at = likelihood.evaluate(torch.tensor(beta / scale).unsqueeze(0))
    arrays = (data.x.numpy(), *rows.arrays()[1:])
    loglik, score, information = loglik_score_information(*arrays, beta, "efron")
    np.testing.assert_allclose(at.loglik[0], loglik, rtol=1e-9)
    np.testing.assert_allclose(at.score[0] / scale, score, rtol=1e-6)
    outer = scale[:, None] * scale
    np.testing.assert_allclose(at.information[0] / outer, information, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("value", [0.1, 1.0])
@pytest.mark.parametrize("counting", [True, False])
def test_a_column_constant_in_each_stratum_has_exactly_no_information(counting, value):
    rows = make_rows(15, 90, 2, 20, 3, counting)
    x = np.column_stack([rows.x[:, 0], value * (1 + rows.strata)])
    _, score, information = evaluate(rows.data(x=x), [0.4, 0.0], "efron")
    assert score[0, 1] == 0
    assert not information[0, 1].any()


def test_risks_too_small_for_a_reciprocal_are_raised():
    # predictors down to -730: the last risk sets' totals are below 1e-308, and yet positive
    rows = make_rows(16, 60, 2, 20, 1, counting=False)
    data = rows.data(stop=np.arange(60.0), offset=-np.linspace(0.0, 730.0, 60), strata=None)
    raised = rows.data(
        stop=np.arange(60.0), offset=350.0 - np.linspace(0.0, 730.0, 60), strata=None
    )
    low, high = evaluate(data, [0.1, 0.2], "efron"), evaluate(raised, [0.1, 0.2], "efron")
    for a, b in zip(low, high, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)
