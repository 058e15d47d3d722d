"""Risk sets: hand-checked ranges, and membership by brute force."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from reference import membership
from strategies import survival_rows

from survivalgpu.risk_sets import build_risk_sets


def ranges_by_row(risk_sets, n):
    """Give each row of the data its set of event times, from the two operators."""
    k = risk_sets.n_event_times
    by_group = risk_sets.intervals.interval_sums(torch.eye(k, dtype=torch.float64))
    counts = risk_sets.group_offsets.diff()
    inside = torch.zeros(n, k, dtype=torch.float64)
    inside[risk_sets.order] = torch.repeat_interleave(by_group, counts, dim=0)
    return inside.numpy().T


def test_right_censored_by_hand():
    stop = torch.tensor([5.0, 2.0, 3.0, 2.0, 1.0])
    event = torch.tensor([True, True, False, True, False])
    sets = build_risk_sets(stop.double(), event)
    assert sets.event_times.tolist() == [2.0, 5.0]
    assert sets.event_offsets.tolist() == [0, 2, 3]
    expected = [[1, 1, 1, 1, 0], [1, 0, 0, 0, 0]]
    assert ranges_by_row(sets, 5).tolist() == expected
    # row 4 was censored before the first event: never at risk
    assert sorted(sets.order.tolist()) == [0, 1, 2, 3]


def test_entry_at_an_event_time_is_not_yet_at_risk():
    start = torch.tensor([0.0, 2.0, 1.0]).double()
    stop = torch.tensor([2.0, 4.0, 4.0]).double()
    sets = build_risk_sets(stop, torch.tensor([True, True, False]), start)
    assert ranges_by_row(sets, 3).tolist() == [[1, 0, 1], [0, 1, 1]]


def test_strata_without_events_are_empty():
    stop = torch.tensor([1.0, 2.0, 1.0, 2.0]).double()
    event = torch.tensor([True, True, False, False])
    sets = build_risk_sets(stop, event, strata=torch.tensor([0, 0, 1, 1]))
    assert sets.n_used == 2
    assert sets.event_strata.tolist() == [0, 0]


@given(survival_rows())
def test_membership_is_that_of_the_definition(rows):
    data = rows.data()
    sets = build_risk_sets(data.stop, data.event, data.start, data.strata)
    _, start, stop, event, strata, _, _ = rows.arrays()
    pairs, at_risk = membership(start, stop, event, strata)
    assert list(zip(sets.event_strata.tolist(), sets.event_times.tolist(), strict=True)) == pairs
    assert np.array_equal(ranges_by_row(sets, rows.stop.size), np.array(at_risk, dtype=float))


@given(survival_rows())
def test_groups_are_runs_of_equal_ranges(rows):
    data = rows.data()
    sets = build_risk_sets(data.stop, data.event, data.start, data.strata)
    columns = ranges_by_row(sets, rows.stop.size)[:, sets.order.numpy()].T
    offsets = sets.group_offsets.tolist()
    assert (offsets[0], offsets[-1]) == (0, sets.n_used)
    for first, last in pairwise(offsets):
        assert (columns[first:last] == columns[first]).all()
    if sets.group_of_row is not None:
        assert torch.equal(
            sets.group_of_row,
            torch.repeat_interleave(torch.arange(sets.n_groups), sets.group_offsets.diff()),
        )


@pytest.mark.parametrize("counting", [False, True])
def test_event_rows_are_ordered_by_time(counting):
    rng = np.random.default_rng(3)
    stop = torch.tensor(rng.integers(1, 9, 200).astype(float))
    start = stop - 1.5 if counting else None
    sets = build_risk_sets(stop, torch.tensor(rng.random(200) < 0.4), start)
    times = stop[sets.order[sets.event_rows]]
    assert torch.equal(times, torch.repeat_interleave(sets.event_times, sets.event_offsets.diff()))
