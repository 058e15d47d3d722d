"""Permutation tests against permuted data, by definition and by hand."""

from dataclasses import replace
from itertools import permutations as all_orders

import numpy as np
import pytest
import torch
from reference import loglik_score_information
from scipy import stats
from strategies import make_rows

from survivalgpu.coxph import CoxData, fit_coxph
from survivalgpu.errors import InvalidArgumentError
from survivalgpu.inference import log_chi_square_tail
from survivalgpu.newton import NewtonControl
from survivalgpu.resampling import compiled_scores, permutation
from survivalgpu.resampling.p_values import permutation_p_values
from survivalgpu.resampling.permutation import PermutationTest

AGREES = 1e-8
CONTROL = NewtonControl()
EXACT = NewtonControl(50, 1e-13)


def permuted_rows(rows, columns, donors, subjects):
    """The rows with the values of the donors in some columns."""
    first = np.unique(subjects, return_index=True)[1]
    x = rows.x.copy()
    x[:, columns] = rows.x[first[donors]][subjects][:, columns]
    return replace(rows, x=x)


def null_coefficients(rows, columns, ties):
    others = np.setdiff1d(np.arange(rows.x.shape[1]), columns)
    data = rows.data()
    fit = fit_coxph(
        replace(data, x=data.x[:, others]),
        ties,
        control=EXACT,
        uncentred=np.zeros(len(others), dtype=bool),
    )
    beta = np.zeros(rows.x.shape[1])
    beta[others] = fit.coefficients[0]
    return beta


def score_by_definition(rows, columns, ties):
    beta = null_coefficients(rows, columns, ties)
    _, score, information = loglik_score_information(*rows.arrays(), beta, ties)
    return score @ np.linalg.solve(information, score)


def equal_weights(rows):
    return replace(rows, weights=np.full(rows.stop.size, 1.5))


def with_subjects(rows, seed):
    """Subjects of several rows, constant covariates but for the last column."""
    n = rows.stop.size
    subjects = np.random.default_rng(seed).integers(0, n // 2, n)
    subjects = np.unique(subjects, return_inverse=True)[1]
    first = np.unique(subjects, return_index=True)[1]
    x = rows.x.copy()
    x[:, :-1] = rows.x[first][subjects][:, :-1]
    return replace(rows, x=x, strata=np.zeros(n, dtype=int)), subjects


@pytest.mark.parametrize("counting", [False, True])
@pytest.mark.parametrize("ties", ["efron", "breslow"])
@pytest.mark.parametrize(("p", "columns"), [(1, [0]), (3, [1]), (4, [2, 0])])
def test_score_statistics_are_those_of_permuted_data(counting, ties, p, columns):
    rows = equal_weights(make_rows(3, 40, p, 8, 2, counting))
    terms = {"a": np.array(columns)}
    test = PermutationTest(rows.data(), np.arange(40), terms, ties, CONTROL)
    donors = test.donors(5, 0, 12)
    expected = [
        score_by_definition(permuted_rows(rows, columns, d, np.arange(40)), columns, ties)
        for d in donors
    ]
    np.testing.assert_allclose(test.drawn(5, 0, 12)[:, 0], expected, rtol=AGREES)
    np.testing.assert_allclose(test.statistics(donors)[:, 0], expected, rtol=AGREES)
    np.testing.assert_allclose(
        test.observed(), score_by_definition(rows, columns, ties), rtol=AGREES
    )


@pytest.mark.parametrize("counting", [False, True])
def test_subjects_of_several_rows(counting):
    rows, subjects = with_subjects(make_rows(8, 60, 3, 9, 1, counting), 4)
    rows = equal_weights(rows)
    terms = {"a": np.array([0]), "b": np.array([1])}
    test = PermutationTest(rows.data(), subjects, terms, "efron", CONTROL)
    donors = test.donors(1, 0, 10)
    for j, columns in enumerate(terms.values()):
        expected = [
            score_by_definition(permuted_rows(rows, columns, d, subjects), columns, "efron")
            for d in donors
        ]
        np.testing.assert_allclose(test.drawn(1, 0, 10)[:, j], expected, rtol=AGREES)


@pytest.mark.parametrize("statistic", ["lrt", "wald"])
@pytest.mark.parametrize("counting", [False, True])
def test_refits_are_fits_of_permuted_data(statistic, counting):
    rows = equal_weights(make_rows(5, 60, 3, 9, 2, counting))
    columns = np.array([0, 2])
    terms = {"a": columns}
    test = PermutationTest(rows.data(), np.arange(60), terms, "efron", CONTROL, statistic=statistic)
    donors = test.donors(2, 0, 8)
    null = fit_coxph(replace(rows.data(), x=rows.data().x[:, [1]]), control=EXACT)
    for donor, found in zip(donors, test.drawn(2, 0, 8)[:, 0], strict=True):
        data = permuted_rows(rows, columns, donor, np.arange(60)).data()
        fit = fit_coxph(data, control=EXACT)
        if statistic == "lrt":
            expected = 2 * (fit.loglik[0, 1] - null.loglik[0, 1])
        else:
            beta, variance = fit.coefficients[0][columns], fit.variance[0][np.ix_(columns, columns)]
            expected = beta @ np.linalg.solve(variance, beta)
        assert found == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("ties", ["efron", "breslow"])
@pytest.mark.parametrize("counting", [False, True])
@pytest.mark.parametrize(
    ("n", "n_times", "n_strata"), [(20, 30, 2), (60, 1, 1), (60, 7, 3), (400, 300, 1), (900, 40, 5)]
)
def test_the_kernel_equals_pytorch(n, n_times, n_strata, counting, ties, monkeypatch):
    rows, subjects = equal_weights(make_rows(n, n, 4, n_times, n_strata, counting)), np.arange(n)
    if n_strata == 1:
        rows, subjects = with_subjects(rows, n)
    terms = {"a": np.array([0]), "b": np.array([1, 2])}
    arguments = rows.data(), subjects, terms, ties, CONTROL
    compiled = PermutationTest(*arguments)
    assert compiled._engine._compiled is not None
    drawn = compiled.drawn(3, 4, 19)
    monkeypatch.setattr(compiled_scores, "kernels_for", lambda *_: None)
    plain = PermutationTest(*arguments)
    assert plain._engine._compiled is None
    np.testing.assert_allclose(plain.drawn(3, 4, 19), drawn, rtol=1e-9)


def test_risks_of_many_magnitudes_are_left_to_pytorch():
    rows = equal_weights(make_rows(6, 200, 2, 30, 1, counting=True))
    rows = replace(rows, offset=20 * rows.offset)
    columns = [0]
    terms = {"a": np.array(columns)}
    test = PermutationTest(rows.data(), np.arange(200), terms, "efron", CONTROL)
    assert test._engine._compiled is None
    donors = test.donors(1, 0, 3)
    expected = [
        score_by_definition(permuted_rows(rows, columns, d, np.arange(200)), columns, "efron")
        for d in donors
    ]
    np.testing.assert_allclose(test.statistics(donors)[:, 0], expected, rtol=AGREES)


def test_devices_agree(device):
    rows = equal_weights(make_rows(9, 300, 3, 20, 3, counting=False))
    terms = {"a": np.array([0]), "b": np.array([1, 2])}
    there = PermutationTest(rows.data(device), np.arange(300), terms, "efron", CONTROL)
    here = PermutationTest(rows.data(), np.arange(300), terms, "efron", CONTROL)
    assert np.array_equal(there.donors(1, 0, 5), here.donors(1, 0, 5))
    np.testing.assert_allclose(there.drawn(1, 0, 50), here.drawn(1, 0, 50), rtol=1e-9)


def test_batches_and_threads_do_not_matter():
    n = 8000
    rows = equal_weights(make_rows(9, n, 3, 20, 3, counting=False))
    terms = {"a": np.array([0]), "b": np.array([1, 2])}
    test = PermutationTest(rows.data(), np.arange(n), terms, "efron", CONTROL)
    whole = test.drawn(1, 0, 41)
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    parts = [test.drawn(1, 0, 21), test.drawn(1, 21, 20)]
    torch.set_num_threads(before)
    assert np.array_equal(whole, np.concatenate(parts))


def test_four_subjects_by_hand():
    # events at 1, 2, 3, 4; the logrank statistic of each way to choose the two exposed
    exposed = np.array([1.0, 1.0, 0.0, 0.0])
    data = CoxData(
        x=torch.from_numpy(exposed[:, None]),
        stop=torch.arange(1.0, 5.0, dtype=torch.float64),
        event=torch.ones(4, dtype=torch.bool),
    )
    test = PermutationTest(data, np.arange(4), {"x": np.array([0])}, "efron", CONTROL)
    orders = np.array(list(all_orders(range(4))))
    extreme, middle, least = (7 / 6) ** 2 / (17 / 36), (2 / 3) ** 2 / (13 / 18), 1 / 9 / (13 / 18)
    by_hand = {
        (1, 1, 0, 0): extreme,
        (0, 0, 1, 1): extreme,
        (1, 0, 1, 0): middle,
        (0, 1, 0, 1): middle,
        (1, 0, 0, 1): least,
        (0, 1, 1, 0): least,
    }
    expected = [by_hand[tuple(exposed[order].astype(int))] for order in orders]
    found = test.statistics(orders)
    np.testing.assert_allclose(found[:, 0], expected, rtol=1e-12)
    values = permutation_p_values(test.observed(), found, test.df)
    # 8 of 24, and the data
    assert values.each[0] == pytest.approx(9 / 25)


def test_split_rows_change_nothing():
    rows = make_rows(12, 50, 2, 10, 1, counting=False)
    one = PermutationTest(
        rows.data(weights=None), np.arange(50), {"a": np.array([0])}, "efron", CONTROL
    )
    late = rows.stop > 5
    data = CoxData(
        x=torch.from_numpy(np.concatenate([rows.x, rows.x[late]])),
        start=torch.from_numpy(np.concatenate([np.zeros(50), np.full(late.sum(), 5.0)])),
        stop=torch.from_numpy(np.concatenate([np.minimum(rows.stop, 5), rows.stop[late]])),
        event=torch.from_numpy(np.concatenate([rows.event & ~late, rows.event[late]])),
        offset=torch.from_numpy(np.concatenate([rows.offset, rows.offset[late]])),
    )
    subjects = np.concatenate([np.arange(50), np.flatnonzero(late)])
    split = PermutationTest(data, subjects, {"a": np.array([0])}, "efron", CONTROL)
    donors = one.donors(4, 0, 20)
    np.testing.assert_allclose(split.statistics(donors), one.statistics(donors), rtol=1e-9)


def test_p_values_are_uniform_without_an_effect():
    rng = np.random.default_rng(20)
    p_values = []
    for seed in range(200):
        x = rng.normal(size=(60, 1))
        data = CoxData(
            x=torch.from_numpy(x),
            stop=torch.from_numpy(np.ceil(rng.exponential(10, 60))),
            event=torch.from_numpy(rng.random(60) < 0.7),
        )
        test = PermutationTest(data, np.arange(60), {"x": np.array([0])}, "efron", CONTROL)
        null = test.drawn(seed, 0, 199)
        p_values.append(permutation_p_values(test.observed(), null, test.df).each[0])
    assert stats.kstest(p_values, "uniform").pvalue > 0.01


def test_max_t_controls_the_family_error():
    rng = np.random.default_rng(21)
    rejected = 0
    for seed in range(200):
        common = rng.normal(size=(60, 1))
        x = common + rng.normal(size=(60, 4))
        data = CoxData(
            x=torch.from_numpy(x),
            stop=torch.from_numpy(rng.exponential(10, 60)),
            event=torch.from_numpy(rng.random(60) < 0.7),
        )
        terms = {"a": np.array([0]), "b": np.array([1]), "c": np.array([2, 3])}
        test = PermutationTest(data, np.arange(60), terms, "efron", CONTROL)
        null = test.drawn(seed, 0, 99)
        values = permutation_p_values(test.observed(), null, test.df)
        assert (values.adjusted >= values.stepdown).all()
        assert (values.stepdown >= values.each).all()
        rejected += values.adjusted.min() <= 0.1
    assert stats.binomtest(rejected, 200, 0.1).pvalue > 0.01


def test_p_values_by_hand():
    observed, df = np.array([4.0, 1.0]), np.array([1, 1])
    null = np.array([[4.0, 0.0], [0.5, 5.0], [1.0, 1.0], [0.0, np.nan]])
    values = permutation_p_values(observed, null, df)
    np.testing.assert_allclose(values.each, [2 / 5, 4 / 5])
    # the larger of each pair: 4, 5, 1, missing
    np.testing.assert_allclose(values.adjusted, [4 / 5, 1])
    np.testing.assert_allclose(values.stepdown, [4 / 5, 4 / 5])


def test_degrees_of_freedom_count_alike():
    # 6 on 1 degree is rarer than 8 on 5
    values = permutation_p_values(
        np.array([6.0, 8.0]), np.array([[0.0, 8.0], [6.0, 0.0]]), np.array([1, 5])
    )
    np.testing.assert_allclose(values.adjusted, [2 / 3, 1])


@pytest.mark.parametrize("df", [1, 2, 5, 40])
def test_log_of_the_chi_square_tail(df, r):
    x = np.array([0.0, 0.1, 3.0, 900.0, 1500.0, 40000.0])
    expected = r("pchisq(x, df, lower.tail = FALSE, log.p = TRUE)", x=x, df=df)
    np.testing.assert_allclose(log_chi_square_tail(x, df), expected, rtol=1e-10, atol=1e-14)
    assert log_chi_square_tail(np.array([np.inf]), df)[0] == -np.inf


def test_subjects_keep_to_their_strata_and_groups():
    rows = make_rows(2, 80, 2, 9, 3, counting=False)
    groups = np.arange(80) % 2
    test = PermutationTest(
        rows.data(weights=None), np.arange(80), {"a": np.array([0])}, "efron", CONTROL, groups
    )
    donors = test.donors(1, 0, 20)
    assert (rows.strata[donors] == rows.strata).all()
    assert (groups[donors] == groups).all()


def test_subjects_in_several_strata_change_places_with_their_like():
    rows = make_rows(2, 60, 1, 9, 1, counting=False)
    subjects = np.arange(60) // 2
    strata = np.where(subjects < 15, np.arange(60) % 2, np.arange(60) % 2 + 1)
    x = rows.x[::2][subjects]
    data = replace(rows, x=x, strata=strata).data(weights=None)
    test = PermutationTest(data, subjects, {"a": np.array([0])}, "efron", CONTROL)
    donors = test.donors(1, 0, 20)
    assert ((donors < 15) == (np.arange(30) < 15)).all()


def test_a_column_that_the_others_explain_has_no_statistic_of_its_own():
    rows = make_rows(2, 60, 2, 9, 1, counting=False)
    rows = equal_weights(replace(rows, x=np.column_stack([rows.x, np.ones(60)])))
    test = PermutationTest(rows.data(), np.arange(60), {"one": np.array([2])}, "efron", CONTROL)
    assert (test.drawn(1, 0, 5) == 0).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"subjects": np.arange(40) // 2}, "`terms`: a changes over time within 20 subject"),
        ({"weights": True}, "`weights`: case weights differ among subjects"),
        ({"strata": np.arange(40)}, "`strata`: no subject has another"),
        ({"statistic": "logrank"}, "`statistic`: 'logrank' is none"),
    ],
)
def test_what_is_refused(change, message):
    rows = make_rows(3, 40, 2, 8, 1, counting=True)
    data = rows.data() if change.pop("weights", False) else rows.data(weights=None)
    subjects = change.pop("subjects", np.arange(40))
    with pytest.raises(InvalidArgumentError, match=message):
        PermutationTest(data, subjects, {"a": np.array([0])}, "efron", CONTROL, **change)


def test_equal_weights_within_groups_will_do():
    rows = make_rows(3, 40, 2, 8, 1, counting=False)
    by_weight = np.unique(rows.weights, return_inverse=True)[1]
    test = PermutationTest(
        rows.data(), np.arange(40), {"a": np.array([0])}, "efron", CONTROL, by_weight
    )
    donors = test.donors(1, 0, 3)
    expected = [
        score_by_definition(permuted_rows(rows, [0], d, np.arange(40)), [0], "efron")
        for d in donors
    ]
    np.testing.assert_allclose(test.statistics(donors)[:, 0], expected, rtol=AGREES)


def test_terms_at_once_are_fewer_for_large_data():
    assert permutation.terms_at_once(100, 5) > 100
    assert permutation.terms_at_once(10**7, 50) == 1
