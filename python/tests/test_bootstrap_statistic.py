"""A user's statistic of the coefficients, resampled with them."""

import numpy as np
import pytest
from agreement import relative_difference

from survivalgpu import ConvergenceWarning, CoxPH, InvalidArgumentError
from survivalgpu.resampling.intervals import interval
from survivalgpu.resampling.statistic import statistic_acceleration


def cohort(seed=6, n=90):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 2)), (rng.integers(1, 30, n), rng.random(n) < 0.7)


def ratios(beta):
    return [np.exp(10 * beta[0]), beta[0] - beta[1], beta[1]]


def test_is_the_function_of_the_coefficients(device):
    X, y = cohort()
    made = CoxPH(device=device).bootstrap(X, y, n_replicates=30, seed=2, statistic=ratios)
    by_hand = np.array([ratios(beta) for beta in made.coefficients])
    assert np.array_equal(made.statistic, by_hand)
    assert np.array_equal(made.statistic_t0, ratios(made.coef))
    for kind in ("percentile", "basic", "normal"):
        limits = made.confint(0.9, kind, of="statistic")
        of_values = [
            interval(t, t0, 0.9, kind, 0)
            for t, t0 in zip(by_hand.T, ratios(made.coef), strict=True)
        ]
        assert np.array_equal(limits, of_values)
    # the coefficient itself has its own limits
    for kind in ("percentile", "basic", "normal", "bca"):
        limits = made.confint(kind=kind, of="statistic")[2]
        assert relative_difference(limits, made.confint(kind=kind)[1]) < 1e-8
    assert list(made.as_frame().columns[-3:]) == ["statistic0", "statistic1", "statistic2"]
    assert np.array_equal(made.as_frame()["statistic1"], by_hand[:, 1])


def test_the_acceleration_is_that_of_the_influence_by_the_gradient():
    # of a product by hand; a monotone scale, as of exp, leaves the acceleration as it is
    influence = np.array([[1.0, 0.5], [2.0, -1.0], [-3.0, 0.25]])
    beta = np.array([0.3, -0.7])

    def statistic(b):
        return [b[0] * b[1], np.exp(b[1])]

    made = statistic_acceleration(statistic, beta, np.array(statistic(beta)), influence)
    product = influence @ [-0.7, 0.3]
    expected = [
        (column**3).sum() / (6 * (column**2).sum() ** 1.5) for column in (product, influence[:, 1])
    ]
    assert made == pytest.approx(expected, rel=1e-8)


def test_a_number_is_one_column_and_is_kept_apart_from_the_file(device, tmp_path):
    X, y = cohort()
    model, file = CoxPH(device=device), tmp_path / "made.npz"
    without = model.bootstrap(X, y, n_replicates=8, seed=2, file=file)
    assert (without.statistic, without.statistic_t0) == (None, None)
    made = model.bootstrap(X, y, n_replicates=8, file=file, statistic=lambda b: b.sum())
    assert made.statistic.shape == (8, 1)
    assert np.array_equal(made.coefficients, without.coefficients)
    assert relative_difference(made.statistic[:, 0], without.coefficients.sum(axis=1)) < 1e-12


def test_what_was_not_fitted_has_no_statistic(device):
    X = np.array([[1.0], [0], [0], [1], [0], [1]])
    y = [5, 8, 3, 9, 1, 7], [1, 1, 1, 0, 1, 0]
    copies = np.array([[1, 0], [1, 0], [1, 0], [1, 1], [1, 0], [1, 1]])
    asked = []

    def statistic(beta):
        asked.append(beta)
        return beta[0] ** 2

    with pytest.warns(ConvergenceWarning):
        made = CoxPH(device=device).bootstrap(X, y, frequencies=copies, statistic=statistic)
    assert np.isnan(made.statistic[:, 0]).tolist() == [False, True]
    assert np.isfinite(asked).all()


def test_a_statistic_cannot_change_the_result(device):
    X, y = cohort()

    def careless(beta):
        beta *= 2
        return beta

    made = CoxPH(device=device).bootstrap(X, y, n_replicates=4, seed=1, statistic=careless)
    again = CoxPH(device=device).bootstrap(X, y, n_replicates=4, seed=1)
    assert relative_difference(made.coefficients, again.coefficients) < 1e-11
    assert np.array_equal(made.statistic, 2 * made.coefficients)


def test_redundant_covariates_are_nan_for_the_statistic_too(device):
    X, y = cohort()
    X = np.column_stack([X, X[:, 0]])
    made = CoxPH(device=device).bootstrap(
        X, y, n_replicates=9, seed=1, statistic=lambda b: b[[1, 2]]
    )
    assert np.isnan(made.statistic).any(axis=0).tolist() == [False, True]
    limits = made.confint(kind="bca", of="statistic")
    assert relative_difference(limits[0], made.confint(kind="bca")[1]) < 1e-8
    assert np.isnan(limits[1]).all()


@pytest.mark.parametrize(
    "statistic",
    [3, lambda b: "a", lambda b: None, lambda b: [], lambda b: [[1.0]], lambda b: [1, [2, 3]]],
)
def test_bad_statistics_name_the_argument(statistic):
    X, y = cohort()
    with pytest.raises(InvalidArgumentError, match="Give a function") as raised:
        CoxPH(device="cpu").bootstrap(X, y, n_replicates=2, seed=1, statistic=statistic)
    assert raised.value.argument == "statistic"


def test_as_many_numbers_for_all_coefficients():
    X, y = cohort()
    estimate = CoxPH(device="cpu").fit(X, y).coef_

    def statistic(beta):
        return beta if np.array_equal(beta, estimate) else beta[:1]

    with pytest.raises(InvalidArgumentError, match=r"1 value\(s\) for resample 0 .* 2 for the"):
        CoxPH(device="cpu").bootstrap(X, y, n_replicates=2, seed=1, statistic=statistic)


def test_limits_of_no_statistic_name_the_argument():
    X, y = cohort()
    made = CoxPH(device="cpu").bootstrap(X, y, n_replicates=3, seed=1)
    for of in ("statistic", "other"):
        with pytest.raises(InvalidArgumentError) as raised:
            made.confint(of=of)
        assert raised.value.argument == "of"
