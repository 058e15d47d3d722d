"""The permutational algorithm, random subjects, and the rows of simulated cohorts."""

import numpy as np
import pytest
import torch
from exposures import make_histories
from scipy import stats

from survivalgpu.api import draw_subjects, simulate_cohort
from survivalgpu.coxph import CoxData, fit_coxph
from survivalgpu.errors import InvalidArgumentError
from survivalgpu.simulation.cohort import Variable, cohort_rows, match_cohort
from survivalgpu.simulation.permutational import match_histories
from survivalgpu.simulation.subjects import RandomSubjects
from survivalgpu.simulation.weight_functions import SHAPES, weight_function
from survivalgpu.wce.dose_changes import changes_from_spells

CPU = torch.device("cpu")
PLAUSIBLE = 1e-4


def match(times, event, eta, seed, device="cpu"):
    """Match times to histories of constant or, for a matrix, daily log hazard ratios."""
    numbers = RandomSubjects(seed, len(times), torch.device(device))
    eta = torch.as_tensor(eta, dtype=torch.float64).to(device)

    def ratios(histories, day):
        return (eta if eta.ndim == 1 else eta[:, day])[histories].clone()

    return match_histories(
        torch.as_tensor(times).to(device),
        torch.as_tensor(event).to(device),
        ratios,
        numbers.clocks(),
        numbers.censoring_order(),
    )


def test_every_time_is_given_once(device):
    rng = np.random.default_rng(1)
    times, event = rng.integers(1, 30, 500), rng.random(500) < 0.5
    time, has_event = match(times, event, rng.normal(size=500), 3, device)
    given = sorted(zip(time.tolist(), has_event.tolist(), strict=True))
    assert given == sorted(zip(times.tolist(), event.tolist(), strict=True))


def test_events_are_drawn_in_proportion_to_the_hazard_ratios():
    # three histories: event on day 1, censored on day 2, event on day 3, whose hazards change
    ratios = np.log([[1.0, 1.0, 9.0, 1.0], [1.0, 2.0, 9.0, 5.0], [1.0, 4.0, 9.0, 2.0]])
    runs = 6000
    found = np.zeros((3, 3))
    for seed in range(runs):
        time, _ = match([1, 2, 3], [True, False, True], ratios, seed)
        found[time.argsort()[0], time.argsort()[1]] += 1
    first = np.array([1.0, 2.0, 4.0]) / 7
    # those left are censored with equal probabilities
    expected = runs * np.repeat(first[:, None] / 2, 3, axis=1)[~np.eye(3, dtype=bool)]
    assert stats.chisquare(found[~np.eye(3, dtype=bool)], expected).pvalue > PLAUSIBLE


def test_what_is_left_of_the_clocks_serves_for_later_times():
    # three events in a row: the second is drawn by the second day's hazards
    ratios = np.log([[1.0, 3.0, 1.0, 1.0], [1.0, 1.0, 5.0, 1.0], [1.0, 2.0, 2.0, 1.0]])
    runs = 6000
    found = np.zeros((3, 3))
    for seed in range(runs):
        order = match([1, 2, 3], [True] * 3, ratios, seed)[0].argsort()
        found[order[0], order[1]] += 1
    day = np.exp(ratios)
    expected = np.zeros((3, 3))
    for i in range(3):
        left = [j for j in range(3) if j != i]
        first = day[i, 1] / day[:, 1].sum()
        expected[i, left] = runs * first * day[left, 2] / day[left, 2].sum()
    off = ~np.eye(3, dtype=bool)
    assert stats.chisquare(found[off], expected[off]).pvalue > PLAUSIBLE


def test_hazards_of_any_size_are_taken():
    eta = np.array([0.0, 2000.0, -2000.0, 1000.0])
    time, _ = match([1, 2, 3, 4], [True] * 4, eta, 1)
    assert time[[1, 3]].tolist() == [1, 2]
    assert sorted(time.tolist()) == [1, 2, 3, 4]


def test_a_cox_model_finds_the_effects(device):
    rng = np.random.default_rng(2)
    n, truth = 20_000, np.array([0.5, -1.0])
    x = np.column_stack([rng.normal(size=n), rng.integers(0, 2, n)])
    times, event = rng.integers(1, 200, n), rng.random(n) < 0.6
    time, has_event = match(times, event, x @ truth, 11, device)
    fit = fit_coxph(CoxData(torch.from_numpy(x), time.double().cpu(), has_event.cpu()))
    z = (fit.coefficients[0] - truth) / np.sqrt(np.diagonal(fit.variance[0]))
    assert np.abs(z).max() < 4


def test_random_subjects_are_as_described_and_begin_with_those_of_a_smaller_cohort():
    numbers, fewer = RandomSubjects(5, 20_000, CPU), RandomSubjects(5, 100, CPU)
    assert torch.equal(numbers.age()[:100], fewer.age())
    assert stats.kstest(numbers.clocks().numpy(), "expon").pvalue > PLAUSIBLE
    assert stats.kstest(numbers.age().numpy(), "norm", (60, 10)).statistic < 0.03
    assert abs(float(numbers.sex().mean()) - 0.5) < 0.02
    assert torch.equal(numbers.censoring_order().sort().values, torch.arange(20_000))
    days = numbers.censoring_days(10)
    assert torch.bincount(days).tolist()[0] == 0
    assert stats.chisquare(torch.bincount(days)[1:].numpy()).pvalue > PLAUSIBLE
    subject, start, stop, dose = numbers.courses(365)
    assert (start < stop).all()
    assert (start > 0).all()
    assert set(dose.tolist()) == {0.5, 1.0, 1.5, 2.0}
    assert abs(float((stop - start).double().mean()) - 30.5) < 1
    order = torch.argsort(subject * 10_000 + start)
    follows = subject[order][1:] == subject[order][:-1]
    pause = (start[order][1:] - stop[order][:-1])[follows]
    assert pause.min() > 0
    # a long pause is less likely to end before the last day
    assert 45 < float(pause.double().mean()) < 61
    mine = [column[subject < 100] for column in (subject, start, stop, dose)]
    for ours, theirs in zip(mine, fewer.courses(365), strict=True):
        assert torch.equal(ours, theirs)


def test_numbers_of_a_seed_are_frozen():
    numbers = RandomSubjects(2026, 4, CPU)
    assert numbers.age().tolist() == [62.0, 55.0, 41.0, 58.0]
    assert numbers.event_days(365.0).tolist() == [327, 133, 282, 693]


def test_rows_of_days_and_of_spells_hold_the_same_values(device):
    histories = make_histories(9, 6, 30)
    on = torch.device(device)
    variables = [
        Variable(histories.changes(on), np.ones(3)),
        Variable(make_histories(10, 6, 15).changes(on), np.ones(1)),
    ]
    time = torch.tensor([1, 5, 12, 30, 31, 60], device=on)
    has_event = torch.tensor([True, False, True, True, False, False], device=on)
    daily, spells = (cohort_rows(time, has_event, variables, days) for days in (True, False))
    for rows in (daily, spells):
        last = rows.subject.diff(append=rows.subject[:1] - 1) != 0
        assert rows.stop[last].tolist() == time.tolist()
        assert rows.subject[rows.event].tolist() == [0, 2, 3]
    assert (daily.stop - daily.start == 1).all()
    repeats = spells.stop - spells.start
    assert torch.equal(spells.subject.repeat_interleave(repeats), daily.subject)
    for short, long in zip(spells.values, daily.values, strict=True):
        assert torch.equal(short.repeat_interleave(repeats), long)
    days = zip(daily.subject.tolist(), daily.stop.tolist(), strict=True)
    assert daily.values[0].tolist() == [histories.dose_on(s, t) for s, t in days]
    # no two rows of a subject in a row are the same
    columns = [spells.subject, *spells.values]
    assert torch.stack([column.diff() != 0 for column in columns]).any(dim=0).all()


def test_log_hazard_ratios_are_weighted_doses():
    histories = make_histories(12, 5, 25)
    weights = np.array([0.5, -0.25, 1.0])
    variable = Variable(histories.changes(), weights)
    subjects, days = torch.arange(5).repeat(30), torch.arange(30).repeat_interleave(5)
    ours = variable.log_hazard_ratios(subjects, days)
    pairs = zip(subjects.tolist(), days.tolist(), strict=True)
    wanted = [histories.exposure(weights[:, None], s, t)[0] for s, t in pairs]
    np.testing.assert_allclose(ours, wanted, atol=1e-13)


def test_a_cohort_does_not_depend_on_threads():
    drawn = draw_subjects(3000, 100, 7)
    event = drawn["event_days"] <= drawn["censoring_days"]
    times = np.minimum(drawn["event_days"], drawn["censoring_days"])
    variable = {"spells": None, "weights": weight_function("hat", 40)}
    before, cohorts = torch.get_num_threads(), []
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            arguments = 7, times, event * 1.0, drawn["sex"], [variable], 100, False, "cpu"
            cohorts.append(simulate_cohort(*arguments))
    finally:
        torch.set_num_threads(before)
    for name in ("subject", "start", "stop", "event"):
        np.testing.assert_array_equal(cohorts[0][name], cohorts[1][name])


@pytest.mark.parametrize("shape", SHAPES)
def test_weights_sum_to_one_and_are_of_their_shape(shape):
    weights = weight_function(shape, 200)
    assert weights.sum() == pytest.approx(1)
    assert (weights >= 0).all()
    top = int(weights.argmax()) + 1
    peaks = {"early peak": 16, "inverted U": 80, "hat": 60}
    assert top == peaks.get(shape, 1)
    if shape not in ("constant", "bilinear"):
        assert (np.diff(weights[top:]) < 0).all()


def test_weights_by_hand():
    ratio = weight_function("exponential", 70)
    np.testing.assert_allclose(ratio[1:] / ratio[:-1], np.exp(-0.1))
    assert weight_function("bilinear", 10)[2:].tolist() == [0] * 8
    hat = np.array([7 / 3, 14 / 3, 7, 6, 5, 4, 3, 2, 1, 0]) / 35
    np.testing.assert_allclose(weight_function("hat", 10), hat, atol=1e-15)
    with pytest.raises(InvalidArgumentError, match='no shape "sine"'):
        weight_function("sine", 10)


def test_cohorts_follow_the_weights_of_the_exposure():
    """The partial likelihood is best near the weights that made the cohort."""
    n, weights = 8000, 3.0 * weight_function("exponential", 60)
    drawn = draw_subjects(n, 200, 3)
    times = torch.from_numpy(np.minimum(drawn["event_days"], drawn["censoring_days"])).long()
    event = torch.from_numpy(drawn["event_days"] <= drawn["censoring_days"])
    numbers = RandomSubjects(3, n, CPU)
    changes = changes_from_spells(*numbers.courses(200), n)
    variable = Variable(changes, weights)
    time, has_event = match_cohort(
        numbers, times, event, torch.zeros(n, dtype=torch.float64), [variable]
    )
    late = Variable(changes, 3.0 * weight_function("inverted U", 60))
    estimates = []
    rows = cohort_rows(time, has_event, [variable], True)
    for exposure in (variable, late):
        x = exposure.log_hazard_ratios(rows.subject, rows.stop)[:, None]
        fit = fit_coxph(CoxData(x, rows.stop.double(), rows.event, rows.start.double()))
        estimates.append((fit.coefficients[0, 0], np.sqrt(fit.variance[0, 0, 0]), fit.loglik[0, 1]))
    (effect, se, loglik), (_, _, of_another) = estimates
    assert abs(effect - 1) < 4 * se
    assert loglik > of_another + 10
