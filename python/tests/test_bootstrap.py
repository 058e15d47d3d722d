"""The estimator's bootstrap: R's own fits of repeated rows, intervals, labels, errors."""

import numpy as np
import pandas as pd
import pytest
import torch
from agreement import relative_difference

from survivalgpu import ConvergenceWarning, CoxData, CoxPH, InvalidArgumentError
from survivalgpu.baseline import BaselineRows, baseline_tables
from survivalgpu.resampling.baseline import ReplicateHazards
from survivalgpu.resampling.draws import bootstrap_counts
from survivalgpu.resampling.intervals import acceleration_of, interval, quantiles

REPEATED = """
rows <- data.frame(x, start, stop, event, g, w, o)
code <- match(id, unique(id))
t(apply(copies, 2, function(of_subject) {
  drawn <- rows[rep(seq_len(nrow(rows)), of_subject[code]), ]
  coef(coxph(Surv(start, stop, event) ~ X1 + X2 + X3 + strata(g) + offset(o), drawn,
             weights = w, eps = 1e-11))
}))
"""


def counting_rows(n=160, seed=5):
    """(start, stop] rows of n / 2 subjects, interleaved, with ties, strata, weights, offset."""
    rng = np.random.default_rng(seed)
    X = np.column_stack([rng.normal(size=n), rng.integers(0, 2, n), rng.normal(size=n)])
    half = n // 2
    start = np.repeat([0.0, 5.0], half)
    stop = start + rng.integers(1, 5, n)
    y = start, stop, rng.random(n) < 0.6
    known = {
        "strata": rng.integers(0, 2, n),
        "weights": rng.uniform(0.5, 2, n),
        "offset": rng.normal(size=n) / 4,
    }
    return X, y, np.tile(rng.permutation(half), 2), known


def test_agrees_with_fits_of_repeated_rows(r, device):
    X, (start, stop, event), id_, known = counting_rows()
    copies = np.random.default_rng(1).multinomial(80, np.full(80, 1 / 80), size=25).T
    made = CoxPH(device=device).bootstrap(
        X, (start, stop, event), id=id_, frequencies=copies, **known
    )
    frame = {f"X{j + 1}": column for j, column in enumerate(X.T)}
    theirs = r(
        REPEATED.replace("data.frame(x,", "data.frame(X1, X2, X3,"),
        **frame,
        start=start,
        stop=stop,
        event=event.astype(float),
        g=known["strata"],
        w=known["weights"],
        o=known["offset"],
        id=id_,
        copies=copies.astype(float),
    )
    assert set(made.status) == {"converged"}
    assert relative_difference(made.coefficients, theirs) < 1e-7
    assert (made.kind, made.seed, made.n_subjects) == ("frequencies", None, 80)


def test_draws_depend_on_the_seed_and_the_number_only(device):
    X, y, id_, known = counting_rows()
    model = CoxPH(device=device)
    whole = model.bootstrap(X, y, id=id_, n_replicates=20, seed=3, **known)
    parts = model.bootstrap(X, y, id=id_, n_replicates=13, seed=3, batch_size=5, **known)
    assert relative_difference(parts.coefficients, whole.coefficients[:13]) < 1e-11
    copies = bootstrap_counts(3, 0, 20, 80)
    given = model.bootstrap(X, y, id=id_, frequencies=copies, **known)
    assert relative_difference(given.coefficients, whole.coefficients) < 1e-11
    drawn = model.bootstrap(X, y, id=id_, n_replicates=2, **known)
    again = model.bootstrap(X, y, id=id_, n_replicates=2, seed=drawn.seed, **known)
    assert relative_difference(again.coefficients, drawn.coefficients) < 1e-11


def test_labels_that_each_hold_one_subject_leave_nothing_to_draw(device):
    X, (start, stop, event), id_, known = counting_rows()
    model = CoxPH(device=device)
    y = start, stop, event
    made = model.bootstrap(X, y, id=id_, resampling_strata=id_, n_replicates=3, seed=1, **known)
    assert relative_difference(made.coefficients, np.tile(model.coef_, (3, 1))) < 1e-8


def test_limits_are_those_of_the_definition():
    values = np.array([1.0, 3.0, 4.0, 10.0])
    # ranks 1, 2.5 and 4 of 4: the middle is half way on the normal scale too
    assert quantiles(values, np.array([0.2, 0.5, 0.8, 0.001, 0.999])).tolist() == pytest.approx(
        [1, 3.5, 10, 1, 10]
    )
    resampled = np.append(values, np.nan)
    assert interval(resampled, 3.0, 0.6, "basic", 0).tolist() == pytest.approx([-4, 5])
    z = 0.8416212335729143
    spread = z * values.std(ddof=1)
    assert interval(resampled, 3.0, 0.6, "normal", 0).tolist() == pytest.approx(
        [6 - 4.5 - spread, 6 - 4.5 + spread]
    )
    # half of the values below the estimate, no acceleration: the percentiles
    middle = interval(resampled, 3.5, 0.6, "bca", 0.0)
    assert middle.tolist() == pytest.approx(interval(resampled, 3.5, 0.6, "percentile", 0).tolist())
    assert np.isnan(interval(values[:1], 3.0, 0.6, "percentile", 0)).all()
    assert np.isnan(interval(values, 0.0, 0.6, "bca", 0)).all()
    assert acceleration_of(np.array([[1.0], [2.0], [-3.0]])) == pytest.approx(-18 / 6 / 14**1.5)


@pytest.mark.parametrize("kind", ["percentile", "basic", "normal", "bca"])
def test_limits_are_those_of_boot(r, device, kind):
    X, (_, stop, event), _, _ = counting_rows()
    made = CoxPH(device=device).bootstrap(X, (stop, event), n_replicates=99, seed=2)
    if not r("requireNamespace('boot', quietly = TRUE)")[0]:
        pytest.skip("no boot")
    name = {"percentile": "perc", "normal": "norm"}.get(kind, kind)
    theirs = r(
        "L <- residuals(coxph(Surv(stop, event) ~ x), type = 'dfbeta')[, 1];"
        "made <- structure(list(t0 = t0, t = matrix(t), R = length(t), sim = 'ordinary',"
        "  call = quote(boot())), class = 'boot', boot_type = 'boot');"
        "utils::tail(as.double(boot::boot.ci(made, 0.9, name, index = 1, L = L)[[4]]), 2)",
        x=X,
        stop=stop,
        event=event.astype(float),
        t0=made.coef[0],
        t=made.coefficients[:, 0],
        name=name,
    )
    assert relative_difference(made.confint(0.9, kind)[0], theirs) < 1e-9


def test_failures_are_counted_and_warned_of(device):
    X = np.array([[1.0], [0], [0], [1], [0], [1]])
    y = [5, 8, 3, 9, 1, 7], [1, 1, 1, 0, 1, 0]
    copies = np.array([[1, 0], [1, 0], [1, 0], [1, 1], [1, 0], [1, 1]])
    with pytest.warns(ConvergenceWarning, match="1 no events"):
        made = CoxPH(device=device).bootstrap(X, y, frequencies=copies)
    assert made.status.tolist() == ["converged", "no events"]
    assert made.failures == {"no events": 1}
    assert np.isnan(made.coefficients[1]).all()
    assert made.coefficients[0] == pytest.approx(made.coef, rel=1e-8)
    assert "1 could not be fitted" in repr(made)
    assert list(made.as_frame().columns) == ["status", "loglik", "iterations", "x0"]


def test_a_redundant_covariate_is_nan_and_no_failure(device):
    X, (_, stop, event), _, _ = counting_rows()
    X = np.column_stack([X, X[:, 0] * 2])
    made = CoxPH(device=device).bootstrap(X, (stop, event), n_replicates=20, seed=1)
    assert not made.failures
    assert np.isnan(made.coefficients).any(axis=0).tolist() == [False, False, False, True]
    assert np.isnan(made.confint(kind="bca")).any(axis=1).tolist() == [False, False, False, True]
    assert made.covariance.shape == (4, 4)
    assert made.standard_errors[:3] == pytest.approx(np.sqrt(np.diag(made.covariance))[:3])


def test_a_formula_finds_labels_among_its_columns(device):
    X, (start, stop, event), id_, known = counting_rows()
    frame = pd.DataFrame(X, columns=["a", "b", "c"]).assign(
        start=start, stop=stop, event=event, who=id_, g=known["strata"]
    )
    frame.loc[3, "a"] = np.nan
    model = CoxPH.from_formula("Surv(start, stop, event) ~ a + b + strata(g)", frame, device=device)
    made = model.bootstrap(frame, id="who", n_replicates=4, seed=1)
    kept = np.delete(np.arange(len(frame)), 3)
    plain = CoxPH(device=device).bootstrap(
        X[kept, :2],
        (start[kept], stop[kept], event[kept]),
        id=id_[kept],
        strata=known["strata"][kept],
        n_replicates=4,
        seed=1,
    )
    assert relative_difference(made.coefficients, plain.coefficients) < 1e-11
    by_labels = model.bootstrap(frame, id=frame["who"], n_replicates=4, seed=1)
    assert relative_difference(by_labels.coefficients, made.coefficients) < 1e-11


def test_the_bayesian_bootstrap_weights_all_subjects(device):
    X, (_, stop, event), _, _ = counting_rows()
    model = CoxPH(device=device)
    made = model.bootstrap(X, (stop, event), kind="bayesian", n_replicates=200, seed=1)
    ratio = made.standard_errors / model.standard_errors_
    assert ((ratio > 0.6) & (ratio < 1.6)).all()
    assert made.kind == "bayesian"


@pytest.mark.parametrize(
    ("argument", "given"),
    [
        ("id", {}),
        ("id", {"id": [1, 2]}),
        ("n_replicates", {"n_replicates": 0}),
        ("n_replicates", {"n_replicates": 1.5}),
        ("batch_size", {"batch_size": -1}),
        ("kind", {"kind": "other"}),
        ("seed", {"seed": 0.5}),
        ("seed", {"seed": -1}),
        ("frequencies", {"frequencies": np.ones((3, 2))}),
        ("frequencies", {"frequencies": np.full((80, 2), -1)}),
        ("frequencies", {"frequencies": np.full((80, 2), 0.5)}),
        ("frequencies", {"frequencies": np.full((80, 2), np.nan)}),
        ("frequencies", {"frequencies": np.full((80, 2), "a")}),
        ("frequencies", {"frequencies": np.ones((80, 0))}),
        ("resampling_strata", {"resampling_strata": np.arange(160)}),
        ("resampling_strata", {"resampling_strata": [1]}),
        ("y", {"y": None}),
    ],
)
def test_bad_input_names_the_argument(argument, given):
    X, y, id_, _ = counting_rows()
    given = {"id": id_, "y": y, "n_replicates": 2, **given} if given else {"y": y}
    with pytest.raises(InvalidArgumentError) as raised:
        CoxPH(device="cpu").bootstrap(X, **given)
    assert raised.value.argument == argument


def test_bad_intervals_name_the_argument():
    X, (_, stop, event), _, _ = counting_rows()
    made = CoxPH(device="cpu").bootstrap(X, (stop, event), n_replicates=3, seed=1)
    with pytest.raises(InvalidArgumentError, match="kind"):
        made.confint(kind="best")
    with pytest.raises(InvalidArgumentError, match="level"):
        made.confint(level=95)


# ---- baseline hazards --------------------------------------------------------------------


@pytest.mark.parametrize("ties", ["efron", "breslow"])
@pytest.mark.parametrize("counting", [False, True])
@pytest.mark.parametrize("copies", [False, True])
def test_hazards_are_those_of_repeated_rows(device, ties, counting, copies):
    X, (start, stop, event), id_, known = counting_rows()
    rng = np.random.default_rng(2)
    tensors = {name: torch.as_tensor(value, device=device) for name, value in known.items()}
    data = CoxData(
        x=torch.as_tensor(X, device=device),
        stop=torch.as_tensor(stop, device=device),
        event=torch.as_tensor(event, device=device),
        start=torch.as_tensor(start, device=device) if counting else None,
        **tensors,
    )
    beta = rng.normal(size=(3, 3)) / 2
    beta[1] = np.nan
    weights = rng.multinomial(80, np.full(80, 1 / 80), size=3).T
    if not copies:
        weights = weights + 0.5
    times = torch.tensor([0.0, 1, 2.5, 6, 8, 100], device=device)
    centre = torch.as_tensor(X.mean(axis=0), device=device)
    subjects = torch.as_tensor(id_, device=device)
    ours = ReplicateHazards(data, subjects, centre, times, ties).at(beta, weights, copies)
    assert np.isnan(ours[1]).all()
    for b in (0, 2):
        number = weights[id_, b]
        rows = np.repeat(np.arange(id_.size), number) if copies else np.arange(id_.size)
        scale = np.ones(rows.size) if copies else number
        risk = np.exp((X - X.mean(axis=0)) @ beta[b] + known["offset"])
        repeated = BaselineRows(
            stop=torch.as_tensor(stop[rows]),
            event=torch.as_tensor(event[rows]),
            risk=torch.as_tensor(risk[rows]),
            start=torch.as_tensor(start[rows]) if counting else None,
            strata=torch.as_tensor(known["strata"][rows]),
            weights=torch.as_tensor(known["weights"][rows] * scale),
        )
        tables = baseline_tables(repeated, ties)
        for stratum in (0, 1):
            places = tables.places(times.cpu(), torch.full((6,), stratum))
            assert relative_difference(ours[b, stratum], tables.hazard[places].numpy()) < 1e-11


def test_a_stratum_that_was_not_drawn_has_no_hazard(device):
    stop = torch.tensor([1.0, 2, 3, 4], dtype=torch.float64, device=device)
    data = CoxData(
        x=torch.zeros(4, 1, dtype=torch.float64, device=device),
        stop=stop,
        event=torch.ones(4, dtype=torch.bool, device=device),
        strata=torch.tensor([0, 0, 1, 1], device=device),
    )
    of_rows = ReplicateHazards(data, torch.arange(4, device=device), stop[:1], stop, "efron")
    drawn = of_rows.at(np.zeros((2, 1)), np.array([[1, 1], [1, 0], [2, 0], [0, 0]]), True)
    assert drawn[0].tolist() == [[0.5, 1.5, 1.5, 1.5], [0, 0, 1.5, 1.5]]
    assert drawn[1, 0].tolist() == [1, 1, 1, 1]
    assert np.isnan(drawn[1, 1]).all()
