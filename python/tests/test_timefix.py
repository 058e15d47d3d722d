"""Times that differ by rounding: survival's rule, by hand and against R."""

import numpy as np
import pytest

from survivalgpu.errors import InvalidArgumentError
from survivalgpu.timefix import TOLERANCE, fix_times

AEQ_RIGHT = "aeqSurv(Surv(time, rep(1, length(time))))[, 'time']"
AEQ_COUNTING = """
y <- aeqSurv(Surv(start, stop, rep(1, length(stop))))
list(start = unname(y[, 1]), stop = unname(y[, 2]))
"""


def test_neighbours_within_the_tolerance_take_the_first_value():
    times = np.array([3.0, 1.0, 1.0 + 1e-12, 2.0, 3.0 - 1e-13])
    fixed, start = fix_times(times)
    assert start is None
    assert fixed.tolist() == [3.0 - 1e-13, 1.0, 1.0, 2.0, 3.0 - 1e-13]


def test_times_apart_are_returned_untouched():
    times = np.array([3.0, 1.0, 2.0])
    assert fix_times(times)[0] is times
    assert fix_times(np.zeros(4))[0].tolist() == [0.0] * 4


def test_no_tolerance_leaves_times_alone():
    times = np.array([1.0, 1.0 + 1e-12])
    assert fix_times(times, tolerance=0.0)[0] is times


def test_a_chain_of_near_ties_collapses_to_its_first():
    step = TOLERANCE * 0.9
    chain = 1.0 + step * np.arange(5)
    assert np.unique(fix_times(chain)[0]).tolist() == [1.0]


def test_start_and_stop_are_made_equal_to_each_other():
    start, stop = np.array([0.0, 1.0 + 1e-12]), np.array([1.0, 2.0])
    fixed_stop, fixed_start = fix_times(stop, start)
    assert fixed_start[1] == fixed_stop[0] == 1.0


def test_an_emptied_interval_is_an_error():
    start, stop = np.array([0.0, 1.0, 0.0]), np.array([1.0, 1.0 + 1e-12, 3.0])
    with pytest.raises(InvalidArgumentError, match=r"`timefix`: 1 interval.*row 1.*timefix=False"):
        fix_times(stop, start)


@pytest.mark.parametrize("scale", [1e-9, 1e-3, 1.0, 1e6, 1e12])
def test_right_censored_times_equal_survivals(r, scale):
    rng = np.random.default_rng(int(np.log10(scale)) + 20)
    times = rng.integers(1, 30, 200) * scale
    times = times * (1 + rng.choice([0, 1e-16, 1e-12, 1e-9, 3e-8, 1e-6], 200))
    assert np.array_equal(fix_times(times)[0], r(AEQ_RIGHT, time=times))


@pytest.mark.parametrize("seed", range(4))
def test_intervals_equal_survivals(r, seed):
    rng = np.random.default_rng(seed)
    start = rng.integers(0, 20, 150) / 7.0
    stop = start + rng.integers(1, 20, 150) / 7.0
    stop += rng.choice([0.0, 1e-15, -1e-13, 1e-10], 150)
    theirs = r(AEQ_COUNTING, start=start, stop=stop)
    fixed_stop, fixed_start = fix_times(stop, start)
    assert np.array_equal(fixed_stop, theirs["stop"])
    assert np.array_equal(fixed_start, theirs["start"])
    assert not np.array_equal(fixed_stop, stop)
