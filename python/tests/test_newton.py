"""Newton's rules on functions whose path is known, batched against one at a time."""

import numpy as np
import pytest

from survivalgpu.newton import CONVERGED, NO_ITERATIONS, NOT_FINITE, RAN_OUT, NewtonControl, newton


def quartic(centres):
    """Concave functions with maximum at ``centres`` whose full step is exact at 0 only."""

    def evaluate(beta, problems):
        d = beta - centres[problems]
        loglik = -10.0 - (d**2 + 0.1 * d**4).sum(axis=1)
        score = -(2 * d + 0.4 * d**3)
        information = np.einsum("bp,pq->bpq", 2 + 1.2 * d**2, np.eye(d.shape[1]))
        return loglik, score, information

    return evaluate


@pytest.mark.parametrize("counting", [True, False])
def test_batched_equals_looped(counting):
    centres = np.array([[0.0, 0.0], [1.0, -2.0], [3.0, 0.5]])
    together = newton(quartic(centres), np.zeros((3, 2)), NewtonControl(), counting)
    assert (together.status == CONVERGED).all()
    np.testing.assert_allclose(together.beta, centres, atol=1e-4)
    for b in range(3):
        alone = newton(quartic(centres[[b]]), np.zeros((1, 2)), NewtonControl(), counting)
        assert np.array_equal(alone.beta[0], together.beta[b])
        assert np.array_equal(alone.loglik[0], together.loglik[b])
        assert alone.iterations[0] == together.iterations[b]
        assert np.array_equal(alone.variance[0], together.variance[b])


@pytest.mark.parametrize("counting", [True, False])
def test_a_step_that_overshoots_is_drawn_back(counting):
    def evaluate(beta, problems):
        # log-cosh: Newton from 1.5 overshoots and would diverge
        loglik = -1.0 - np.log(np.cosh(beta[:, 0]))
        return loglik, -np.tanh(beta), (1 / np.cosh(beta) ** 2)[:, :, None]

    result = newton(evaluate, np.array([[1.5]]), NewtonControl(), counting)
    assert result.status[0] == CONVERGED
    assert result.halvings[0] > 0
    assert abs(result.beta[0, 0]) < 1e-3


def test_running_out_follows_each_routine():
    start = np.zeros((1, 2))
    centres = np.array([[3.0, -4.0]])
    right = newton(quartic(centres), start, NewtonControl(iter_max=2), counting=False)
    counting = newton(quartic(centres), start, NewtonControl(iter_max=2), counting=True)
    assert right.status[0] == counting.status[0] == RAN_OUT
    # survival's counters: one past the limit for right-censored data
    assert (right.iterations[0], counting.iterations[0]) == (3, 2)
    path = [newton(quartic(centres), start, NewtonControl(iter_max=i), True) for i in (1, 2)]
    assert np.array_equal(counting.beta, path[1].beta)


@pytest.mark.parametrize("counting", [True, False])
def test_no_iterations_evaluates_at_the_start(counting):
    start = np.array([[1.0, 1.0]])
    result = newton(quartic(np.zeros((1, 2))), start, NewtonControl(iter_max=0), counting)
    assert result.status[0] == NO_ITERATIONS
    assert np.array_equal(result.beta, start)
    np.testing.assert_allclose(result.variance[0], np.eye(2) / 3.2)
    assert result.iterations[0] == 0


@pytest.mark.parametrize("counting", [True, False])
def test_a_start_that_is_not_finite_stops_at_once(counting):
    def evaluate(beta, problems):
        return np.array([-np.inf]), np.zeros((1, 1)), np.ones((1, 1, 1))

    result = newton(evaluate, np.zeros((1, 1)), NewtonControl(), counting)
    assert result.status[0] == NOT_FINITE
    assert result.iterations[0] == 0
