"""Permutation tests of an estimator: its terms, its rows, its words."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from survivalgpu import CoxPH, InvalidArgumentError


@pytest.fixture
def lung(r):
    frame = r.frame("lung")[["time", "status", "age", "sex", "ph.ecog"]].dropna()
    return frame.rename(columns={"ph.ecog": "ph"}).astype(float)


def follow_up(lung):
    return lung["time"], lung["status"] == 2


def test_all_columns_are_tested_by_default(lung):
    X = lung[["age", "sex", "ph"]]
    test = CoxPH(device="cpu").permutation_test(X, follow_up(lung), n_permutations=150, seed=4)
    assert test.names == ("age", "sex", "ph")
    assert test.null.shape == (150, 3)
    for j, name in enumerate(test.names):
        larger = (test.null[:, j] >= test.statistic[j] * (1 - 1e-8)).sum()
        assert test.p_values[j] == pytest.approx((1 + larger) / 151), name
    assert list(test.as_frame().index) == ["age", "sex", "ph"]
    assert repr(test).startswith("CoxPermutationTest: 150 permutations of 227 subjects, score")


def test_a_single_column_has_the_score_test_of_the_fit(lung):
    X = lung[["sex"]]
    model = CoxPH(device="cpu")
    test = model.permutation_test(X, follow_up(lung), n_permutations=20, seed=1)
    assert test.statistic[0] == pytest.approx(model.score_test_, rel=1e-10)
    assert test.p_values[0] < 0.1


def test_terms_by_name_and_together(lung):
    X = lung[["age", "sex", "ph"]]
    settings = {"n_permutations": 30, "seed": 1}

    def test_of(terms):
        return CoxPH(device="cpu").permutation_test(X, follow_up(lung), terms=terms, **settings)

    one, several = test_of("age"), test_of(["age", ["sex", "ph"]])
    named = test_of({"first": "age", "rest": ["sex", "ph"]})
    assert several.names == ("age", "sex + ph")
    assert named.names == ("first", "rest")
    assert several.df.tolist() == [1, 2]
    assert np.array_equal(one.null[:, 0], several.null[:, 0])
    assert np.array_equal(named.null, several.null)


def test_statistics_are_close_to_each_other_in_large_samples():
    rng = np.random.default_rng(3)
    X = rng.normal(size=(600, 2))
    y = rng.exponential(np.exp(-0.1 * X[:, 0])), rng.random(600) < 0.8
    tests = {
        kind: CoxPH(device="cpu").permutation_test(
            X, y, terms="x0", n_permutations=25, seed=2, statistic=kind
        )
        for kind in ("score", "lrt", "wald")
    }
    for kind in ("lrt", "wald"):
        np.testing.assert_allclose(tests[kind].null, tests["score"].null, rtol=0.1, atol=0.02)
        np.testing.assert_allclose(tests[kind].statistic, tests["score"].statistic, rtol=0.1)


def test_a_formula_and_names_of_columns(lung):
    lung = lung.assign(who=np.arange(len(lung)) // 2)
    lung["age"] = lung.groupby("who")["age"].transform("first")
    model = CoxPH.from_formula("Surv(time, status) ~ age + strata(sex)", lung, device="cpu")
    settings = {"n_permutations": 20, "seed": 6}
    rows = model.permutation_test(lung, **settings)
    by_name = model.permutation_test(lung, id="who", **settings)
    by_label = model.permutation_test(lung, id=lung["who"], **settings)
    assert rows.n_subjects == len(lung)
    assert by_name.n_subjects == lung["who"].nunique()
    assert np.array_equal(by_name.null, by_label.null)
    assert by_name.statistic == pytest.approx(rows.statistic)


def test_a_redundant_column_takes_no_part(lung):
    X = lung[["age", "sex"]].assign(twice=2 * lung["age"])
    test = CoxPH(device="cpu").permutation_test(X, follow_up(lung), n_permutations=9, seed=1)
    assert test.names == ("age", "sex")
    with pytest.raises(InvalidArgumentError, match="twice has no coefficient"):
        CoxPH(device="cpu").permutation_test(X, follow_up(lung), terms="twice")


def test_a_seed_is_drawn_and_kept(lung):
    X, y = lung[["age"]], follow_up(lung)
    first = CoxPH(device="cpu").permutation_test(X, y, n_permutations=9)
    again = CoxPH(device="cpu").permutation_test(X, y, n_permutations=9, seed=first.seed)
    assert np.array_equal(first.null, again.null)


def test_missing_statistics_count_as_larger(monkeypatch):
    from survivalgpu.resampling.permutation import PermutationTest

    rng = np.random.default_rng(1)
    y = rng.exponential(size=50), np.ones(50, dtype=bool)
    monkeypatch.setattr(PermutationTest, "drawn", lambda self, *_: np.full((9, 1), np.nan))
    test = CoxPH(device="cpu").permutation_test(rng.normal(size=(50, 1)), y, n_permutations=9)
    assert test.p_values.tolist() == [1.0]


def test_p_values_are_uniform_given_another_covariate():
    rng = np.random.default_rng(8)
    p_values = []
    for seed in range(120):
        X = rng.normal(size=(60, 2))
        time = rng.exponential(np.exp(-X[:, 1]))
        test = CoxPH(device="cpu").permutation_test(
            X, (time, rng.random(60) < 0.8), terms="x0", n_permutations=99, seed=seed
        )
        p_values.append(test.p_values[0])
    assert stats.kstest(p_values, "uniform").pvalue > 0.01


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"terms": "weight"}, r"`terms`: there is no column 'weight'\. There are age, sex"),
        ({"terms": []}, "`terms`: it is empty"),
        ({"n_permutations": 0}, "`n_permutations`: it is 0"),
        ({"n_permutations": 2.5}, "`n_permutations`: it is 2.5"),
        ({"seed": -1}, "`seed`: it is -1"),
        ({"statistic": "t"}, "`statistic`: 't' is none"),
        ({"permutation_strata": [1, 2]}, "`permutation_strata`: its shape"),
        ({"entry": 0.0}, "`id`: it is missing"),
        ({"id": "all"}, "`terms`: age changes over time within 1 subject"),
        ({"weights": "age"}, "`weights`: case weights differ"),
    ],
)
def test_what_is_refused(lung, change, message):
    if "entry" in change:
        change = {"entry": np.zeros(len(lung))}
    if "id" in change:
        change = {"id": np.arange(len(lung)) // (len(lung) - 1)}
    if "weights" in change:
        change = {"weights": lung["age"]}
    X = pd.DataFrame(lung[["age", "sex"]])
    with pytest.raises(InvalidArgumentError, match=message):
        CoxPH(device="cpu").permutation_test(X, follow_up(lung), **change)
