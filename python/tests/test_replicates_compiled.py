"""The kernel that evaluates eight resamples side by side, against PyTorch."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import make_rows, survival_rows, ties_rules

from survivalgpu.coxph import sorted_problem
from survivalgpu.kernels import compiled_kernels
from survivalgpu.newton import NewtonControl
from survivalgpu.resampling.compiled_replicates import CompiledBatch, CompiledReplicates
from survivalgpu.resampling.replicate_likelihood import ReplicateLikelihood
from survivalgpu.resampling.replicates import Replicates

pytestmark = pytest.mark.skipif(compiled_kernels() is None, reason="no compiled kernels")

NAMES = "loglik", "score", "information"


def likelihoods(rows, subjects, weights, copies, ties="efron"):
    """The same replicates compiled and in PyTorch."""
    risk_sets, design = sorted_problem(rows.data(), np.ones(rows.x.shape[1], dtype=bool))
    subject_of_row = torch.as_tensor(subjects)[risk_sets.order]
    compiled = CompiledReplicates(risk_sets, design, ties, subject_of_row)
    both = (risk_sets, design, ties, subject_of_row, weights, copies)
    return CompiledBatch(compiled, weights, copies), ReplicateLikelihood(*both)


def random_weights(rng, n_subjects, n_replicates, copies):
    if copies:
        return rng.poisson(1.0, (n_subjects, n_replicates))
    return rng.exponential(size=(n_subjects, n_replicates))


def assert_agree(compiled, torch_values, sound, tolerance=1e-9):
    for name, theirs in zip(NAMES, torch_values, strict=True):
        ours = compiled[name]
        scale = 1 + np.abs(theirs[sound]).max(initial=0.0)
        np.testing.assert_allclose(ours[sound], theirs[sound], rtol=0, atol=tolerance * scale)


@settings(max_examples=60)
@given(survival_rows(), ties_rules, st.integers(0, 2**32 - 1), st.booleans())
def test_small_data_equal_torch(rows, ties, seed, copies):
    rng = np.random.default_rng(seed)
    n = rows.stop.size
    subjects = rng.integers(0, n, n)
    weights = random_weights(rng, n, 11, copies)
    batch, plain = likelihoods(rows, subjects, weights, copies, ties)
    beta, problems = rng.normal(size=(11, rows.x.shape[1])), np.arange(11)
    ours, theirs = batch.evaluate(beta, problems, True), plain.evaluate(beta, problems, True)
    # totals that differ by up to 2^24 leave half of the digits
    assert_agree(ours, theirs, ours["sound"], 1e-8)


@pytest.mark.parametrize("counting", [True, False])
@pytest.mark.parametrize("p", [1, 2, 3, 4, 7, 30])
@pytest.mark.parametrize("n_times", [4, 3000])
def test_larger_data_equal_torch(p, counting, n_times):
    # groups of many rows and of one, panels that begin in the middle of groups
    rows = make_rows(p, 4000, p, n_times, 3, counting)
    rng = np.random.default_rng(p)
    subjects, weights = rng.integers(0, 900, 4000), rng.poisson(1.0, (900, 9))
    batch, plain = likelihoods(rows, subjects, weights, True)
    beta, problems = rng.normal(size=(9, p)) / (3 * p**0.5), np.arange(9)
    ours = batch.evaluate(beta, problems, True)
    assert_agree(ours, plain.evaluate(beta, problems, True), ours["sound"])
    assert ours["sound"].all()
    without = batch.evaluate(beta, problems, False)
    assert without["information"] is None
    np.testing.assert_array_equal(without["score"], ours["score"])


@pytest.mark.parametrize("counting", [True, False])
def test_many_copies(counting):
    # more copies than a byte holds, and hundreds of tied terms
    rows = make_rows(1, 60, 2, 5, 1, counting)
    weights = np.random.default_rng(3).integers(0, 400, (60, 5))
    batch, plain = likelihoods(rows, np.arange(60), weights, True)
    beta, problems = np.full((5, 2), 0.3), np.arange(5)
    ours = batch.evaluate(beta, problems, True)
    assert_agree(ours, plain.evaluate(beta, problems, True), ours["sound"])


@pytest.mark.parametrize("counting", [True, False])
@pytest.mark.parametrize("p", [1, 2, 5])
def test_neighbours_and_threads_change_no_bit(p, counting):
    rows = make_rows(2, 1500, p, 60, 2, counting)
    rng = np.random.default_rng(4)
    weights, beta = rng.poisson(1.0, (1500, 21)), rng.normal(size=(21, p)) / 3
    batch, _ = likelihoods(rows, np.arange(1500), weights, True)
    before = torch.get_num_threads()
    try:
        results = []
        for threads in (1, 2, 5):
            torch.set_num_threads(threads)
            results.append(batch.evaluate(beta, np.arange(21), True))
    finally:
        torch.set_num_threads(before)
    some = np.array([3, 4, 11, 20])
    alone = likelihoods(rows, np.arange(1500), weights, True)[0].evaluate(beta[some], some, True)
    for name in NAMES:
        for other in results[1:]:
            np.testing.assert_array_equal(results[0][name], other[name])
        np.testing.assert_array_equal(results[0][name][some], alone[name])


@pytest.mark.parametrize("counting", [True, False])
def test_what_the_arithmetic_cannot_do_goes_to_torch(counting):
    rows = make_rows(6, 200, 1, 30, 1, counting)
    weights = np.ones((200, 3), dtype=int)
    batch, plain = likelihoods(rows, np.arange(200), weights, True)
    beta, problems = np.array([[0.1], [700.0], [np.nan]]), np.arange(3)
    assert batch.evaluate(beta, problems, False)["sound"].tolist() == [True, False, False]
    parts = (plain._risk_sets, plain._design, "efron", plain._subject_of_row, weights, True)
    both = ReplicateLikelihood(*parts, batch._replicates)
    ours, theirs = (
        both.evaluate(beta[:2], problems[:2], True),
        plain.evaluate(beta[:2], problems[:2], True),
    )
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)


def test_totals_of_different_size_go_to_torch():
    # a row with a huge risk leaves; what is left cannot be found by subtraction
    rows = make_rows(6, 50, 1, 20, 1, True)
    offset = np.where(np.arange(50) == 0, 60.0, 0.0)
    start, stop = rows.start.copy(), rows.stop.copy()
    start[0], stop[0] = -1.0, stop[rows.event].min()
    parts = {name: getattr(rows, name) for name in type(rows).__dataclass_fields__}
    rows = type(rows)(**{**parts, "offset": offset, "start": start, "stop": stop})
    batch, _ = likelihoods(rows, np.arange(50), np.ones((50, 2)), False)
    sound = batch.evaluate(np.zeros((2, 1)), np.arange(2), False)["sound"]
    assert not sound.any()


def test_fits_do_not_depend_on_the_batch_at_all():
    rows = make_rows(5, 600, 3, 40, 2, True)
    subjects = np.arange(600) // 2
    counts = np.random.default_rng(1).poisson(1.0, (300, 20))
    replicates = Replicates(rows.data(), subjects, "efron", NewtonControl(), np.zeros(3))
    together = replicates.fit(counts, True)
    for part in (slice(0, 3), slice(3, 20)):
        fits = replicates.fit(counts[:, part], True)
        np.testing.assert_array_equal(fits.coefficients, together.coefficients[part])
        np.testing.assert_array_equal(fits.loglik, together.loglik[part])
