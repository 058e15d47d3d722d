"""Random draws: uniform, the same in any batch and by any route, and frozen."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from survivalgpu.errors import InvalidArgumentError
from survivalgpu.resampling import draws
from survivalgpu.resampling.draws import bootstrap_counts, exponential_weights, permutations
from survivalgpu.resampling.random_bits import _GAMMA, PERMUTATION, base_of, mix, random_bits

DRAWS = [bootstrap_counts, exponential_weights, permutations]
PLAUSIBLE = 1e-4


def by_replicate(draw, *arguments, **named):
    """Draws with replicates as rows."""
    drawn = draw(*arguments, **named)
    return drawn if draw is permutations else drawn.T


@pytest.fixture
def without_kernels(monkeypatch):
    def switch():
        monkeypatch.setattr(draws, "kernels_for", lambda *_: None)

    return switch


@pytest.mark.parametrize("draw", DRAWS)
@pytest.mark.parametrize("n", [1, 2, 7, 300, 5000])
@pytest.mark.parametrize("n_strata", [None, 1, 3, 150])
def test_kernels_equal_pytorch_on_every_device(draw, n, n_strata, device, without_kernels):
    strata = None
    if n_strata is not None:
        strata = np.random.default_rng(n).integers(-1, n_strata, n) * 7
    compiled = draw(11, 5, 21, n, strata)
    without_kernels()
    plain = draw(11, 5, 21, n, strata, device=device)
    assert plain.dtype == compiled.dtype
    assert plain.shape == compiled.shape
    tolerance = 1e-12 if draw is exponential_weights else 0
    np.testing.assert_allclose(plain, compiled, rtol=tolerance, atol=0)


def test_large_permutations_equal_pytorch(without_kernels):
    compiled = permutations(3, 0, 2, 200_003)
    without_kernels()
    assert np.array_equal(compiled, permutations(3, 0, 2, 200_003))
    assert np.array_equal(np.sort(compiled[1]), np.arange(200_003))


def test_a_bucket_larger_than_its_room(without_kernels):
    # the kernel leaves so much room that one permutation in about a thousand needs more
    n, buckets = 20_000, 32
    base = base_of(8, PERMUTATION)
    room = int(n / buckets + 4 * np.sqrt(n / buckets))
    for first in range(20_000):
        bucket = random_bits(base, first, 1, n, torch.device("cpu")).numpy().view(np.uint64) >> 59
        if np.bincount(bucket[0].astype(int)).max() > room:
            break
    else:
        pytest.fail("no permutation has one")
    compiled = permutations(8, first, 1, n)
    without_kernels()
    assert np.array_equal(compiled, permutations(8, first, 1, n))


@settings(max_examples=40)
@given(st.integers(0, 2**53 - 1), st.integers(1, 60), st.integers(0, 30))
def test_batches_do_not_matter(seed, n, cut):
    strata = np.arange(n) % 3
    for draw in DRAWS:
        whole = by_replicate(draw, seed, 0, 30, n, strata)
        parts = (
            by_replicate(draw, seed, 0, cut, n, strata),
            by_replicate(draw, seed, cut, 30 - cut, n, strata),
        )
        assert np.array_equal(whole, np.concatenate(parts))


@pytest.mark.parametrize("draw", DRAWS)
def test_threads_do_not_matter(draw):
    before = torch.get_num_threads()
    drawn = []
    for threads in (1, 3):
        torch.set_num_threads(threads)
        drawn.append(draw(5, 0, 40, 5000))
    torch.set_num_threads(before)
    assert np.array_equal(*drawn)


def test_frozen():
    # a change here changes every published seed's results
    assert bootstrap_counts(1, 0, 3, 6).T.tolist() == [
        [0, 0, 2, 0, 2, 2],
        [0, 1, 3, 2, 0, 0],
        [1, 1, 1, 2, 0, 1],
    ]
    assert permutations(1, 0, 3, 6).tolist() == [
        [1, 2, 5, 0, 4, 3],
        [5, 2, 3, 0, 1, 4],
        [5, 0, 1, 2, 3, 4],
    ]
    assert exponential_weights(1, 0, 1, 3)[:, 0] == pytest.approx(
        [1.493553089132763, 0.052093415412302835, 1.4543534954549338]
    )


def test_the_mixing_function_is_splitmix64():
    # the first outputs of the reference generator seeded with 1234567
    states = torch.tensor(1234567) + torch.arange(1, 4) * _GAMMA
    expected = [6457827717110365317, 3203168211198807973, 9817491932198370423]
    assert [int(v) % 2**64 for v in mix(states)] == expected


def test_counts_are_multinomial():
    n, n_replicates = 50, 4000
    counts = bootstrap_counts(7, 0, n_replicates, n)
    assert (counts.sum(axis=0) == n).all()
    assert stats.chisquare(counts.sum(axis=1)).pvalue > PLAUSIBLE
    probability = stats.binom.pmf(np.arange(5), n, 1 / n)
    expected = np.append(probability, 1 - probability.sum()) * counts.size
    seen = np.bincount(np.minimum(counts, 5).ravel(), minlength=6)
    assert stats.chisquare(seen, expected).pvalue > PLAUSIBLE
    # neighbours among replicates and among subjects do not depend on each other
    for table in (counts, counts.T):
        first, second = table[:, :-1].ravel(), table[:, 1:].ravel()
        assert abs(np.corrcoef(first, second)[0, 1]) < 4 / np.sqrt(first.size) + 1 / n


def test_all_permutations_of_four_are_as_likely():
    drawn = permutations(9, 0, 24_000, 4)
    _, counts = np.unique(drawn, axis=0, return_counts=True)
    assert counts.size == 24
    assert stats.chisquare(counts).pvalue > PLAUSIBLE


def test_donors_of_many_subjects_are_uniform():
    drawn = permutations(2, 0, 40, 20_000)
    cells = np.zeros((20, 20))
    np.add.at(cells, (np.arange(20_000) // 1000, drawn // 1000), 1)
    assert stats.chisquare(cells.ravel()).pvalue > PLAUSIBLE
    assert abs((drawn == np.arange(20_000)).sum() - 40) < 5 * np.sqrt(40)


def test_weights_are_exponential():
    n = 4000
    weights = exponential_weights(4, 0, 25, n)
    assert (weights > 0).all()
    np.testing.assert_allclose(weights.mean(axis=0), 1, rtol=1e-12)
    assert stats.kstest(weights.ravel(), "expon").pvalue > PLAUSIBLE


@pytest.mark.parametrize("draw", DRAWS)
def test_strata_are_kept(draw):
    strata = np.random.default_rng(1).integers(0, 5, 400)
    drawn = by_replicate(draw, 3, 0, 50, 400, strata)
    if draw is permutations:
        assert (strata[drawn] == strata).all()
        assert (np.sort(drawn, axis=1) == np.arange(400)).all()
        return
    for s in range(5):
        inside = drawn[:, strata == s]
        np.testing.assert_allclose(inside.sum(axis=1), (strata == s).sum(), rtol=1e-12)
    assert not np.array_equal(drawn, by_replicate(draw, 3, 0, 50, 400))


def test_purposes_and_seeds_differ():
    assert not np.array_equal(permutations(1, 0, 2, 100), permutations(2, 0, 2, 100))
    assert not np.array_equal(*permutations(1, 0, 2, 100))
    order = np.argsort(exponential_weights(1, 0, 1, 100)[:, 0])
    assert not np.array_equal(order, permutations(1, 0, 1, 100)[0])


@pytest.mark.parametrize("seed", [-1, 1.5, True, 2**53, np.nan, np.inf, "1", None])
@pytest.mark.parametrize("draw", DRAWS)
def test_bad_seeds(draw, seed):
    with pytest.raises(InvalidArgumentError, match=r"`seed`: .* whole number"):
        draw(seed, 0, 1, 3)


def test_whole_numbers_of_any_type_are_seeds():
    for seed in (3, 3.0, np.int32(3), np.float64(3)):
        assert np.array_equal(permutations(seed, 0, 1, 30), permutations(3, 0, 1, 30))


def test_strata_of_another_length():
    with pytest.raises(InvalidArgumentError, match="`strata`: it has 2 values for 3 subjects"):
        permutations(1, 0, 1, 3, np.array([0, 1]))
