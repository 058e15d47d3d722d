"""What only large data reach: large pages, wide keys, sums of squares by group."""

import numpy as np
import pytest
import torch
from agreement import relative_difference
from hypothesis import given
from strategies import survival_rows

from survivalgpu.coxph import CoxData, _scale_row, fit_coxph
from survivalgpu.memory import empty, zeros
from survivalgpu.newton import NewtonControl
from survivalgpu.risk_sets import build_risk_sets
from survivalgpu.sparse import concatenated_ranges


@pytest.mark.parametrize("make", [empty, zeros])
@pytest.mark.parametrize("dtype", [torch.float64, torch.int64, torch.int32])
@pytest.mark.parametrize("shape", [(0,), (3,), (2, 700_001)])
def test_memory_is_as_asked_for(make, dtype, shape, device):
    made = make(*shape, dtype=dtype, device=torch.device(device))
    assert (made.shape, made.dtype, made.device.type) == (shape, dtype, device)
    assert made.is_contiguous()
    assert make is empty or not made.any()
    made.fill_(1)
    assert int(made.sum()) == made.numel()


def test_concatenated_ranges_by_hand():
    first, stop = torch.tensor([4, 7, 0]), torch.tensor([6, 7, 3])
    assert concatenated_ranges(first, stop).tolist() == [4, 5, 0, 1, 2]
    assert concatenated_ranges(first[:0], stop[:0]).tolist() == []


@given(survival_rows())
def test_row_of_the_scales_is_the_last_at_risk_in_the_first_stratum(rows):
    data = rows.data()
    sets = build_risk_sets(data.stop, data.event, data.start, data.strata)
    if not rows.counting:
        assert _scale_row(data, sets) is None
        return
    used = [
        i
        for i in range(rows.stop.size)
        if any(
            rows.start[i] < t <= rows.stop[i]
            for t in rows.stop[rows.event & (rows.strata == rows.strata[i])]
        )
    ]
    first = min(rows.strata[i] for i in used)
    candidates = [i for i in used if rows.strata[i] == first]
    assert _scale_row(data, sets) == max(candidates, key=lambda i: (rows.stop[i], -i))


def without_kernels(monkeypatch):
    for module in ("sorting", "risk_sets"):
        monkeypatch.setattr(f"survivalgpu.{module}.kernels_for", lambda *_: None)


@pytest.mark.parametrize("n_events", [200, 70_000])
def test_groups_of_narrow_and_of_wide_keys(n_events, monkeypatch):
    # beyond 65,535 event times a pair of them takes more than 32 bits
    n = 80_000
    rng = np.random.default_rng(3)
    stop = torch.from_numpy(rng.permutation(n) + 1.0)
    start = torch.from_numpy(np.floor(stop.numpy() * rng.random(n)))
    event = torch.zeros(n, dtype=torch.bool)
    event[torch.from_numpy(rng.choice(n, n_events, replace=False))] = True
    compiled = build_risk_sets(stop, event, start)
    without_kernels(monkeypatch)
    plain = build_risk_sets(stop, event, start)
    assert compiled.n_event_times == n_events
    for name in ("order", "group_offsets", "group_lo", "group_hi", "event_rows", "event_offsets"):
        assert torch.equal(getattr(compiled, name), getattr(plain, name)), name


def doses(weighted, n=40_000):
    """Rows of one covariate whose ranges of event times are few: large groups."""
    rng = np.random.default_rng(8)
    start = rng.integers(0, 20, n).astype(float)
    values = {
        "x": np.round(rng.gamma(2, 2, size=(n, 1)), 1),
        "start": start,
        "stop": start + rng.integers(1, 10, n),
        "event": rng.random(n) < 0.02,
        "weights": rng.random(n) + 0.5 if weighted else None,
    }
    return CoxData(**{k: None if v is None else torch.from_numpy(v) for k, v in values.items()})


QUANTITIES = ("coefficients", "variance", "loglik", "score_test", "residuals")


@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_one_covariate_in_large_groups_equals_torch(weighted, ties):
    data = doses(weighted)
    compiled, plain = fit_coxph(data, ties), fit_coxph(data, ties, compiled=False)
    for name in QUANTITIES:
        assert relative_difference(getattr(compiled, name), getattr(plain, name)) < 1e-11, name
    assert np.array_equal(compiled.newton.iterations, plain.newton.iterations)


@pytest.mark.parametrize("shift", [-150.0, -1e-9, 150.0])
def test_a_constant_offset_changes_nothing(shift):
    data = doses(False)
    offset = torch.full((data.stop.numel(),), shift, dtype=torch.float64)
    plain, shifted = fit_coxph(data), fit_coxph(CoxData(**{**vars(data), "offset": offset}))
    for name in ("coefficients", "variance", "loglik", "residuals"):
        assert relative_difference(getattr(plain, name), getattr(shifted, name)) < 1e-10, name


@pytest.mark.parametrize("beta", [-0.7, 0.0, 3.0, 60.0])
def test_risks_are_exponentials(beta):
    # the log-likelihood at given coefficients, from risks of all sizes
    data = doses(False)
    init = np.array([beta])
    control = NewtonControl(iter_max=0)
    fits = [fit_coxph(data, init=init, control=control, compiled=c) for c in (True, False)]
    assert relative_difference(fits[0].loglik, fits[1].loglik) < 1e-13
