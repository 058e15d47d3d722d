"""Baseline hazard tables, curves and expected events against direct sums."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import membership
from strategies import survival_rows

from survivalgpu import baseline, expected
from survivalgpu.baseline import BaselineRows, baseline_tables, quadratic_form
from survivalgpu.compiled_baseline import compiled_increments
from survivalgpu.curves import NewRisks, hazard_steps, survival_curves, time_table
from survivalgpu.expected import NewRows, expected_events

kinds = st.sampled_from(["efron", "breslow", "kalbfleisch-prentice"])
# the direct sums are slow
few = settings(max_examples=30)


def fitted(rows, device="cpu", **changes):
    """The rows of a strategy as the fitted rows of a model with risks ``exp(offset)``."""
    # strata are numbered without gaps, as the front end does
    values = {
        "stop": rows.stop,
        "event": rows.event,
        "risk": np.exp(rows.offset),
        "start": rows.start if rows.counting else None,
        "strata": np.unique(rows.strata, return_inverse=True)[1],
        "weights": rows.weights,
        "x": rows.x,
        **changes,
    }
    return BaselineRows(
        **{k: None if v is None else torch.as_tensor(v).to(device) for k, v in values.items()}
    )


def direct_steps(rows, strata, kind):
    """``{(stratum, time): (h, v, m, a)}`` by the definition, one event time at a time."""
    start = rows.start if rows.counting else np.full_like(rows.stop, -np.inf)
    risk = rows.weights * np.exp(rows.offset)
    steps = {}
    pairs, at_risk = membership(start, rows.stop, rows.event, strata)
    for (s, t), inside in zip(pairs, at_risk, strict=True):
        dead = rows.event & (rows.stop == t) & (strata == s)
        d, weight = int(dead.sum()), rows.weights[dead].sum()
        h, v, m = 0.0, 0.0, np.zeros(rows.x.shape[1])
        for share in range(d):
            f = share / d if kind == "efron" else 0.0
            r = risk * (inside - f * dead)
            h += weight / d / r.sum()
            v += weight / d / r.sum() ** 2
            m += weight / d * (r @ rows.x) / r.sum() ** 2
        total = risk[inside].sum()
        if kind == "kalbfleisch-prentice":
            v = weight / (total * (total - weight if weight < total else total))
        steps[s, t] = (h, v, m, (np.exp(rows.offset)[dead], risk[dead], total))
    return steps


def direct_tables(steps, stratum, time, p):
    """``H``, ``V`` and ``M`` of a stratum at a time."""
    past = [step for (s, t), step in steps.items() if s == stratum and t <= time]
    return (
        sum(h for h, *_ in past),
        sum(v for _, v, *_ in past),
        sum((m for _, _, m, _ in past), np.zeros(p)),
    )


@few
@given(survival_rows(), kinds)
def test_tables_are_the_sums_of_their_definition(rows, kind):
    data = fitted(rows)
    strata = data.strata.numpy()
    tables = baseline_tables(data, kind)
    steps = direct_steps(rows, strata, kind)
    times = torch.tensor([-1.0, 0.5, 3.0, 7.0, 1e9], dtype=torch.float64)
    p = rows.x.shape[1]
    for s in range(int(strata.max()) + 1):
        places = tables.places(times, torch.full((5,), s))
        for time, place in zip(times.tolist(), places.tolist(), strict=True):
            h, v, m = direct_tables(steps, s, time, p)
            got = tables.hazard[place], tables.variance[place]
            np.testing.assert_allclose(got, (h, v), rtol=1e-10, atol=1e-12)
            uncentred = tables.mean_hazard[place] + tables.hazard[place] * tables.center
            np.testing.assert_allclose(uncentred, m, rtol=1e-9, atol=1e-9)


@few
@given(survival_rows())
def test_kalbfleisch_prentice_factors_solve_their_equation(rows):
    data = fitted(rows)
    tables = baseline_tables(data, "kalbfleisch-prentice")
    steps = direct_steps(rows, data.strata.numpy(), "kalbfleisch-prentice")
    for (_, _, _, (risk, weighted, total)), log_a in zip(
        steps.values(), tables.log_factors.tolist(), strict=True
    ):
        a = np.exp(log_a)
        if np.isclose(weighted.sum(), total):
            assert a < 1e-10 or len(risk) == 1
        else:
            # the search is good to 2^-36 in a
            low, high = (
                (weighted / (1 - np.clip(a + e, 1e-300, 1 - 1e-15) ** risk)).sum()
                for e in (-1e-10, 1e-10)
            )
            assert low <= total * (1 + 1e-9)
            assert high >= total * (1 - 1e-9)


@few
@given(survival_rows())
def test_time_table_counts_what_is_there(rows):
    data = fitted(rows)
    table = time_table(data)
    strata = data.strata.numpy()
    start = rows.start if rows.counting else np.full_like(rows.stop, -np.inf)
    place = 0
    for s in range(int(strata.max()) + 1):
        times = np.unique(rows.stop[strata == s])
        assert table.n_times[s] == len(times)
        assert table.n_rows[s] == (strata == s).sum()
        for t in times:
            ends = (strata == s) & (rows.stop == t)
            inside = (strata == s) & (start < t) & (rows.stop >= t)
            w = rows.weights
            assert table.time[place] == t
            np.testing.assert_allclose(
                [table.at_risk[place], table.events[place], table.censored[place]],
                [w[inside].sum(), w[ends & rows.event].sum(), w[ends & ~rows.event].sum()],
                atol=1e-12,
            )
            place += 1
    assert place == table.time.numel()


@few
@given(survival_rows(), kinds, st.integers(1, 3))
def test_curves_are_made_of_the_tables(rows, kind, n_curves):
    data = fitted(rows)
    rng = np.random.default_rng(3)
    p = rows.x.shape[1]
    half = rng.normal(size=(p, p))
    new = NewRisks(
        torch.tensor(rng.normal(size=(n_curves, p))), torch.tensor(rng.uniform(0.2, 3, n_curves))
    )
    table, result = survival_curves(data, kind, new, torch.tensor(half @ half.T))
    steps = direct_steps(rows, data.strata.numpy(), kind)
    for place in range(table.time.numel()):
        h, v, m = direct_tables(steps, int(table.strata[place]), float(table.time[place]), p)
        for j in range(n_curves):
            x, r = new.x[j].numpy(), float(new.risk[j])
            d = x * h - m
            error = r * np.sqrt(v + d @ half @ half.T @ d)
            np.testing.assert_allclose(result.hazard[j, place], r * h, rtol=1e-10, atol=1e-14)
            np.testing.assert_allclose(result.error[j, place], error, rtol=1e-7, atol=1e-9)
            if kind != "kalbfleisch-prentice":
                np.testing.assert_allclose(result.survival[j, place], np.exp(-r * h), rtol=1e-10)


@few
@given(survival_rows())
def test_expected_events_are_made_of_the_tables(rows):
    data = fitted(rows)
    rng = np.random.default_rng(4)
    p, m = rows.x.shape[1], 7
    half = rng.normal(size=(p, p))
    stop = rng.uniform(0, 25, m)
    strata = rng.integers(0, int(data.strata.max()) + 1, m)
    x = rng.normal(size=(m, p))
    new = NewRows(
        (torch.tensor(stop / 3), torch.tensor(stop)), torch.tensor(strata), torch.tensor(x)
    )
    tables = baseline_tables(data, "efron")
    hazards, variances = expected_events(tables, new, torch.tensor(half @ half.T))
    steps = direct_steps(rows, data.strata.numpy(), "efron")
    for i in range(m):
        for column, time in enumerate((stop[i] / 3, stop[i])):
            h, v, mean = direct_tables(steps, strata[i], time, p)
            d = x[i] * h - mean
            np.testing.assert_allclose(hazards[column][i], h, rtol=1e-10, atol=1e-14)
            wanted = v + d @ half @ half.T @ d
            np.testing.assert_allclose(variances[column][i], wanted, rtol=1e-7, atol=1e-12)


def many_rows(device, counting):
    rng = np.random.default_rng(8)
    n = 3000
    stop = rng.integers(1, 400, n) / 4.0
    return BaselineRows(
        **{
            name: torch.as_tensor(value).to(device)
            for name, value in {
                "stop": stop,
                "event": rng.random(n) < 0.6,
                "risk": np.exp(rng.normal(size=n)),
                "strata": np.sort(rng.integers(0, 40, n)),
                "weights": rng.uniform(0.5, 2, n),
                "x": rng.normal(size=(n, 9)),
                **({"start": stop * rng.random(n)} if counting else {}),
            }.items()
        }
    )


@pytest.mark.parametrize("counting", [False, True])
def test_blocks_change_rounding_only_and_runs_nothing(monkeypatch, device, counting):
    rows = many_rows(device, counting)
    variance = torch.eye(9, dtype=torch.float64, device=device)
    new = NewRows((rows.stop,), rows.strata, rows.x)

    def compute():
        tables = baseline_tables(rows, "efron")
        _, variances = expected_events(tables, new, variance)
        return tables.mean_hazard, variances[0]

    whole = compute()
    for ours, again in zip(whole, compute(), strict=True):
        assert torch.equal(ours, again)
    monkeypatch.setattr(baseline, "_COLUMNS", 2)
    monkeypatch.setattr(expected, "_ELEMENTS", 1000)
    for ours, in_blocks in zip(whole, compute(), strict=True):
        torch.testing.assert_close(ours, in_blocks, rtol=1e-12, atol=1e-12)


def test_devices_agree(device):
    variance = torch.eye(9, dtype=torch.float64)
    results = []
    for on in ("cpu", device):
        rows = many_rows(on, True)
        new = NewRisks(rows.x[:3], rows.risk[:3])
        table, result = survival_curves(rows, "kalbfleisch-prentice", new, variance.to(on))
        results.append((table.at_risk, result.survival, result.hazard, result.error))
    for here, there in zip(*results, strict=True):
        torch.testing.assert_close(here, there.cpu(), rtol=1e-10, atol=1e-12)


def test_steps_add_up_to_the_tables():
    rows = many_rows("cpu", True)
    one = BaselineRows(rows.stop, rows.event, rows.risk, rows.start, None, rows.weights, rows.x)
    table, steps = hazard_steps(one, "kalbfleisch-prentice")
    torch.testing.assert_close(steps.hazard.cumsum(0), steps.cumulative)
    assert torch.equal(steps.hazard > 0, table.events > 0)
    assert torch.equal(steps.factor < 1, table.events > 0)
    tables = baseline_tables(one, "kalbfleisch-prentice")
    place = tables.places(table.time, None)
    torch.testing.assert_close(steps.factor.log().cumsum(0), tables.log_survival[place])


def test_a_curve_of_a_stratum_does_not_see_the_others():
    rows = many_rows("cpu", False)
    new = NewRisks(rows.x[:2], rows.risk[:2])
    table, whole = survival_curves(rows, "efron", new, torch.eye(9, dtype=torch.float64))
    inside = rows.strata == 7
    one = BaselineRows(
        rows.stop[inside],
        rows.event[inside],
        rows.risk[inside],
        None,
        None,
        rows.weights[inside],
        rows.x[inside],
    )
    _, alone = survival_curves(one, "efron", new, torch.eye(9, dtype=torch.float64))
    torch.testing.assert_close(whole.hazard[:, table.strata == 7], alone.hazard, rtol=1e-12, atol=0)
    torch.testing.assert_close(whole.error[:, table.strata == 7], alone.error, rtol=1e-9, atol=0)


def test_quadratic_form_keeps_the_digits_of_small_variances():
    # a coefficient that is all but infinite next to one that is known well
    variance = torch.tensor([[1e12, 1e-1], [1e-1, 1e-10]], dtype=torch.float64)
    values, vectors = quadratic_form(variance)
    for d in ([0.0, 1.0], [1e-9, 1.0], [1.0, -3.0]):
        d = torch.tensor(d, dtype=torch.float64)
        torch.testing.assert_close((d @ vectors) ** 2 @ values, d @ variance @ d, rtol=1e-9, atol=0)
    # an aliased coefficient has none
    values, vectors = quadratic_form(torch.tensor([[2.0, 0.0], [0.0, 0.0]], dtype=torch.float64))
    d = torch.tensor([3.0, 5.0], dtype=torch.float64)
    assert float((d @ vectors) ** 2 @ values) == pytest.approx(18.0)


def day_rows(n=4000, n_strata=None, seed=5, p=3):
    """Right-censored rows in no order, of few event times and some strata without events."""
    rng = np.random.default_rng(seed)
    strata = None if n_strata is None else torch.tensor(rng.integers(0, n_strata, n))
    event = torch.tensor(rng.random(n) < 0.4)
    if strata is not None:
        event &= strata != 1
    stop = torch.tensor(rng.integers(1, 9, n) * 1.0)
    # some leave before the first event
    event &= stop > 1
    return BaselineRows(
        stop=stop,
        event=event,
        risk=torch.tensor(np.exp(rng.normal(size=n))),
        strata=strata,
        weights=torch.tensor(rng.uniform(0.5, 2, n)) if n_strata else None,
        x=torch.tensor(rng.normal(5, 1, size=(p, n))).T,
    )


def same_tables(ours, wanted):
    for name in ("keys", "times", "offsets"):
        assert torch.equal(getattr(ours, name), getattr(wanted, name))
    for name in ("increments", "hazard", "variance", "mean_hazard"):
        torch.testing.assert_close(
            getattr(ours, name), getattr(wanted, name), rtol=1e-11, atol=1e-14
        )


@pytest.mark.parametrize("kind", ["efron", "breslow"])
@pytest.mark.parametrize("n_strata", [None, 4])
def test_one_pass_over_unsorted_rows_equals_sums_over_risk_sets(kind, n_strata, monkeypatch):
    rows = day_rows(n_strata=n_strata)
    assert compiled_increments(rows, rows.x.mean(0), kind == "efron") is not None
    compiled = baseline_tables(rows, kind)
    monkeypatch.setattr("survivalgpu.compiled_baseline.kernels_for", lambda *_: None)
    same_tables(compiled, baseline_tables(rows, kind))


def test_one_pass_is_for_right_censored_rows_of_few_times():
    rows = day_rows()
    center = rows.x.mean(0)
    late = BaselineRows(rows.stop, rows.event, rows.risk, rows.stop - 1, x=rows.x)
    assert compiled_increments(late, center, True) is None
    many = BaselineRows(rows.stop + rows.risk, rows.event, rows.risk, x=rows.x)
    assert compiled_increments(many, center, True) is None


def test_one_pass_does_not_depend_on_threads_or_on_covariates():
    rows = day_rows(n=100_000, n_strata=4)
    before = torch.get_num_threads()
    tables = []
    for threads in (1, 3):
        torch.set_num_threads(threads)
        tables.append(baseline_tables(rows, "efron"))
    torch.set_num_threads(before)
    assert torch.equal(tables[0].hazard, tables[1].hazard)
    assert torch.equal(tables[0].mean_hazard, tables[1].mean_hazard)
    bare = BaselineRows(rows.stop, rows.event, rows.risk, None, rows.strata, rows.weights)
    assert torch.equal(baseline_tables(bare, "efron").hazard, tables[0].hazard)


@pytest.mark.parametrize("entry_tables", [False, True])
@pytest.mark.parametrize("p", [1, 5])
def test_compiled_variances_equal_torch(entry_tables, p, monkeypatch):
    rows = day_rows(n_strata=4, p=p)
    rng = np.random.default_rng(6)
    m = 1000
    stop = torch.tensor(rng.uniform(0, 12, m))
    stop[7] = torch.nan
    new = NewRows(
        (stop / 3, stop), torch.tensor(rng.integers(0, 4, m)), torch.tensor(rng.normal(size=(m, p)))
    )
    half = torch.tensor(rng.normal(size=(p, p)))
    tables = baseline_tables(rows, "efron")
    compiled = expected_events(tables, new, half @ half.T, entry_tables)
    monkeypatch.setattr("survivalgpu.compiled_baseline.kernels_for", lambda *_: None)
    plain = expected_events(tables, new, half @ half.T, entry_tables)
    for ours, wanted in zip((*compiled[0], *compiled[1]), (*plain[0], *plain[1]), strict=True):
        torch.testing.assert_close(ours, wanted, rtol=1e-10, atol=1e-13, equal_nan=True)
        assert torch.equal(torch.isnan(ours), torch.isnan(stop))
