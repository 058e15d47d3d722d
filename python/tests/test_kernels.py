"""The compiled kernels are there, and equal their twins in PyTorch."""

import numpy as np
import pytest
import torch
from agreement import relative_difference
from hypothesis import assume, given
from hypothesis import strategies as st
from strategies import survival_rows, ties_rules

from survivalgpu import kernels, sorting
from survivalgpu.column_statistics import mean_abs_deviation, mean_columns, stratum_ranges
from survivalgpu.coxph import CoxData, fit_coxph
from survivalgpu.risk_sets import build_risk_sets

AGREES = 1e-11


@pytest.fixture
def plain(monkeypatch):
    """Leave only PyTorch's routes."""

    def switch():
        modules = "sorting", "column_statistics", "design", "risk_sets"
        for module in (*modules, "linear_predictions", "compiled_likelihood"):
            monkeypatch.setattr(f"survivalgpu.{module}.kernels_for", lambda *_: None)

    return switch


def test_kernels_are_compiled_and_of_this_version():
    assert kernels.compiled_kernels() is not None


def test_another_version_or_a_broken_file_is_not_used(tmp_path, monkeypatch):
    assert kernels._load(tmp_path / "missing.so") is None
    broken = tmp_path / "broken.so"
    broken.write_bytes(b"not a library")
    assert kernels._load(broken) is None
    monkeypatch.setattr(kernels, "_VERSION", -1)
    assert kernels._load(_library_path()) is None


def _library_path():
    from pathlib import Path

    return Path(kernels.compiled_kernels()._name)


@pytest.mark.parametrize(
    "values",
    [
        np.random.default_rng(1).integers(-50, 300, 5000).astype(float),
        np.random.default_rng(2).exponential(size=5000),
        np.round(np.random.default_rng(3).normal(size=5000), 2) * 1e6,
        np.array([0.0, -0.0, 1e-300, -1e-300, 1e300, -1e300, 3.0, 3.0]),
        np.array([1.0, 1e18, 5.0, 2.5]),
        np.full(10, 7.0),
    ],
)
def test_distinct_values_and_counts_equal_torch(values, plain):
    tensor = torch.from_numpy(values)
    wanted = torch.from_numpy(np.random.default_rng(4).random(values.size) < 0.7)
    wanted[0] = True
    queries = torch.cat([tensor, tensor + 0.5, torch.tensor([-np.inf, np.inf, 0.0])])
    compiled = sorting.distinct(tensor, wanted)
    counts = sorting.count_at_most(compiled, queries)
    plain()
    assert torch.equal(compiled, sorting.distinct(tensor, wanted))
    assert torch.equal(counts, sorting.count_at_most(compiled, queries))


@pytest.mark.parametrize("largest", [1, 300, 5000, 2**40])
@pytest.mark.parametrize("n", [0, 1, 1000, 300_000])
def test_keys_are_sorted_stably(n, largest, plain):
    keys = torch.from_numpy(np.random.default_rng(n).integers(0, largest + 1, n))
    before = keys.clone()
    compiled = sorting.sort_keys(keys, largest)
    assert torch.equal(keys, before)
    plain()
    for ours, theirs in zip(compiled, sorting.sort_keys(keys, largest), strict=True):
        assert torch.equal(ours, theirs)


def test_no_event_leaves_no_distinct_time():
    none = sorting.distinct(torch.ones(3, dtype=torch.float64), torch.zeros(3, dtype=torch.bool))
    assert none.numel() == 0
    assert sorting.count_at_most(none, torch.ones(3, dtype=torch.float64)).tolist() == [0, 0, 0]


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("weighted", [True, False])
def test_column_statistics_equal_torch(order, weighted, plain):
    rng = np.random.default_rng(5)
    x = torch.from_numpy(np.asarray(rng.normal(size=(40_001, 3)), order=order))
    weights = torch.from_numpy(rng.random(40_001)) if weighted else None
    centre = x[7]

    def statistics():
        return mean_columns(x, weights), mean_abs_deviation(x, centre, weights)

    compiled = statistics()
    plain()
    for ours, theirs in zip(compiled, statistics(), strict=True):
        assert relative_difference(ours, theirs) < 1e-12


@pytest.mark.parametrize("strata", [None, torch.tensor([0, 2, 2, 0, 5])])
def test_stratum_ranges_by_hand(strata, plain):
    x1 = torch.tensor([[1.0, 3.0], [1.0, 4.0], [1.0, 6.0], [1.0, -1.0], [1.0, 2.0]]).double()
    for _ in range(2):
        mean, low, high = stratum_ranges(x1, strata, 1 if strata is None else 6)
        if strata is None:
            assert (mean.item(), low.item(), high.item()) == pytest.approx((2.8, -1.0, 6.0))
        else:
            assert mean[[0, 2, 5], 0].tolist() == [1.0, 5.0, 2.0]
            assert low[[0, 1, 2, 5], 0].tolist() == [-1.0, np.inf, 4.0, 2.0]
            assert high[[0, 1, 2, 5], 0].tolist() == [3.0, -np.inf, 6.0, 2.0]
        plain()


def assert_same(first, second, tolerance=AGREES):
    for name in ("coefficients", "variance", "loglik", "score_test", "residuals", "means"):
        assert relative_difference(getattr(first, name), getattr(second, name)) < tolerance, name
    assert np.array_equal(first.newton.iterations, second.newton.iterations)


@given(survival_rows(), ties_rules)
def test_fits_of_small_data_equal_torch(rows, ties):
    # a ridge of nothing: few iterations, so that separated data stay finite
    from survivalgpu.newton import NewtonControl

    control = NewtonControl(iter_max=2)
    compiled = fit_coxph(rows.data(), ties, control=control)
    plain_fit = fit_coxph(rows.data(), ties, control=control, compiled=False)
    information = plain_fit.information[0]
    spread = np.diagonal(information)
    # what separation leaves of information is rounding, and so is its rank
    assume(np.isfinite(information).all() and not ((spread != 0) & (np.abs(spread) < 1e-8)).any())
    kept = information[np.ix_(spread != 0, spread != 0)]
    # an inverse loses as many digits as its matrix's condition number has
    condition = np.linalg.cond(kept) if kept.size else 1.0
    assume(condition < 1e10)
    assert_same(compiled, plain_fit, max(1e-7, 10 * np.finfo(float).eps * condition))


@given(survival_rows())
def test_risk_sets_equal_torch(rows):
    data = rows.data()
    arguments = data.stop, data.event, data.start, data.strata
    compiled = build_risk_sets(*arguments)
    with pytest.MonkeyPatch.context() as patch:
        for module in ("sorting", "risk_sets"):
            patch.setattr(f"survivalgpu.{module}.kernels_for", lambda *_: None)
        plain = build_risk_sets(*arguments)
    for name, ours in vars(compiled).items():
        theirs = getattr(plain, name)
        same = torch.equal(ours, theirs) if isinstance(ours, torch.Tensor) else ours == theirs
        assert same, name


@pytest.mark.parametrize("counting", [True, False])
@pytest.mark.parametrize("strata", [3, 20_000])
def test_pairs_numbered_by_table_and_by_sorting_agree(counting, strata, plain):
    # 20,000 strata times the distinct times are too many for a table
    data = large_data(counting, strata, False)
    arguments = data.stop, data.event, data.start, data.strata
    compiled = build_risk_sets(*arguments)
    predictors = fit_coxph(data, compiled=False).linear_predictors
    plain()
    other = build_risk_sets(*arguments)
    for name in ("order", "group_offsets", "group_lo", "group_hi", "event_rows", "row_strata"):
        assert torch.equal(getattr(compiled, name), getattr(other, name)), name
    theirs = fit_coxph(data, compiled=False).linear_predictors
    assert relative_difference(predictors, theirs) < 1e-10


def large_data(counting, strata, whole_days, p=3, n=30_000):
    rng = np.random.default_rng(11)
    x = rng.normal(size=(n, p))
    stop = rng.exponential(size=n) * np.exp(-0.3 * x[:, 0]) * 300
    start = stop * rng.random(n) if counting else None
    if whole_days:
        stop = np.ceil(stop) + 1
        start = np.floor(start) if counting else None
    values = {
        "x": x,
        "stop": stop,
        "event": rng.random(n) < 0.4,
        "start": start,
        "strata": rng.integers(0, strata, n) if strata else None,
        "offset": rng.normal(size=n) * 0.1,
        "weights": rng.random(n) + 0.5,
    }
    return CoxData(**{k: None if v is None else torch.from_numpy(v) for k, v in values.items()})


@pytest.mark.parametrize("counting", [True, False])
@pytest.mark.parametrize("strata", [0, 3, 5000])
@pytest.mark.parametrize("whole_days", [True, False])
@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_fits_over_many_blocks_equal_torch(counting, strata, whole_days, ties):
    data = large_data(counting, strata, whole_days)
    assert_same(fit_coxph(data, ties), fit_coxph(data, ties, compiled=False))


@pytest.mark.parametrize("p", [1, 2, 4, 5, 33, 256, 257])
def test_any_number_of_covariates(p):
    data = large_data(False, 0, True, p=p, n=3000)
    assert_same(fit_coxph(data), fit_coxph(data, compiled=False), 1e-10)


@pytest.mark.parametrize("counting", [True, False])
def test_the_number_of_threads_does_not_change_a_bit(counting):
    data = large_data(counting, 0, False, n=60_000)
    before = torch.get_num_threads()
    fits = []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            fits.append(fit_coxph(data))
    finally:
        torch.set_num_threads(before)
    for other in fits[1:]:
        assert np.array_equal(fits[0].coefficients, other.coefficients)
        assert np.array_equal(fits[0].variance, other.variance)
        assert np.array_equal(fits[0].residuals, other.residuals)


def test_one_group_may_fill_many_blocks():
    # everyone enters at 0 and all but two stay to the end: one group of 20,000 rows
    rng = np.random.default_rng(3)
    n = 20_000
    stop = np.full(n, 5.0)
    stop[:2] = [1.0, 2.0]
    event = rng.random(n) < 0.2
    event[:2] = True
    arrays = {"x": rng.normal(size=(n, 2)), "start": np.zeros(n), "stop": stop, "event": event}
    data = CoxData(**{name: torch.from_numpy(value) for name, value in arrays.items()})
    assert_same(fit_coxph(data), fit_coxph(data, compiled=False))


@pytest.mark.parametrize("counting", [True, False])
def test_risks_beyond_the_kernels_arithmetic_take_the_other_route(counting):
    rng = np.random.default_rng(8)
    n = 400
    start = rng.random(n) * 3
    values = {
        "x": rng.normal(size=(n, 1)),
        "stop": start + rng.random(n) + 0.1,
        "event": rng.random(n) < 0.6,
        "start": start if counting else None,
        # risks that span 10^100, or that have no reciprocal
        "offset": rng.normal(size=n) * 60.0 if counting else rng.uniform(-740.0, -710.0, n),
    }
    data = CoxData(**{k: None if v is None else torch.from_numpy(v) for k, v in values.items()})
    assert_same(fit_coxph(data), fit_coxph(data, compiled=False), 1e-8)


@given(st.integers(0, 2**32 - 1))
def test_rows_shuffled_change_rounding_only(seed):
    data = large_data(True, 3, True, n=500)
    shuffle = torch.from_numpy(np.random.default_rng(seed).permutation(500))
    parts = {k: None if v is None else v[shuffle] for k, v in vars(data).items()}
    first, second = fit_coxph(data), fit_coxph(CoxData(**parts))
    assert relative_difference(first.coefficients, second.coefficients) < 1e-9
    assert relative_difference(first.residuals[shuffle.numpy()], second.residuals) < 1e-9
