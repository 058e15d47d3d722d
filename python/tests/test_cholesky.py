"""Generalised Cholesky: inverse and solution, and survival's rule for singular columns."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from survivalgpu.cholesky import generalised_cholesky

TOLERANCE = float(np.finfo(float).eps) ** 0.75


def positive_definite(seed, n_problems, p):
    a = np.random.default_rng(seed).normal(size=(n_problems, p, p + 3))
    return a @ a.transpose(0, 2, 1)


@given(st.integers(0, 10**6), st.integers(1, 3), st.integers(1, 6))
def test_solves_and_inverts(seed, n_problems, p):
    a = positive_definite(seed, n_problems, p)
    y = np.random.default_rng(seed + 1).normal(size=(n_problems, p))
    factors = generalised_cholesky(a, TOLERANCE)
    assert (factors.rank == p).all()
    rebuilt = (factors.factor * factors.pivots[:, None, :]) @ factors.factor.transpose(0, 2, 1)
    np.testing.assert_allclose(rebuilt, a, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(a @ factors.solve(y)[..., None], y[..., None], atol=1e-6)
    np.testing.assert_allclose(
        a @ factors.inverse(), np.tile(np.eye(p), (n_problems, 1, 1)), atol=1e-6
    )


def test_panels_change_nothing():
    a = positive_definite(7, 2, 75)
    factors = generalised_cholesky(a, TOLERANCE)
    np.testing.assert_allclose(factors.inverse(), np.linalg.inv(a), rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize("p", [3, 70])
def test_a_redundant_column_is_dropped_and_the_rest_is_untouched(p):
    rng = np.random.default_rng(p)
    x = rng.normal(size=(200, p))
    x[:, 1] = 2 * x[:, 0]
    a = (x.T @ x)[None]
    factors = generalised_cholesky(a, TOLERANCE)
    kept = np.arange(p) != 1
    assert factors.rank[0] == p - 1
    assert factors.pivots[0, 1] == 0
    inverse = factors.inverse()[0]
    assert not inverse[1].any()
    assert not inverse[:, 1].any()
    np.testing.assert_allclose(
        inverse[np.ix_(kept, kept)], np.linalg.inv(a[0][np.ix_(kept, kept)]), rtol=1e-9, atol=1e-12
    )
    assert factors.solve(rng.normal(size=(1, p)))[0, 1] == 0


def test_zero_indefinite_and_non_finite_matrices():
    assert generalised_cholesky(np.zeros((1, 2, 2)), TOLERANCE).rank[0] == 0
    assert generalised_cholesky(np.diag([1.0, -1.0])[None], TOLERANCE).rank[0] == -1
    bad = np.array([[[np.nan, 0.0], [0.0, 1.0]]])
    assert generalised_cholesky(bad, TOLERANCE).pivots[0].tolist() == [0.0, 1.0]
    assert generalised_cholesky(np.zeros((2, 0, 0)), TOLERANCE).rank.tolist() == [0, 0]
