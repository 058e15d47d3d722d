"""Basis and artificial covariates of weighted cumulative exposure."""

import numpy as np
import pytest
import torch
from exposures import histories, make_histories
from hypothesis import given
from hypothesis import strategies as st

from survivalgpu.errors import InvalidArgumentError
from survivalgpu.wce import artificial_covariates as module
from survivalgpu.wce.artificial_covariates import artificial_covariates
from survivalgpu.wce.dose_changes import changes_from_rows, changes_from_spells
from survivalgpu.wce.weight_basis import WeightBasis, interior_knots, weight_basis


def test_knots_are_rounded_as_r_rounds_quantiles(r):
    wanted = r(
        """
        unlist(lapply(5:200, function(cutoff) unlist(lapply(1:6, function(n) {
          places <- quantile(seq_len(cutoff), seq(0, 1, by = 1 / (n + 1)))
          unname(round(places, 0)[2:(n + 1)])
        }))))
        """
    )
    ours = [interior_knots(n, cutoff) for cutoff in range(5, 201) for n in range(1, 7)]
    np.testing.assert_array_equal(np.concatenate(ours), wanted)


@pytest.mark.parametrize(("cutoff", "n_knots"), [(4, 1), (30, 2), (180, 3), (365, 9)])
def test_basis_is_that_of_rs_splines(r, cutoff, n_knots):
    basis = weight_basis(cutoff, n_knots)
    theirs = r(
        "splines::splineDesign(knots, x, ord = 4)", knots=basis.knots, x=np.arange(1, cutoff + 1)
    )
    np.testing.assert_allclose(basis.values, theirs, atol=1e-14)
    assert basis.cutoff == cutoff
    assert basis.values.shape == (cutoff, n_knots + 4)


def test_functions_sum_to_one_and_constraints_leave_some_out():
    whole = weight_basis(60, 2)
    np.testing.assert_allclose(whole.values.sum(axis=1), 1.0, atol=1e-14)
    right, left = weight_basis(60, 2, "right"), weight_basis(60, 2, "left")
    np.testing.assert_array_equal(right.values, whole.values[:, :-2])
    np.testing.assert_array_equal(left.values, whole.values[:, 2:])
    assert (whole.first, right.first, left.first) == (1, 1, 3)
    # the weight and its slope end near 0: what is left is of the order of one day's cube
    assert right.values[-1].max() < 1e-2
    assert left.values[0].max() < 1e-2


def test_knots_by_hand_and_too_many_of_them():
    basis = weight_basis(30, 2, interior=np.array([5.0, 12.0]))
    np.testing.assert_array_equal(basis.knots, [-3, -2, -1, 0, 5, 12, 30, 31, 32, 33])
    with pytest.raises(InvalidArgumentError, match="8 knots do not fit") as error:
        weight_basis(6, 8)
    assert error.value.argument == "nknots"


def filled(changes, basis, subject, day, device="cpu", columns=0):
    """Artificial covariates in the last columns of a wider matrix."""
    out = torch.full((len(day), columns + basis.values.shape[1]), np.nan, dtype=torch.float64)
    out = out.to(device)
    places = (torch.as_tensor(subject).to(device), torch.as_tensor(day).to(device))
    artificial_covariates(changes, basis.cumulated, *places, out[:, columns:])
    assert out[:, :columns].isnan().all()
    return out[:, columns:].cpu().numpy()


@given(histories(), st.integers(1, 12), st.integers(0, 2), st.booleans())
def test_covariates_are_their_definition(given_histories, cutoff, columns, compiled):
    rng = np.random.default_rng(cutoff)
    basis = WeightBasis(np.zeros(0), rng.normal(size=(cutoff, 3)), 1)
    days = np.arange(-12, 50)
    subject = np.repeat(np.arange(given_histories.n_subjects), days.size)
    day = np.tile(days, given_histories.n_subjects)
    with pytest.MonkeyPatch.context() as patch:
        if not compiled:
            patch.setattr(module, "kernels_for", lambda *_: None)
        ours = filled(given_histories.changes(), basis, subject, day, columns=columns)
    pairs = zip(subject, day, strict=True)
    wanted = np.array([given_histories.exposure(basis.values, s, t) for s, t in pairs])
    np.testing.assert_allclose(ours, wanted, atol=1e-12)


@pytest.mark.parametrize("width", [1, 4, 7, 8, 12, 16, 17, 29, 40])
def test_a_basis_of_any_width(width, monkeypatch, device):
    basis = WeightBasis(np.zeros(0), np.random.default_rng(width).normal(size=(20, width)), 1)
    subject = np.tile(np.arange(5), 10_000)
    day = np.random.default_rng(1).integers(-12, 60, subject.size)
    spells = make_histories(3, 5, 40)
    compiled = filled(spells.changes(), basis, subject, day)
    monkeypatch.setattr(module, "kernels_for", lambda *_: None)
    monkeypatch.setitem(module._BLOCK_ELEMENTS, "cpu", 4096)
    in_torch = filled(spells.changes(device), basis, subject, day, device)
    np.testing.assert_allclose(in_torch, compiled, atol=1e-12)


def test_threads_do_not_change_a_bit():
    basis, spells = weight_basis(20, 3), make_histories(5, 9, 60)
    subject = np.tile(np.arange(9), 5000)
    day = np.random.default_rng(2).integers(0, 60, subject.size)
    before, results = torch.get_num_threads(), []
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            results.append(filled(spells.changes(), basis, subject, day))
    finally:
        torch.set_num_threads(before)
    np.testing.assert_array_equal(*results)


def test_spells_add_up_by_hand():
    column = torch.tensor
    changes = changes_from_spells(
        column([1, 1, 1, 3]),
        column([0, 2, 4, 5]),
        column([4, 6, 6, 7]),
        column([1.0, 2.0, 1.0, 0.5]),
        4,
    )
    assert changes.offsets.tolist() == [0, 0, 3, 3, 5]
    # dose 1 on days 1 and 2, 3 on days 3 to 6: where a spell of 1 follows one of 1, no change
    assert changes.days.tolist() == [0, 2, 6, 5, 7]
    assert changes.levels.tolist() == [1.0, 3.0, 0.0, 0.5, 0.0]
    assert changes.jumps.tolist() == [1.0, 2.0, -3.0, 0.5, -0.5]
    days = torch.arange(9)
    doses = changes.dose_after(torch.ones(9, dtype=torch.int64), days)
    assert doses.tolist() == [1, 1, 3, 3, 3, 3, 0, 0, 0]


def test_rows_and_spells_of_the_same_doses_are_the_same_changes():
    rng = np.random.default_rng(7)
    n, days = 6, 40
    dose = np.repeat(rng.integers(0, 3, n * days // 4), 4).astype(float)
    subject, start = np.repeat(np.arange(n), days), np.tile(np.arange(days), n)
    offsets = torch.arange(0, n * days + 1, days)
    from_rows = changes_from_rows(offsets, torch.from_numpy(start), torch.from_numpy(dose))
    columns = [torch.from_numpy(c) for c in (subject, start, start + 1, dose)]
    from_spells = changes_from_spells(*columns, n)
    subject, day = torch.from_numpy(subject), torch.from_numpy(start)
    for changes in (from_rows, from_spells):
        assert changes.dose_after(subject, day).tolist() == dose.tolist()
    # what follows the last row of a subject is of no account
    last = from_spells.days == days
    assert from_rows.days.tolist() == from_spells.days[~last].tolist()


def test_no_exposure_at_all():
    nothing = torch.zeros(0, dtype=torch.int64)
    changes = changes_from_spells(nothing, nothing, nothing, nothing.double(), 2)
    assert changes.offsets.tolist() == [0, 0, 0]
    assert not filled(changes, weight_basis(10, 1), np.array([0, 1]), np.array([3, 4])).any()
