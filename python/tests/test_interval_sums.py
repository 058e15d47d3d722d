"""The two operators over risk sets against a dense matrix, and their accuracy."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from survivalgpu.interval_sums import DyadicIntervalSums, RightCensoredSums, StrataLayout


def ranges(seed, sizes, right_censored):
    """Draw distinct ranges within strata of ``sizes`` event times; single ones first."""
    rng = np.random.default_rng(seed)
    base = np.concatenate([[0], np.cumsum(sizes)])
    pairs = set()
    for s, size in enumerate(sizes):
        for _ in range(2 * size if size else 0):
            lo, hi = np.sort(rng.choice(size + 1, 2, replace=False))
            pairs.add((base[s] + (0 if right_censored else lo), base[s] + hi))
    ordered = sorted(pairs, key=lambda r: (r[1] - r[0] > 1 and not right_censored, r))
    lo, hi = np.array(ordered).T
    layout = StrataLayout.from_counts(torch.tensor(sizes))
    build = RightCensoredSums if right_censored else DyadicIntervalSums
    dense = (np.arange(base[-1])[:, None] >= lo) & (np.arange(base[-1])[:, None] < hi)
    return build(layout, torch.tensor(lo), torch.tensor(hi)), dense.astype(float)


sizes_of_strata = st.lists(st.integers(0, 33), min_size=1, max_size=5).filter(any)


@given(st.integers(0, 2**32 - 1), sizes_of_strata, st.booleans(), st.integers(1, 3))
def test_operators_equal_the_dense_matrix(seed, sizes, right_censored, q):
    sums, dense = ranges(seed, sizes, right_censored)
    rng = np.random.default_rng(seed)
    groups, times = rng.normal(size=(dense.shape[1], q)), rng.normal(size=(dense.shape[0], q))
    at_risk = sums.risk_set_sums(torch.tensor(groups)).numpy()
    over = sums.interval_sums(torch.tensor(times)).numpy()
    np.testing.assert_allclose(at_risk, dense @ groups, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(over, dense.T @ times, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("right_censored", [True, False])
def test_no_digit_is_lost_to_values_that_have_left(right_censored):
    # 1e30 next to 1: a running sum with subtraction would leave only noise
    sums, dense = ranges(11, [64, 7, 1], right_censored)
    rng = np.random.default_rng(5)
    groups = np.exp(rng.uniform(-35, 35, size=(dense.shape[1], 1)))
    at_risk = sums.risk_set_sums(torch.tensor(groups)).numpy()
    np.testing.assert_allclose(at_risk, dense @ groups, rtol=1e-13)
    times = np.exp(rng.uniform(-35, 35, size=(dense.shape[0], 1)))
    over = sums.interval_sums(torch.tensor(times)).numpy()
    np.testing.assert_allclose(over, dense.T @ times, rtol=1e-13)


def test_layout_keeps_blocks_within_strata():
    layout = StrataLayout.from_counts(torch.tensor([3, 0, 8, 1, 5]))
    assert layout.buckets == ((0, 2, 8), (16, 1, 4), (20, 1, 1))
    assert layout.length == 21
    assert layout.position.tolist() == [16, 17, 18, *range(8), 20, *range(8, 13)]
    assert [layout.prefix(b) for b in (1, 2, 4, 8, 16)] == [21, 20, 20, 16, 0]
