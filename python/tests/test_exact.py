"""The exact partial likelihood of ties against its definition and its identities."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from reference import exact_loglik_score_information
from strategies import make_rows, survival_rows

from survivalgpu.coxph import CoxData, fit_coxph
from survivalgpu.exact_chains import split_ties
from survivalgpu.exact_coxph import fit_exact_coxph
from survivalgpu.exact_likelihood import ExactLikelihood
from survivalgpu.exact_newton import newton_exact
from survivalgpu.newton import CONVERGED, NOT_FINITE, RAN_OUT, NewtonControl

ROUNDING = {"rtol": 1e-10, "atol": 1e-10}


def evaluate(data: CoxData, beta, batch_elements=None, compiled=True):
    likelihood = ExactLikelihood(
        data.x,
        data.stop,
        data.event,
        data.start,
        data.strata,
        data.offset,
        batch_elements,
        compiled,
    )
    at = likelihood.evaluate(torch.as_tensor(np.atleast_2d(beta)).double().to(data.x.device))
    return tuple(t.cpu().numpy()[0] for t in (at.loglik, at.score, at.information))


def one_risk_set(x, n_events, device="cpu"):
    """All rows at one time, the first of them with an event."""
    x = torch.as_tensor(np.asarray(x, dtype=float), device=device)
    event = torch.arange(x.shape[0], device=device) < n_events
    return CoxData(x=x, stop=torch.ones_like(x[:, 0]), event=event)


def test_two_of_three_by_hand(device):
    # risks 2, 3, 5; the first two have the event: 6 / (6 + 10 + 15)
    data = one_risk_set(np.log([[2.0], [3.0], [5.0]]), 2, device)
    loglik, score, information = evaluate(data, [1.0])
    weight = np.array([6.0, 10.0, 15.0]) / 31
    assert loglik == pytest.approx(np.log(6 / 31), rel=1e-14)
    assert score[0] == pytest.approx(np.log(6) - weight @ np.log([6, 10, 15]), rel=1e-13)
    variance = weight @ np.log([6, 10, 15]) ** 2 - (weight @ np.log([6, 10, 15])) ** 2
    assert information[0, 0] == pytest.approx(variance, rel=1e-12)


@settings(max_examples=60)
@given(survival_rows(max_rows=14), st.integers(0, 2**32 - 1), st.booleans())
def test_equals_the_sum_over_all_subsets(rows, seed, compiled):
    beta = np.random.default_rng(seed).normal(size=rows.x.shape[1])
    x, start, stop, event, strata, _, offset = rows.arrays()
    expected = exact_loglik_score_information(x, start, stop, event, strata, offset, beta)
    found = evaluate(rows.data(weights=None), beta, compiled=compiled)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, **ROUNDING)


@pytest.mark.parametrize("counting", [False, True])
def test_batches_are_the_whole(counting, device):
    data = make_rows(5, 300, 3, 12, 20, counting).data(device, weights=None)
    beta = [0.3, -0.5, 1.0]
    whole = evaluate(data, beta, compiled=False)
    for elements in (1, 50, 3000):
        parts = evaluate(data, beta, elements, compiled=False)
        for part, all_at_once in zip(parts, whole, strict=True):
            np.testing.assert_allclose(part, all_at_once, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("n", "p", "n_times", "n_strata", "counting"),
    [(900, 3, 40, 1, False), (900, 1, 4, 3, False), (700, 6, 9, 100, False), (300, 2, 9, 2, True)],
)
def test_the_kernel_equals_its_twin(n, p, n_times, n_strata, counting):
    # long chains: the kernel keeps one block of their states at a time
    rows = make_rows(9, n, p, n_times, n_strata, counting)
    data = rows.data(weights=None)
    beta = np.linspace(-1, 1, p)
    for kernel, twin in zip(
        evaluate(data, beta), evaluate(data, beta, compiled=False), strict=True
    ):
        np.testing.assert_allclose(kernel, twin, rtol=1e-11, atol=1e-10)


def test_the_kernel_takes_column_major_covariates_and_any_number_of_threads():
    data = make_rows(2, 2000, 4, 30, 50, False).data(weights=None)
    columns = replace(data, x=data.x.T.contiguous().T)
    beta, before = [0.1, 0.2, -0.3, 0.4], torch.get_num_threads()
    results = []
    for threads in (1, 3):
        torch.set_num_threads(threads)
        results += [evaluate(data, beta), evaluate(columns, beta)]
    torch.set_num_threads(before)
    for result in results[1:]:
        for part, first in zip(result, results[0], strict=True):
            np.testing.assert_allclose(part, first, rtol=1e-12, atol=1e-11)
    for part, first in zip(results[2], results[0], strict=True):
        np.testing.assert_array_equal(part, first)


@pytest.mark.parametrize("compiled", [False, True])
def test_equal_risks_count_subsets_without_overflow(device, compiled):
    # choose(3000, 1500) is far beyond the largest double
    data = one_risk_set(np.random.default_rng(1).normal(size=(3000, 2)), 1500, device)
    loglik, _, information = evaluate(data, [0.0, 0.0], compiled=compiled)
    log_choose = math.lgamma(3001) - 2 * math.lgamma(1501)
    assert loglik == pytest.approx(-log_choose, rel=1e-12)
    # drawing half of the rows: the variance of a sum without replacement
    x = data.x.cpu().numpy()
    np.testing.assert_allclose(information, 750 * np.cov(x.T), rtol=1e-9, atol=1e-9)


def test_everyone_has_the_event(device):
    loglik, score, information = evaluate(one_risk_set(np.arange(6.0)[:, None], 6, device), [0.7])
    np.testing.assert_allclose([loglik, score[0], information[0, 0]], 0, atol=1e-12)


@pytest.mark.parametrize("compiled", [False, True])
def test_risks_far_apart_stay_finite(device, compiled):
    # logarithms of risks from -300 to 300: the two largest are all but certain
    data = one_risk_set(np.array([[300.0], [299.0], [0.0], [-300.0]]), 2, device)
    loglik, score, _ = evaluate(data, [1.0], compiled=compiled)
    np.testing.assert_allclose([loglik, score[0]], 0, atol=1e-12)
    loglik, score, _ = evaluate(data, [-1.0], compiled=compiled)
    np.testing.assert_allclose([loglik, score[0]], [-899, 899], rtol=1e-12)


def test_single_events_and_ties_are_told_apart(device):
    stop = torch.tensor([3.0, 1.0, 3.0, 2.0, 3.0, 1.0], device=device)
    event = torch.tensor([True, True, True, True, False, False], device=device)
    single, chains = split_ties(stop.double(), event)
    assert single.tolist() == [False, True, False, True, False, False]
    assert sorted(chains.rows.tolist()) == [0, 2, 4]
    assert chains.target_place.tolist() == [3]
    assert chains.target_size.tolist() == [2]
    assert int(chains.is_event.sum()) == 2
    start = torch.tensor([2.0, 0.0, 3.0, 0.0, 0.0, 0.0], device=device).double()
    _, chains = split_ties(stop.double(), event, start)
    # the third row starts where the tied time is: it is not at risk then
    assert sorted(chains.rows.tolist()) == [0, 4]


@settings(max_examples=40)
@given(survival_rows(max_rows=30))
def test_all_treatments_agree_without_ties(rows):
    stop = rows.stop + np.random.default_rng(0).permutation(rows.stop.size) / 100
    data = rows.data(stop=stop, weights=None)
    fits = [fit_exact_coxph(data), fit_coxph(data, "efron")]
    assume(np.isfinite(fits[1].coefficients).all() and fits[1].newton.status[0] == CONVERGED)
    assume(np.linalg.cond(fits[1].information[0]) < 1e6)
    np.testing.assert_allclose(fits[0].loglik, fits[1].loglik, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(fits[0].coefficients, fits[1].coefficients, rtol=1e-5, atol=1e-5)


def test_pairs_are_a_logistic_regression_of_differences(device):
    # one case and one control: 1 / (1 + exp(-difference))
    rng = np.random.default_rng(3)
    x = rng.normal(size=(200, 2, 2))
    data = CoxData(
        x=torch.as_tensor(x.reshape(400, 2), device=device),
        stop=torch.ones(400, device=device).double(),
        event=torch.tensor([True, False], device=device).repeat(200),
        strata=torch.arange(200, device=device).repeat_interleave(2),
    )
    beta = np.array([0.8, -0.3])
    difference = x[:, 0] - x[:, 1]
    chance = 1 / (1 + np.exp(-difference @ beta))
    loglik, score, information = evaluate(data, beta)
    assert loglik == pytest.approx(np.log(chance).sum(), rel=1e-12)
    np.testing.assert_allclose(score, difference.T @ (1 - chance), rtol=1e-11)
    np.testing.assert_allclose(
        information, (difference.T * chance * (1 - chance)) @ difference, rtol=1e-11
    )


def too_steep(beta):
    """Maximum 1 at 2; the score is half as large again, so a step from 0 ends at 6."""
    away = beta[:, 0] - 2.0
    return 1.5 - away**2, -3.0 * away[:, None], np.ones((1, 1, 1))


@pytest.mark.parametrize("counting", [False, True])
def test_a_worse_step_goes_half_way_back(counting):
    trials = []

    def evaluate(beta):
        trials.append(float(beta[0, 0]))
        return too_steep(beta)

    newton_exact(evaluate, np.zeros((1, 1)), NewtonControl(iter_max=3), counting)
    # 6 is worse than 0; half-way back is better
    assert trials[:3] == [0.0, 6.0, 3.0]


@pytest.mark.parametrize(("counting", "kept"), [(True, 3.0), (False, 0.0)])
def test_running_out_keeps_what_survival_keeps(counting, kept):
    result = newton_exact(too_steep, np.zeros((1, 1)), NewtonControl(iter_max=2), counting)
    assert result.status[0] == RAN_OUT
    assert result.beta[0, 0] == kept


def test_a_start_beyond_the_range_is_said_to_be_so():
    def nowhere(beta):
        return np.array([np.nan]), np.zeros((1, 1)), np.ones((1, 1, 1))

    result = newton_exact(nowhere, np.zeros((1, 1)), NewtonControl(), False)
    assert result.status[0] == NOT_FINITE
