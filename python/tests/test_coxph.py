"""Whole fits: identities, hard cases, and R's own fitters on the same rows."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from strategies import make_rows, survival_rows, ties_rules

from survivalgpu.api import fit_cox
from survivalgpu.coxph import CoxData, fit_coxph
from survivalgpu.newton import CONVERGED, RAN_OUT, NewtonControl

# Newton stops at a relative change of 1e-9 in the log-likelihood; the last step makes
# the coefficients good to its square root squared again, far below this.
SAME = {"rtol": 1e-9, "atol": 1e-10}


def tensors(**arrays) -> CoxData:
    return CoxData(**{k: torch.as_tensor(np.ascontiguousarray(v)) for k, v in arrays.items()})


def assert_same_fit(a, b, tolerance=SAME):
    np.testing.assert_allclose(a.coefficients, b.coefficients, **tolerance)
    np.testing.assert_allclose(a.variance, b.variance, **tolerance)
    np.testing.assert_allclose(a.loglik, b.loglik, rtol=1e-11)
    assert (a.newton.iterations == b.newton.iterations).all()


@pytest.mark.parametrize("counting", [True, False])
def test_weights_are_replication_under_breslow(counting):
    rows = make_rows(21, 120, 3, 20, 2, counting)
    times = np.random.default_rng(4).integers(1, 4, 120)
    again = np.repeat(np.arange(120), times)
    weighted = fit_coxph(rows.data(weights=times.astype(float)), "breslow")
    repeated = {k: v[again] for k, v in (("x", rows.x), ("stop", rows.stop), ("event", rows.event))}
    data = tensors(
        **repeated,
        strata=rows.strata[again],
        offset=rows.offset[again],
        **({"start": rows.start[again]} if counting else {}),
    )
    assert_same_fit(weighted, fit_coxph(data, "breslow"))


@given(survival_rows(), ties_rules)
@settings(max_examples=40)
def test_shuffled_rows_start_at_the_same_likelihood(rows, ties):
    control = NewtonControl(iter_max=2)
    shuffle = np.random.default_rng(0).permutation(rows.stop.size)
    data = tensors(
        x=rows.x[shuffle],
        stop=rows.stop[shuffle],
        event=rows.event[shuffle],
        strata=rows.strata[shuffle],
        weights=rows.weights[shuffle],
        offset=rows.offset[shuffle],
        **({"start": rows.start[shuffle]} if rows.counting else {}),
    )
    a, b = fit_coxph(rows.data(), ties, control=control), fit_coxph(data, ties, control=control)
    np.testing.assert_allclose(a.loglik[:, 0], b.loglik[:, 0], rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("counting", [True, False])
def test_shuffled_rows_give_the_same_estimates(counting):
    rows = make_rows(22, 300, 3, 40, 2, counting)
    shuffle = np.random.default_rng(0).permutation(300)
    data = rows.data()
    mixed = CoxData(*(None if v is None else v[shuffle] for v in vars(data).values()))
    a, b = fit_coxph(data), fit_coxph(mixed)
    assert_same_fit(a, b)
    np.testing.assert_allclose(a.residuals[shuffle], b.residuals, **SAME)
    np.testing.assert_allclose(a.linear_predictors[shuffle], b.linear_predictors, **SAME)


@pytest.mark.parametrize("counting", [True, False])
def test_a_monotone_change_of_time_changes_nothing(counting):
    rows = make_rows(23, 200, 3, 40, 2, counting)
    data = rows.data()
    start = None if data.start is None else torch.exp(data.start / 7)
    moved = rows.data(stop=torch.exp(data.stop / 7), start=start)
    assert_same_fit(fit_coxph(data), fit_coxph(moved), {"rtol": 1e-12, "atol": 1e-13})


@pytest.mark.parametrize("counting", [True, False])
def test_block_size_and_repetition(counting, device):
    rows = make_rows(24, 400, 3, 40, 2, counting)
    data = rows.data(device)
    whole = fit_coxph(data)
    assert_same_fit(whole, fit_coxph(data, block_rows=7))
    again = fit_coxph(rows.data(device))
    for name in ("coefficients", "variance", "loglik", "residuals", "linear_predictors"):
        assert np.array_equal(getattr(whole, name), getattr(again, name)), name


@pytest.mark.parametrize("counting", [True, False])
def test_problems_at_once_equal_a_loop(counting, device):
    rows = make_rows(25, 250, 3, 30, 2, counting)
    weights = np.random.default_rng(5).exponential(size=(250, 10)) + 0.05
    together = fit_coxph(rows.data(device, weights=weights))
    assert (together.newton.status == CONVERGED).all()
    for b in range(10):
        one = fit_coxph(rows.data(device, weights=weights[:, b].copy()))
        np.testing.assert_allclose(together.coefficients[b], one.coefficients[0], **SAME)
        np.testing.assert_allclose(together.variance[b], one.variance[0], **SAME)
        np.testing.assert_allclose(together.loglik[b], one.loglik[0], rtol=1e-11)
        assert together.newton.iterations[b] == one.newton.iterations[0]


@pytest.mark.parametrize("counting", [True, False])
def test_a_million_strata_of_two_are_matched_pairs(counting):
    # one event per pair: the partial likelihood is a logistic one in the difference
    n = 1_000_000
    rng = np.random.default_rng(6)
    x = rng.normal(size=2 * n)
    case_wins = rng.random(n) < 1 / (1 + np.exp(-0.7 * (x[0::2] - x[1::2])))
    event = np.zeros(2 * n, dtype=bool)
    event[0::2], event[1::2] = case_wins, ~case_wins
    stop = np.where(event, 1.0, 2.0)
    data = {"x": x[:, None], "stop": stop, "event": event, "strata": np.arange(2 * n) // 2}
    if counting:
        data["start"] = np.zeros(2 * n)
    beta = fit_coxph(tensors(**data)).coefficients[0, 0]
    d = np.where(case_wins, x[0::2] - x[1::2], x[1::2] - x[0::2])
    wins = 1 / (1 + np.exp(-beta * d))
    step = (d * (1 - wins)).sum() / (d**2 * wins * (1 - wins)).sum()
    assert abs(step) < 1e-8
    assert beta == pytest.approx(0.7, abs=0.01)


def test_ties_of_hundreds(r):
    rng = np.random.default_rng(7)
    x, stop = rng.normal(size=(3000, 2)), rng.integers(1, 5, 3000).astype(float)
    event = rng.random(3000) < 0.7
    compare_with_r(r, x, stop, event)


@pytest.mark.parametrize("ties", ["efron", "breslow"])
@pytest.mark.parametrize("counting", [True, False])
def test_equals_survival(r, counting, ties):
    rows = make_rows(26, 400, 4, 60, 3, counting)
    compare_with_r(
        r,
        rows.x * [1, 10, 0.1, 1] + [0, 50, 0, 3],
        rows.stop,
        rows.event,
        start=rows.start if counting else None,
        strata=rows.strata,
        weights=rows.weights,
        offset=rows.offset,
        ties=ties,
    )


def test_more_columns_than_rows(r):
    rng = np.random.default_rng(8)
    compare_with_r(r, rng.normal(size=(12, 30)), np.arange(12.0), np.ones(12, bool), iter_max=1)


def test_five_hundred_columns(r):
    rng = np.random.default_rng(9)
    x = rng.normal(size=(4000, 500))
    stop = rng.exponential(size=4000)
    compare_with_r(r, x, stop, rng.random(4000) < 0.6)


@pytest.mark.parametrize("counting", [True, False])
@pytest.mark.parametrize("exponent", np.arange(-6.5, -4.5, 0.1))
def test_singular_columns_are_survivals(r, counting, exponent):
    # The verdict turns on the scale of the columns, which survival measures from a
    # different place in each of its two routines: the first row, an outlier in one
    # column and not in another, moves the limit by a factor of five in one of them.
    rng = np.random.default_rng(10)
    a, noise, b = rng.normal(size=(3, 150))
    a[0], b[0] = 4.0, 0.0
    x = np.column_stack([a, a + 10.0**exponent * noise, b])
    stop = rng.integers(1, 50, 150).astype(float)
    stop[0] = 60.0
    start = np.zeros(150) if counting else None
    compare_with_r(r, x, stop, rng.random(150) < 0.8, start=start, loose=1e-2)


@pytest.mark.parametrize("iter_max", [0, 1, 2, 3])
@pytest.mark.parametrize("counting", [True, False])
def test_iterations_that_run_out(r, counting, iter_max):
    rows = make_rows(27, 80, 2, 20, 1, counting)
    compare_with_r(
        r,
        rows.x * 3,
        rows.stop,
        rows.event,
        start=rows.start if counting else None,
        iter_max=iter_max,
    )


@pytest.mark.parametrize("counting", [True, False])
def test_an_infinite_coefficient(r, counting):
    rng = np.random.default_rng(11)
    event = rng.random(60) < 0.6
    x = np.column_stack([event.astype(float) * (1 + rng.random(60)), rng.normal(size=60)])
    start = np.zeros(60) if counting else None
    compare_with_r(r, x, rng.exponential(size=60), event, start=start, loose=1e-4)


def test_rows_never_at_risk_have_residual_zero():
    rows = make_rows(28, 100, 2, 30, 1, counting=True)
    data = rows.data(event=rows.event & (rows.stop > 20), strata=None)
    fit = fit_coxph(data)
    times = np.unique(rows.stop[rows.event & (rows.stop > 20)])
    never = np.array(
        [not ((times > a) & (times <= b)).any() for a, b in zip(rows.start, rows.stop, strict=True)]
    )
    assert never.any()
    assert (fit.residuals[never] == 0).all()


def test_out_of_iterations_is_reported():
    rows = make_rows(29, 80, 2, 20, 1, counting=False)
    assert fit_coxph(rows.data(), control=NewtonControl(iter_max=1)).newton.status[0] == RAN_OUT


def test_no_covariates():
    rows = make_rows(30, 50, 1, 20, 2, counting=True)
    fit = fit_coxph(rows.data(x=np.empty((50, 0))), "efron")
    with_zero = fit_coxph(rows.data(x=np.zeros((50, 1))), "efron")
    np.testing.assert_allclose(fit.loglik, with_zero.loglik, rtol=1e-13)
    np.testing.assert_allclose(fit.residuals, with_zero.residuals, rtol=1e-12, atol=1e-13)


SURVIVAL_FIT = """
fitter <- if (ncol(y) == 3) survival:::agreg.fit else survival:::coxph.fit
fit <- suppressWarnings(fitter(
  x, y, strata, offset, NULL, coxph.control(iter.max = iter_max),
  weights = weights, method = ties, rownames = NULL, nocenter = NULL
))
names <- c("coefficients", "var", "loglik", "score", "iter", "means", "residuals",
           "linear.predictors")
stats::setNames(fit[names], sub(".", "_", names, fixed = TRUE))
"""


def compare_with_r(
    r, x, stop, event, start=None, strata=None, weights=None, offset=None,
    ties="efron", iter_max=20, loose=1e-8,
):  # fmt: skip
    """Fit by survival's fitter and ours with the same settings; compare all they return.

    ``loose`` bounds the error of what is ill-determined (a pivot near the singular rule,
    a coefficient on its way to infinity); the log-likelihood stays exact.
    """
    columns = [stop, event.astype(float)]
    y = np.column_stack(columns if start is None else [start, *columns])
    shared = {"strata": strata, "offset": offset, "weights": weights, "ties": ties}
    theirs = r(SURVIVAL_FIT, x=x, y=y, iter_max=iter_max, **shared)
    ours = fit_cox(
        x,
        y,
        init=None,
        device="cpu",
        iter_max=iter_max,
        eps=1e-9,
        toler_chol=NewtonControl().toler_chol,
        uncentred=np.zeros(x.shape[1], dtype=bool),
        resid=True,
        **shared,
    )
    assert ours["ok"]
    redundant = np.diagonal(theirs["var"]) == 0
    assert np.array_equal(np.diagonal(ours["var"]) == 0, redundant)
    assert ours["iter"] == theirs["iter"].item()
    near = {"rtol": loose, "atol": loose * 1e-3}
    kept = ~redundant
    np.testing.assert_allclose(ours["coefficients"][kept], theirs["coefficients"][kept], **near)
    np.testing.assert_allclose(ours["loglik"], theirs["loglik"], rtol=1e-8)
    np.testing.assert_allclose(ours["score"], theirs["score"], rtol=loose)
    np.testing.assert_allclose(ours["means"], theirs["means"], rtol=1e-10, atol=1e-12)
    for name in ("var", "residuals", "linear_predictors"):
        np.testing.assert_allclose(ours[name], theirs[name], **near, err_msg=name)


def test_the_users_threads_are_left_as_they_were():
    before = torch.get_num_threads()
    rows = make_rows(31, 60, 2, 20, 1, counting=True)
    fit_coxph(rows.data())
    with pytest.raises(IndexError):
        fit_coxph(rows.data(offset=np.zeros(3)))
    assert torch.get_num_threads() == before


def test_numbers_by_row_go_where_the_front_end_has_memory_for_them():
    rows = make_rows(31, 60, 2, 20, 1, counting=True)
    y = np.column_stack([rows.start, rows.stop, rows.event.astype(float)])
    options = None, None, None, None, "efron", "cpu", 20, 1e-9, 1e-12, np.zeros(2, dtype=bool), True
    returned = fit_cox(rows.x, y, *options)
    memory = {name: np.full(60, np.nan) for name in ("linear_predictors", "residuals")}
    into = {name: float(numbers.ctypes.data) for name, numbers in memory.items()}
    written = fit_cox(rows.x, y, *options, into)
    for name, numbers in memory.items():
        assert name not in written
        assert np.array_equal(numbers, returned[name])
    only = fit_cox(rows.x, y, *options, {"residuals": into["residuals"]})
    assert np.array_equal(only["linear_predictors"], returned["linear_predictors"])
