"""Concordance: against a double loop over the pairs, by identities, and kernel against twin."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from survivalgpu.codes import dense_codes
from survivalgpu.compiled_concordance import count_compiled
from survivalgpu.concordance import ConcordanceData, concordance
from survivalgpu.concordance_summary import summarise_concordance
from survivalgpu.inversions import fixed_point, inversion_sums, inversion_sums_by_bit
from survivalgpu.kernels import compiled_kernels


def count_pairs(x, stop, event, start, strata, weights):
    """The five counts by stratum, their derivatives, and the Cox variance, pair by pair."""
    n = len(x)
    influence, counts = np.zeros((5, n)), np.zeros((strata.max() + 1, 5))
    cox = np.zeros(strata.max() + 1)
    for d in np.flatnonzero(event):
        at_risk = (strata == strata[d]) & (start < stop[d]) & (stop >= stop[d])
        for i in np.flatnonzero(at_risk):
            if i == d:
                continue
            if event[i] and stop[i] == stop[d]:
                if i < d:
                    continue
                column = 4 if x[i] == x[d] else 3
            else:
                column = 2 if x[i] == x[d] else int(x[i] < x[d])
            counts[strata[d], column] += weights[i] * weights[d]
            influence[column, i] += weights[d]
            influence[column, d] += weights[i]
        signs = np.sign(x[at_risk][:, None] - x[at_risk]) @ weights[at_risk]
        spread = weights[at_risk] @ signs**2 / weights[at_risk].sum()
        cox[strata[d]] += weights[d] * spread
    return counts, influence, cox


def as_data(x, stop, event, start=None, strata=None, weights=None, device="cpu"):
    def tensor(a, dtype):
        return None if a is None else torch.as_tensor(np.asarray(a, dtype), device=device)

    return ConcordanceData(
        x=tensor(x, float),
        stop=tensor(stop, float),
        event=tensor(event, bool),
        start=tensor(start, float),
        strata=tensor(strata, np.int64),
        weights=tensor(weights, float),
    )


def simulate(seed, n=60, ties=True, n_strata=3):
    rng = np.random.default_rng(seed)
    stop = rng.integers(1, 12, n).astype(float) if ties else rng.exponential(size=n)
    start = stop - (rng.integers(1, 9, n) if ties else rng.exponential(size=n))
    event = rng.random(n) < 0.5
    event[0] = True
    x = rng.integers(0, 6, n).astype(float) if ties else rng.normal(size=n)
    strata = dense_codes(rng.integers(0, n_strata, n))
    return x, stop, event, start, strata, rng.uniform(0.5, 3, n)


def test_five_rows_by_hand(device):
    # events at 1 (x = 2) and 3 (x = 1); censored at 2 (x = 5), 3 (x = 1) and 4 (x = 0)
    data = as_data([2, 5, 1, 1, 0], [1, 2, 3, 3, 4], [1, 0, 1, 0, 0], device=device)
    found = concordance(data)
    # the event at 1 is met by x = 5 (concordant), 1, 1, 0 (discordant); the event at 3 by
    # x = 1, censored then (tied on x), and 0 (discordant)
    assert found.counts.tolist() == [[1, 4, 1, 0, 0]]
    assert found.influence.T.tolist() == [
        [1, 3, 0, 0, 0],
        [1, 0, 0, 0, 0],
        [0, 2, 1, 0, 0],
        [0, 1, 1, 0, 0],
        [0, 2, 0, 0, 0],
    ]


@pytest.mark.parametrize("seed", range(12))
def test_pair_by_pair(seed, device):
    x, stop, event, start, strata, weights = simulate(seed, ties=seed % 3 > 0)
    weights = weights if seed % 4 else np.round(weights) + 1
    if seed % 2:
        start = np.full_like(stop, -np.inf)
    if seed % 5 == 0:
        strata = np.zeros_like(strata)
    counts, influence, cox = count_pairs(x, stop, event, start, strata, weights)
    given_start = None if seed % 2 else start
    found = concordance(as_data(x, stop, event, given_start, strata, weights, device=device))
    np.testing.assert_allclose(found.counts.cpu(), counts, rtol=1e-12, atol=1e-10)
    np.testing.assert_allclose(found.influence.cpu(), influence, rtol=1e-12, atol=1e-10)
    np.testing.assert_allclose(found.cox_variance.cpu(), cox, rtol=1e-11, atol=1e-9)


rows = st.lists(
    st.tuples(
        st.integers(-3, 3), st.integers(1, 5), st.integers(1, 5), st.booleans(), st.integers(0, 2)
    ),
    min_size=2,
    max_size=25,
).filter(lambda rows: any(row[3] for row in rows))


@given(rows, st.booleans(), st.booleans())
def test_small_tied_data_pair_by_pair(rows, counting, stratified):
    x, stop, length, event, strata = (np.array(column) for column in zip(*rows, strict=True))
    x, stop = x.astype(float), stop.astype(float)
    start = stop - length if counting else np.full_like(stop, -np.inf)
    strata = dense_codes(strata) if stratified else np.zeros_like(strata)
    ones = np.ones(len(x))
    counts, influence, cox = count_pairs(x, stop, event, start, strata, ones)
    data = as_data(x, stop, event, start if counting else None, strata)
    found = concordance(data)
    np.testing.assert_array_equal(found.counts, counts)
    np.testing.assert_array_equal(found.influence, influence)
    np.testing.assert_allclose(found.cox_variance, cox, rtol=1e-11, atol=1e-9)
    compiled = count_compiled(data, None, False)
    if compiled is not None:
        np.testing.assert_array_equal(compiled[0], counts)
        np.testing.assert_allclose(compiled[1], cox, rtol=1e-11, atol=1e-9)


@pytest.mark.skipif(compiled_kernels() is None, reason="no compiled kernels")
@pytest.mark.parametrize(
    ("ties", "counting", "n_strata"),
    [(True, True, 4), (True, True, 1), (False, False, 1), (True, False, 900), (False, True, 1)],
)
def test_kernel_and_twin_count_the_same(ties, counting, n_strata):
    # more than 2^16 records: three digits of the places
    x, stop, event, start, strata, _ = simulate(5, 70_000, ties, n_strata)
    data = as_data(x, stop, event, start if counting else None, strata)
    cluster = torch.arange(70_000) % 321
    counted = concordance(data)
    counts, cox_variance, _, dfbeta = count_compiled(data, None, True)
    np.testing.assert_array_equal(counts, counted.counts)
    np.testing.assert_allclose(cox_variance, counted.cox_variance, rtol=1e-12)
    c, d, t = counted.influence[:3].numpy()
    pairs = counts.sum(0)[:3].sum().item()
    somers = ((counts[:, 0] - counts[:, 1]).sum() / pairs).item()
    expected = (c - d) / pairs - somers / pairs * (c + d + t)
    np.testing.assert_allclose(dfbeta, expected, rtol=1e-11, atol=1e-15)
    squares = count_compiled(data, cluster, False)[2]
    by_cluster = np.bincount(cluster, weights=expected)
    np.testing.assert_allclose(squares, (by_cluster**2).sum(), rtol=1e-11)


@pytest.mark.skipif(compiled_kernels() is None, reason="no compiled kernels")
@pytest.mark.parametrize("decimals", [0, 2, 3, 15])
@pytest.mark.parametrize("entered_late", [True, False])
def test_days_and_groups_of_any_size(decimals, entered_late):
    # few event times are counted by a walk along x; x of one value come in twos, in threes, in
    # hundreds, or not at all
    rng = np.random.default_rng(decimals)
    n = 5000
    start = rng.integers(0, 150, n).astype(float) * entered_late
    stop = start + rng.integers(1, 150, n)
    x, event = np.round(rng.normal(size=n), decimals), rng.random(n) < 0.1
    data = as_data(x, stop, event, start)
    counted = concordance(data)
    counts, cox_variance, squares, dfbeta = count_compiled(data, None, True)
    np.testing.assert_array_equal(counts, counted.counts)
    np.testing.assert_allclose(cox_variance, counted.cox_variance, rtol=1e-12)
    np.testing.assert_allclose(squares, (dfbeta**2).sum(), rtol=1e-12)
    c, d, t = counted.influence[:3].numpy()
    pairs = counts[0, :3].sum().item()
    somers = ((counts[0, 0] - counts[0, 1]) / pairs).item()
    expected = (c - d) / pairs - somers / pairs * (c + d + t)
    np.testing.assert_allclose(dfbeta, expected, rtol=1e-11, atol=1e-15)


@pytest.mark.skipif(compiled_kernels() is None, reason="no compiled kernels")
@pytest.mark.parametrize("seed", range(24))
def test_kernel_and_twin_weigh_the_same(seed):
    n = 2000 if seed % 5 == 0 else 50
    x, stop, event, _, strata, weights = simulate(seed, n, seed % 3 > 0, 1 + seed % 4)
    weights = np.ceil(weights) if seed % 2 else weights * 10.0 ** (seed % 7 - 3)
    data = as_data(x, stop, event, None, strata, weights)
    cluster = torch.arange(n) % 7 if seed % 4 else None
    # asked for the influence of the rows, the twin counts
    twin = summarise_concordance(data, cluster, dfbeta=True, influence=True)
    kernel = summarise_concordance(data, cluster, dfbeta=True)
    np.testing.assert_allclose(kernel.counts, twin.counts, rtol=1e-13)
    assert kernel.concordance == pytest.approx(twin.concordance, rel=1e-14)
    assert kernel.var == pytest.approx(twin.var, rel=1e-11)
    assert kernel.cvar == pytest.approx(twin.cvar, rel=1e-11)
    scale = np.abs(twin.dfbeta).max()
    np.testing.assert_allclose(kernel.dfbeta, twin.dfbeta, rtol=1e-11, atol=1e-12 * scale)
    assert count_compiled(data, None, False) is not None


@pytest.mark.skipif(compiled_kernels() is None, reason="no compiled kernels")
@pytest.mark.parametrize(
    "x",
    [
        np.exp(8 * np.random.default_rng(1).normal(size=3000)),
        2.0 ** -np.arange(1000.0),
        np.arange(900) * 5e-324,
        np.linspace(-1, 1, 500) * 1.7e308,
        np.concatenate([1e-14 * np.random.default_rng(2).normal(size=2000), [1.0, 2.5]]),
        np.where(np.arange(400) % 3 == 0, -0.0, 0.0),
        np.arange(700) + 2.0**52,
    ],
)
def test_kernel_ranks_awkward_numbers(x):
    rng = np.random.default_rng(3)
    x = rng.permutation(x)
    stop, event = rng.permutation(np.abs(x)), rng.random(len(x)) < 0.5
    data = as_data(x, stop, event)
    np.testing.assert_array_equal(count_compiled(data, None, False)[0], concordance(data).counts)


@pytest.mark.skipif(compiled_kernels() is None, reason="no compiled kernels")
def test_threads_do_not_show():
    x, stop, event, start, strata, _ = simulate(6, 200_000, False, 3)
    data = as_data(x, stop, event, start, strata)
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 5):
            torch.set_num_threads(threads)
            found.append(count_compiled(data, None, True))
    finally:
        torch.set_num_threads(before)
    for other in found[1:]:
        for a, b in zip(found[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("weighted", [False, True])
def test_identities(weighted, device):
    x, stop, event, start, strata, weights = simulate(8, 300)
    weights = weights if weighted else None

    def estimate(x, order=slice(None), **other):
        parts = [None if a is None else a[order] for a in (stop, event, start, strata, weights)]
        return summarise_concordance(as_data(x[order], *parts, device=device), **other)

    found = estimate(x)
    order = np.random.default_rng(1).permutation(len(x))
    shuffled = estimate(x, order)
    np.testing.assert_allclose(shuffled.counts, found.counts, rtol=1e-14)
    assert shuffled.var == pytest.approx(found.var, rel=1e-12)
    monotone = estimate(np.exp(x) + x)
    np.testing.assert_array_equal(monotone.counts, found.counts)
    reversed_x = estimate(-x)
    assert reversed_x.concordance == pytest.approx(1 - found.concordance, abs=1e-15)
    assert reversed_x.var == pytest.approx(found.var, rel=1e-12)


def test_a_weight_of_two_is_a_row_twice(device):
    # where events are not tied with themselves: one more pair tied on both would be counted
    x, stop, event, _, strata, _ = simulate(9, 80, ties=False)
    copies = np.where(event, 1, np.random.default_rng(4).integers(1, 4, len(x)))
    weighted = concordance(as_data(x, stop, event, None, strata, copies, device=device))
    twice = np.repeat(np.arange(len(x)), copies)
    repeated = concordance(
        as_data(x[twice], stop[twice], event[twice], None, strata[twice], device=device)
    )
    np.testing.assert_allclose(weighted.counts.cpu(), repeated.counts.cpu(), rtol=1e-14)
    np.testing.assert_allclose(
        weighted.influence.cpu()[:, twice], repeated.influence.cpu(), rtol=1e-14
    )


@given(st.permutations(range(19)), st.integers(0, 2**30))
def test_inversions_one_by_one(order, seed):
    rng = np.random.default_rng(seed)
    early, late = rng.integers(-3, 9, (2, len(order)))
    records = [torch.as_tensor(a) for a in (order, early, late)]
    expected = np.zeros((2, len(order)), dtype=np.int64)
    for j, place in enumerate(order):
        for i in range(j):
            if order[i] > place:
                expected[0, place] += early[i]
                expected[1, order[i]] += late[j]
    np.testing.assert_array_equal(torch.stack(inversion_sums(*records)), expected)
    np.testing.assert_array_equal(torch.stack(inversion_sums_by_bit(*records)), expected)


@pytest.mark.parametrize("n", [0, 1, 255, 256, 257, 66_000])
def test_inversions_of_many(n):
    rng = np.random.default_rng(n)
    records = [torch.as_tensor(rng.permutation(n)), *torch.as_tensor(rng.integers(-9, 99, (2, n)))]
    for a, b in zip(inversion_sums(*records), inversion_sums_by_bit(*records), strict=True):
        np.testing.assert_array_equal(a, b)


def test_fixed_point_keeps_integers_and_rounds_the_rest_finely():
    assert fixed_point(torch.tensor([3.0, 2.0**40])).bits == 0
    values = torch.tensor([0.1, 1e-7, 12345.678], dtype=torch.float64)
    fixed = fixed_point(values)
    np.testing.assert_allclose(fixed.value(fixed.units), values, rtol=0, atol=1e-13)
    assert abs(int(fixed.units.sum())) < 2**61


@pytest.mark.parametrize("labels", [[5, 5, -2, 9], [10**9, -(10**9), 0], [7], [3, 1, 2]])
def test_codes_are_dense_and_ascending(labels):
    expected = np.unique(labels, return_inverse=True)[1].reshape(-1)
    np.testing.assert_array_equal(dense_codes(np.array(labels, dtype=np.int32)), expected)
