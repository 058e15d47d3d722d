"""Many resamples at once against fits of the repeated rows, one at a time."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import Rows, make_rows, survival_rows, ties_rules

from survivalgpu.coxph import CoxData, fit_coxph
from survivalgpu.newton import NewtonControl
from survivalgpu.resampling.merged_rows import merge_neighbours
from survivalgpu.resampling.replicates import Replicates

TIGHT = NewtonControl(iter_max=40, eps=1e-13)
# coefficients, and log-likelihoods relative to their size
PARITY = 1e-8


def repeated(rows: Rows, copies: np.ndarray) -> CoxData:
    """The data frame with each row as often as it was drawn."""
    index = np.repeat(np.arange(rows.stop.size), copies)
    return chosen(rows.data(), index)


def chosen(data: CoxData, index: np.ndarray) -> CoxData:
    parts = {name: getattr(data, name) for name in CoxData.__dataclass_fields__}
    return CoxData(**{k: None if v is None else v[index] for k, v in parts.items()})


def cohort(n: int, p: int, counting: bool, seed: int = 3, n_times: int = 40) -> Rows:
    """Subjects of several rows; enough of them that replicates have their maximum."""
    return make_rows(seed, n, p, n_times, 3, counting)


def subjects_of(n: int, rows_each: int = 2) -> np.ndarray:
    return np.arange(n) // rows_each


def draws(n_subjects: int, n_replicates: int, seed: int = 8) -> np.ndarray:
    rng = np.random.default_rng(seed)
    chance = np.full(n_subjects, 1 / n_subjects)
    return rng.multinomial(n_subjects, chance, n_replicates).T.astype(np.int32)


def replicates_of(rows: Rows, subjects, ties="efron", device="cpu", **options) -> Replicates:
    data = rows.data(device)
    start = fit_coxph(data, ties, control=TIGHT, residuals=False).coefficients[0]
    return Replicates(data, subjects, ties, NewtonControl(), start, **options)


def assert_close(ours, theirs, tolerance=PARITY):
    np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("ties", ["efron", "breslow"])
@pytest.mark.parametrize("counting", [True, False])
@pytest.mark.parametrize("p", [1, 2, 5])
def test_copies_are_repeated_rows(p, counting, ties, compiled, device):
    rows, subjects = cohort(300, p, counting), subjects_of(300)
    counts = draws(150, 20)
    fits = replicates_of(rows, subjects, ties, device, compiled=compiled).fit(counts, True)
    assert (fits.status == "converged").all()
    for b in range(counts.shape[1]):
        one = fit_coxph(repeated(rows, counts[subjects, b]), ties, control=TIGHT)
        assert_close(fits.coefficients[b], one.coefficients[0])
        assert_close(fits.loglik[b], one.loglik[0, 1])


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("counting", [True, False])
def test_other_weights_multiply_the_case_weights(counting, compiled, device):
    rows, subjects = cohort(300, 3, counting), subjects_of(300)
    weights = np.random.default_rng(2).exponential(size=(150, 12))
    fits = replicates_of(rows, subjects, device=device, compiled=compiled).fit(weights, False)
    assert (fits.status == "converged").all()
    for b in range(12):
        data = rows.data(weights=rows.weights * weights[subjects, b])
        one = fit_coxph(data, control=TIGHT)
        assert_close(fits.coefficients[b], one.coefficients[0])
        assert_close(fits.loglik[b], one.loglik[0, 1])


@pytest.mark.parametrize("copies", [1, 2])
def test_every_subject_as_often_is_the_full_fit(copies):
    # without ties two copies are two tied deaths, in Breslow's rule no more than a weight
    rows, subjects = cohort(200, 2, True), subjects_of(200)
    counts = np.full((100, 3), copies)
    fits = replicates_of(rows, subjects, "breslow").fit(counts, True)
    full = fit_coxph(rows.data(), "breslow", control=TIGHT)
    assert_close(fits.coefficients, np.repeat(full.coefficients, 3, axis=0))


def test_two_subjects_drawn_twice_by_hand():
    # x = 1 dies first, x = 0 stays, each twice: denominators 2 r + 2 and r + 2, r = exp(beta)
    data = CoxData(
        x=torch.tensor([[1.0], [0.0], [1.0]]).double(),
        stop=torch.tensor([1.0, 2.0, 3.0]).double(),
        event=torch.tensor([True, True, False]),
    )
    fits = Replicates(data, np.arange(3), "efron", NewtonControl(), np.zeros(1)).fit(
        np.array([[2], [2], [1]]), True
    )
    # score: 2 - 3r/(3r+2) - 2r/(2r+2) - r/(r+2) - r/(r+1) = 0
    r = np.exp(fits.coefficients[0, 0])
    score = 2 - 3 * r / (3 * r + 2) - 2 * r / (2 * r + 2) - r / (r + 2) - r / (r + 1)
    assert fits.status[0] == "converged"
    assert abs(score) < 1e-12


def test_results_do_not_depend_on_the_batch():
    rows, subjects = cohort(400, 3, True), subjects_of(400)
    counts, replicates = draws(200, 21), replicates_of(rows, subjects)
    together = replicates.fit(counts, True)
    for part in (slice(0, 1), slice(1, 9), slice(9, 21)):
        fits = replicates.fit(counts[:, part], True)
        assert_close(fits.coefficients, together.coefficients[part], 1e-10)
        assert_close(fits.loglik, together.loglik[part], 1e-10)
        assert np.array_equal(fits.iterations, together.iterations[part])


@pytest.mark.parametrize("counting", [True, False])
def test_separation_is_reported(counting):
    rows = cohort(200, 2, counting)
    rare = np.zeros(200)
    rare[np.flatnonzero(rows.event)[:2]] = 1.0
    rare[np.flatnonzero(~rows.event)[:2]] = 1.0
    rows = with_column(rows, rare)
    counts = np.ones((200, 3), dtype=int)
    counts[np.flatnonzero((rare == 1) & rows.event), 1] = 0
    counts[np.flatnonzero(rare == 1), 2] = 0
    fits = replicates_of(rows, np.arange(200)).fit(counts, True)
    assert fits.status.tolist() == ["converged", "infinite", "singular"]
    assert np.isnan(fits.coefficients[1:]).all()
    assert np.isfinite(fits.coefficients[0]).all()


def with_column(rows: Rows, column: np.ndarray) -> Rows:
    parts = {name: getattr(rows, name) for name in Rows.__dataclass_fields__}
    return Rows(**{**parts, "x": np.column_stack([rows.x, column])})


def test_no_events_is_reported():
    rows = cohort(60, 1, False)
    counts = np.where(rows.event[:, None], 0, 1) * np.ones((1, 2), dtype=int)
    counts[:, 1] = 1
    fits = replicates_of(rows, np.arange(60)).fit(counts, True)
    assert fits.status.tolist() == ["no events", "converged"]
    assert np.isnan(fits.coefficients[0]).all()
    assert np.isnan(fits.loglik[0])


def test_a_column_redundant_in_the_full_sample_stays_out():
    rows = cohort(200, 2, True)
    rows = with_column(rows, rows.x[:, 0] * 2)
    counts = draws(200, 9)
    fits = replicates_of(rows, np.arange(200)).fit(counts, True)
    narrow = replicates_of(cohort(200, 2, True), np.arange(200)).fit(counts, True)
    assert (fits.status == "converged").all()
    assert_close(fits.coefficients[:, :2], narrow.coefficients)
    assert np.isnan(fits.coefficients[:, 2]).all()


def test_a_separated_full_sample_leaves_no_replicate_converged():
    rows = cohort(60, 1, False)
    rows = with_column(rows, rows.event.astype(float))
    data = rows.data()
    start = fit_coxph(data, control=NewtonControl(iter_max=40, eps=1e-15)).coefficients[0]
    assert start[1] > 20
    status = (
        Replicates(data, np.arange(60), "efron", NewtonControl(), start)
        .fit(draws(60, 20), True)
        .status
    )
    assert set(status) <= {"infinite", "ran out", "singular"}


def test_out_of_memory_halves_the_batch(monkeypatch):
    rows = cohort(100, 2, False)
    replicates, counts = replicates_of(rows, np.arange(100)), draws(100, 13)
    together = replicates.fit(counts, True)
    fit_batch, sizes = replicates._fit_batch, []

    def small_machine(weights, copies):
        sizes.append(weights.shape[1])
        if weights.shape[1] > 4:
            raise torch.cuda.OutOfMemoryError("out of memory")
        return fit_batch(weights, copies)

    monkeypatch.setattr(replicates, "_fit_batch", small_machine)
    fits = replicates.fit(counts, True)
    assert sizes[0] == 13
    assert max(s for s in sizes[1:] if s <= 4) <= 4
    assert_close(fits.coefficients, together.coefficients, 1e-10)


def test_batches_have_a_size():
    size = replicates_of(cohort(100, 2, True), np.arange(100)).batch_size()
    assert size >= 8
    assert size % (8 * torch.get_num_threads()) == 0


@settings(max_examples=30)
@given(survival_rows(), ties_rules, st.integers(0, 2**32 - 1), st.booleans())
def test_replicates_of_any_data(rows, ties, seed, copies):
    """Wherever a fit of the repeated rows has its maximum, so has the replicate, and the same."""
    n = rows.stop.size
    rng = np.random.default_rng(seed)
    subjects = np.unique(rng.integers(0, n, n), return_inverse=True)[1]
    n_subjects = subjects.max() + 1
    counts = draws(n_subjects, 5, seed) if copies else rng.exponential(size=(n_subjects, 5))
    data = rows.data()
    start = fit_coxph(data, ties).coefficients[0]
    fits = Replicates(data, subjects, ties, NewtonControl(), start).fit(counts, copies)
    for b in range(5):
        weight = counts[subjects, b]
        part = repeated(rows, weight) if copies else rows.data(weights=rows.weights * weight)
        if fits.status[b] == "no events":
            assert not part.event.any()
            continue
        if fits.status[b] != "converged":
            assert np.isnan(fits.coefficients[b]).all()
            continue
        if fits.loglik[b] > -1e-6:
            # all events foreseen: no digit is left to tell a maximum by
            continue
        # at a maximum the score is 0; a column redundant in the full sample has no coefficient
        beta = np.nan_to_num(fits.coefficients[b])
        one = fit_coxph(part, ties, init=beta, control=NewtonControl(iter_max=0))
        step = one.score_vector[0] @ one.variance[0]
        assert np.abs(step).max() < 1e-7 * (1 + np.abs(beta).max())
        assert_close(fits.loglik[b], one.loglik[0, 1], 1e-9)


def test_daily_rows_are_merged_where_nothing_changes():
    rows = cohort(80, 2, True, n_times=12)
    days = (rows.stop - rows.start).astype(int)
    index = np.repeat(np.arange(80), days)
    day = np.arange(index.size) - np.repeat(np.cumsum(days) - days, days)
    daily = {name: getattr(rows, name) for name in Rows.__dataclass_fields__}
    daily = {k: v if k == "counting" else v[index] for k, v in daily.items()}
    daily["start"] = daily["start"] + day
    daily["stop"] = daily["start"] + 1
    daily["event"] = daily["event"] & (daily["stop"] == rows.stop[index])
    data, subjects = merge_neighbours(Rows(**daily).data(), index)
    assert np.array_equal(subjects, np.arange(80))
    for name in ("x", "start", "stop", "event", "strata", "weights", "offset"):
        assert torch.equal(getattr(data, name), getattr(rows.data(), name)), name
    counts = draws(80, 9)
    fits = replicates_of(Rows(**daily), index).fit(counts, True)
    for b in range(9):
        one = fit_coxph(repeated(Rows(**daily), counts[index, b]), control=TIGHT)
        assert_close(fits.coefficients[b], one.coefficients[0])


@pytest.mark.parametrize("changed", ["x", "strata", "weights", "offset", "event", "start", "id"])
def test_rows_that_differ_are_not_merged(changed):
    rows = cohort(2, 1, True)
    values = {name: np.repeat(getattr(rows, name)[:1], 2, axis=0) for name in rows.data().__dict__}
    values |= {"start": np.array([0.0, 1.0]), "stop": np.array([1.0, 2.0])}
    values["event"] = np.array([False, True])
    subjects = np.zeros(2, dtype=int)
    assert merge_neighbours(Rows(**values, counting=True).data(), subjects)[1].size == 1
    if changed == "id":
        subjects = np.arange(2)
    elif changed == "event":
        values["event"][0] = True
    else:
        values[changed][1] += 0.5 if changed != "strata" else 1
    data, kept = merge_neighbours(Rows(**values, counting=True).data(), subjects)
    assert data.stop.numel() == kept.size == 2
