"""The estimator: a case by hand, R's coxph, prediction, and the habits of scikit-learn."""

import pickle
import sys
import types
import warnings

import numpy as np
import pandas as pd
import pytest
from agreement import relative_difference
from estimator_reference import AGREES, ROUNDING, assert_agrees, coxph

from survivalgpu import ConvergenceWarning, CoxPH, InvalidArgumentError, NotFittedError

SKLEARN_TAGS = ("InputTags", "Tags", "TargetTags")

# ---- the numbers -------------------------------------------------------------------------


def test_three_rows_by_hand(device):
    """With r = exp(beta): loglik log r - log(2r + 1) - log(r + 1), so 2 r^2 = 1."""
    model = CoxPH(device=device, eps=1e-13).fit([[1.0], [0.0], [1.0]], ([1, 2, 3], [1, 1, 0]))
    risk = np.sqrt(0.5)
    loglik = np.log(risk) - np.log(2 * risk + 1) - np.log(risk + 1)
    information = 2 * risk / (2 * risk + 1) ** 2 + risk / (risk + 1) ** 2
    assert model.coef_[0] == pytest.approx(-np.log(2) / 2, rel=1e-12)
    assert model.loglik_.tolist() == pytest.approx([-np.log(6), loglik], rel=1e-12)
    assert model.variance_[0, 0] == pytest.approx(1 / information, rel=1e-12)
    assert model.score_test_ == pytest.approx((1 - 2 / 3 - 1 / 2) ** 2 / (2 / 9 + 1 / 4), rel=1e-12)
    assert model.wald_test_ == pytest.approx(model.coef_[0] ** 2 * information, rel=1e-12)
    hazards = np.array([1 / (2 * risk + 1), 1 / (risk + 1)])
    expected = [risk * hazards[0], hazards.sum(), risk * hazards.sum()]
    assert model.martingale_residuals_ == pytest.approx(np.array([1, 1, 0]) - expected, rel=1e-12)
    assert model.linear_predictors_ == pytest.approx(model.coef_[0] * np.array([1, 0, 1]))
    assert (model.n_, model.n_events_, model.n_missing_) == (3, 2, 0)


@pytest.mark.parametrize("ties", ["efron", "breslow"])
@pytest.mark.parametrize("counting", [False, True])
@pytest.mark.parametrize("parts", [(), ("strata",), ("weights",), ("offset",), None])
def test_agrees_with_coxph(r, device, small, ties, counting, parts):
    X, entry, time, event, rest = small
    rest = rest if parts is None else {name: rest[name] for name in parts}
    y = (entry, time, event) if counting else (time, event)
    model = CoxPH(ties=ties, device=device).fit(X, y, **rest)
    assert_agrees(model, coxph(r, X, y, ties=ties, **rest))
    assert model.status_ == "converged"
    assert model.converged_ is True


@pytest.mark.parametrize("name", ["lung", "veteran", "rotterdam", "heart", "nwtco"])
def test_agrees_with_coxph_on_survivals_data(r, name):
    columns = {
        "lung": (["time", "status"], ["age", "sex", "ph.ecog"]),
        "veteran": (["time", "status"], ["age", "karno", "diagtime", "prior"]),
        "rotterdam": (["dtime", "death"], ["age", "nodes", "pgr", "er", "meno"]),
        "heart": (["start", "stop", "event"], ["age", "year", "surgery"]),
        "nwtco": (["edrel", "rel"], ["age", "histol", "stage"]),
    }
    times, covariates = columns[name]
    data = r.frame(name)[times + covariates].dropna()
    if name == "lung":
        data["status"] -= 1
    y = tuple(data[column] for column in times)
    model = CoxPH(device="cpu").fit(data[covariates], y)
    assert_agrees(model, coxph(r, data[covariates].to_numpy(), y))
    assert model.feature_names_in_.tolist() == covariates


@pytest.mark.parametrize("nocenter", [(-1, 0, 1), (), (0,)])
def test_columns_left_uncentred(r, small, nocenter):
    X, _, time, event, _ = small
    model = CoxPH(device="cpu", nocenter=nocenter).fit(X, (time, event))
    assert_agrees(model, coxph(r, X, (time, event), nocenter=nocenter or (99,)))
    assert (model.means_ == 0).tolist() == [False, nocenter == (-1, 0, 1), False]
    assert (CoxPH(device="cpu", nocenter=None).fit(X, (time, event)).means_ != 0).all()


def test_initial_values(r, small):
    X, _, time, event, _ = small
    init = [0.01, -0.2, 0.1]
    model = CoxPH(device="cpu", init=init).fit(X, (time, event))
    assert_agrees(model, coxph(r, X, (time, event), init=init))
    at_start = CoxPH(device="cpu", init=init, iter_max=0).fit(X, (time, event))
    assert at_start.coef_.tolist() == pytest.approx(init, rel=1e-15)
    assert_agrees(at_start, coxph(r, X, (time, event), init=init, iter_max=0))
    assert at_start.converged_ is False


@pytest.mark.parametrize("counting", [False, True])
def test_redundant_columns_are_nan(r, small, counting):
    X, entry, time, event, _ = small
    X = np.column_stack([X[:, 0], np.full(len(X), 7.0), X[:, 1], X[:, 0] + 2 * X[:, 1], X[:, 2]])
    y = (entry, time, event) if counting else (time, event)
    model = CoxPH(device="cpu").fit(X, y)
    assert np.isnan(model.coef_).tolist() == [False, True, False, True, False]
    assert_agrees(model, coxph(r, X, y))
    assert np.isnan(model.standard_errors_).tolist() == np.isnan(model.coef_).tolist()
    assert np.isfinite(model.predict(X)).all()
    assert [test.df for test in model.summary().tests] == [3, 3, 3]


def test_fewer_rows_than_columns(r):
    """The likelihood's supremum 1 is reached by coefficients that are infinite."""
    X = np.random.default_rng(2).normal(size=(6, 9))
    time, event = np.arange(1.0, 7), np.array([1, 1, 0, 1, 1, 1])
    with pytest.warns(ConvergenceWarning, match="Ran out of iterations") as ours:
        model = CoxPH(device="cpu").fit(X, (time, event))
    theirs = coxph(r, X, (time, event))
    assert [str(w.message).rstrip(".").lower() for w in ours] == [s.lower() for s in theirs["said"]]
    assert model.loglik_[0] == pytest.approx(theirs["loglik"][0], rel=1e-12)
    assert model.loglik_[1] == pytest.approx(0.0, abs=1e-7)


def test_one_row():
    """No other row is ever at risk: the likelihood is 1 whatever the coefficient."""
    with pytest.warns(ConvergenceWarning, match="Ran out of iterations"):
        model = CoxPH(device="cpu").fit([[2.0]], ([3.0], [True]))
    assert np.isnan(model.coef_[0])
    assert model.loglik_.tolist() == [0.0, 0.0]
    assert [test.p_value for test in model.summary().tests] == [1.0] * 3


@pytest.mark.parametrize("counting", [False, True])
def test_warnings_are_survivals(r, counting):
    """A covariate that is 1 for early events only has an infinite coefficient."""
    time = np.arange(1.0, 31)
    X = np.column_stack([np.sin(time), time < 11])
    event = time < 25
    y = (time - 1, time, event) if counting else (time, event)
    y = (np.zeros(30), time, event) if counting else y
    said = coxph(r, X, y)["said"]
    with pytest.warns(ConvergenceWarning) as ours:
        CoxPH(device="cpu").fit(pd.DataFrame(X, columns=["wave", "early"]), y)
    assert ours[0].filename == __file__
    assert [str(w.message) for w in ours] == [
        "Loglik converged before variable early; coefficient may be infinite."
    ]
    assert len(said) == 1
    assert said[0].startswith("Loglik converged before variable  2 ;")
    said = coxph(r, X, y, iter_max=3)["said"]
    with pytest.warns(ConvergenceWarning) as ours:
        model = CoxPH(device="cpu", iter_max=3).fit(X, y)
    assert [str(w.message).rstrip(".") for w in ours] == list(said)
    assert said[0] == "Ran out of iterations and did not converge"
    assert model.converged_ is False


def test_a_warning_made_an_error_leaves_no_fit():
    model = CoxPH(device="cpu", iter_max=2)
    X, y = np.array([[1.0], [0.2], [3], [0.1]]), (np.arange(4.0), [1, 1, 1, 0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ConvergenceWarning):
            model.fit(X, y)
    assert not hasattr(model, "coef_")


def test_times_that_differ_by_rounding(r, small):
    X, _, time, event, _ = small
    shaken = time + np.random.default_rng(0).choice([0, 1e-12], len(time))
    exact = CoxPH(device="cpu").fit(X, (time, event))
    fixed = CoxPH(device="cpu").fit(X, (shaken, event))
    assert np.array_equal(fixed.coef_, exact.coef_)
    assert_agrees(fixed, coxph(r, X, (shaken, event)))
    loose = CoxPH(device="cpu", timefix=False).fit(X, (shaken, event))
    assert relative_difference(loose.coef_, exact.coef_) > 1e-6


# ---- prediction and summary --------------------------------------------------------------


def test_prediction_on_the_fitted_rows(small):
    X, entry, time, event, rest = small
    model = CoxPH(device="cpu").fit(X, (entry, time, event), **rest)
    score = model.predict(X, offset=rest["offset"])
    assert relative_difference(score, model.linear_predictors_) < ROUNDING
    np.testing.assert_allclose(
        model.predict_partial_hazard(X, offset=rest["offset"]), np.exp(score)
    )
    without = (X - model.means_) @ model.coef_
    assert relative_difference(model.predict(X), without) < ROUNDING


def test_prediction_finds_columns_by_name(small):
    X, _, time, event, _ = small
    frame = pd.DataFrame(X, columns=["age", "arm", "marker"])
    model = CoxPH(device="cpu").fit(frame, (time, event))
    expected = model.predict(X)
    mixed = frame[["marker", "age", "arm"]].assign(more="text")
    assert np.array_equal(model.predict(mixed), expected)
    with pytest.raises(InvalidArgumentError, match=r"lacks the column\(s\) arm"):
        model.predict(frame[["age", "marker"]])
    with pytest.raises(InvalidArgumentError, match=r"`X`: it has 2 column.*age, arm, marker"):
        model.predict(X[:, :2])
    with pytest.raises(InvalidArgumentError, match="row 4"):
        model.predict(np.where(np.arange(len(X))[:, None] == 4, np.nan, X))


@pytest.mark.parametrize("method", ["predict", "predict_partial_hazard", "summary", "confint"])
def test_an_unfitted_estimator_says_so(method):
    with pytest.raises(NotFittedError, match=r"not fitted.*Call fit\(\) first"):
        getattr(CoxPH(), method)(*([[[1.0]]] if "predict" in method else []))


def test_summary_agrees_with_survivals(r, small):
    X, _, time, event, rest = small
    model = CoxPH(device="cpu").fit(X, (time, event), **rest)
    theirs = coxph(r, X, (time, event), **rest)
    summary = model.summary()
    table = [summary.coef, np.exp(summary.coef), summary.se, summary.z, summary.p]
    assert relative_difference(np.column_stack(table), theirs["table"]) < AGREES
    limits = [np.exp(summary.coef), np.exp(-summary.coef), summary.lower, summary.upper]
    assert relative_difference(np.column_stack(limits), theirs["limits"]) < AGREES
    assert relative_difference(model.confint(), theirs["confint"]) < AGREES
    for ours, (statistic, df, p) in zip(summary.tests, theirs["tests"], strict=True):
        # survival rounds the Wald statistic it prints to two decimals
        assert ours.statistic == pytest.approx(
            statistic, rel=AGREES, abs=0.005 * ("W" in ours.name)
        )
        assert ours.df == df
        assert ours.p_value == pytest.approx(p, rel=1e-8)


def test_summary_prints_a_table(small):
    X, _, time, event, _ = small
    frame = pd.DataFrame(X, columns=["age", "arm", "marker"])
    summary = CoxPH(device="cpu").fit(frame, (time, event)).summary(level=0.9)
    text = str(summary)
    assert repr(summary) == text
    assert text.startswith("Cox proportional hazards model, efron ties\n  n = 90, number of")
    for part in ("exp(coef)", "se(coef)", "lower 0.9", "Likelihood ratio test = ", "on 3 df, p = "):
        assert part in text
    assert all(len(line) <= 100 and line == line.rstrip() for line in text.splitlines())
    table = summary.as_frame()
    assert table.index.tolist() == ["age", "arm", "marker"]
    assert table["exp(coef) upper 0.9"].tolist() == summary.upper.tolist()


@pytest.mark.parametrize("level", [0, 1, 1.5, "95%", np.nan])
def test_a_bad_confidence_level(small, level):
    X, _, time, event, _ = small
    model = CoxPH(device="cpu").fit(X, (time, event))
    with pytest.raises(InvalidArgumentError, match="`level`"):
        model.confint(level)


# ---- habits of scikit-learn --------------------------------------------------------------


def test_parameters_are_stored_as_given():
    given = {"ties": "breslow", "nocenter": [0, 1], "init": (1, 2)}
    model = CoxPH(**given)
    assert {name: model.get_params()[name] for name in given} == given
    assert model.get_params()["init"] is given["init"]
    assert set(model.get_params(deep=False)) == {
        "ties", "device", "init", "iter_max", "eps", "toler_chol", "nocenter", "timefix",
    }  # fmt: skip
    assert type(model)(**model.get_params()).get_params() == model.get_params()
    assert not [name for name in vars(model) if name.endswith("_")]


def test_parameters_can_be_set():
    model = CoxPH()
    assert model.set_params(ties="breslow", iter_max=5) is model
    assert (model.ties, model.iter_max) == ("breslow", 5)
    with pytest.raises(InvalidArgumentError, match=r"`tie`: CoxPH has no such.*ties, device"):
        model.set_params(eps=1.0, tie="efron")
    assert model.eps == 1e-9
    with pytest.raises(TypeError):
        CoxPH("efron")


def test_tags_for_scikit_learns_pipelines(monkeypatch):
    made = {name: lambda _name=name, **given: (_name, given) for name in SKLEARN_TAGS}
    monkeypatch.setitem(sys.modules, "sklearn", types.ModuleType("sklearn"))
    monkeypatch.setitem(sys.modules, "sklearn.utils", types.SimpleNamespace(**made))
    name, given = CoxPH().__sklearn_tags__()
    assert name == "Tags"
    assert given["target_tags"] == ("TargetTags", {"required": True})


def test_a_fit_keeps_what_others_put_on_the_estimator(small):
    X, _, time, event, _ = small
    model = CoxPH(device="cpu")
    model._callback = "theirs"
    assert model.fit(X, (time, event))._callback == "theirs"


def test_repr_shows_what_differs():
    assert repr(CoxPH()) == "CoxPH()"
    assert repr(CoxPH(ties="breslow", init=[0.5])) == "CoxPH(ties='breslow', init=[0.5])"


def test_a_fitted_estimator_survives_a_pickle(small, device):
    X, entry, time, event, rest = small
    model = CoxPH(device=device).fit(X, (entry, time, event), **rest)
    stored = pickle.dumps(model)
    assert b"torch" not in stored
    again = pickle.loads(stored)
    assert np.array_equal(again.predict(X), model.predict(X))
    assert str(again.summary()) == str(model.summary())
    assert again.get_params() == model.get_params()
    assert again.device_.startswith(device)


def test_two_runs_are_bitwise_equal(small, device):
    X, entry, time, event, rest = small
    first, second = (CoxPH(device=device).fit(X, (entry, time, event), **rest) for _ in range(2))
    assert np.array_equal(first.coef_, second.coef_)
    assert np.array_equal(first.variance_, second.variance_)
    assert np.array_equal(first.martingale_residuals_, second.martingale_residuals_)
