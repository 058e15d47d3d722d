"""Cox models of weighted cumulative exposure: rows at risk, checks, and fits against R."""

import numpy as np
import pytest
import torch
from agreement import relative_difference
from exposures import follow_up_columns, make_histories
from hypothesis import given
from hypothesis import strategies as st

from survivalgpu.api import drawn_totals
from survivalgpu.errors import InvalidArgumentError
from survivalgpu.resampling.bootstrap import BootstrapDraws
from survivalgpu.wce import artificial_covariates
from survivalgpu.wce import follow_up as follow_up_module
from survivalgpu.wce.follow_up import follow_up, ranks_of_days, rows_at_risk, rows_by_number
from survivalgpu.wce.models import ExposureModels, check_cutoff, dose_changes
from survivalgpu.wce.weight_basis import weight_basis

CPU = torch.device("cpu")


def spells_of(histories):
    return {
        "subject": histories.subject,
        "start": histories.start.astype(float),
        "stop": histories.stop.astype(float),
        "dose": histories.dose,
    }


def problem(seed, n=60):
    """Follow-up, spells, covariates and weights of the same subjects."""
    columns = follow_up_columns(seed, n)
    rng = np.random.default_rng(seed)
    x = np.column_stack([rng.normal(size=columns[0].size), rng.integers(0, 2, columns[0].size)])
    return columns, make_histories(seed, n, 4 * n), x, rng.integers(1, 4, columns[0].size) / 2.0


def fitted(columns, histories, x, device="cpu", **options):
    followed = follow_up(*columns)
    changes = dose_changes(followed, None, spells_of(histories), torch.device(device))
    bases = [weight_basis(12, 1), weight_basis(12, 2, "right")]
    models = ExposureModels(followed, changes, bases, x, **options)
    return [models.fit(basis) for basis in bases]


def assert_same_fits(ours, theirs, tolerance=1e-10):
    for one, other in zip(ours, theirs, strict=True):
        for name in ("coefficients", "variance", "loglik"):
            assert relative_difference(getattr(one, name), getattr(other, name)) < tolerance, name


@given(st.integers(0, 2**32 - 1), st.integers(1, 8))
def test_rows_at_risk_are_their_definition(seed, n_subjects):
    columns = follow_up_columns(seed, n_subjects)
    subject, start, stop, event = columns
    wanted = [
        (k, row, subject[row], day, bool(event[row] and stop[row] == day))
        for k, day in enumerate(np.unique(stop[event == 1]))
        for row in np.flatnonzero((start < day) & (day <= stop))
    ]
    for compiled in (True, False):
        with pytest.MonkeyPatch.context() as patch:
            if not compiled:
                patch.setattr(follow_up_module, "kernels_for", lambda *_: None)
            ours = rows_at_risk(follow_up(*columns), CPU)
        parts = ours.number, ours.row, ours.subject, ours.day, ours.event
        assert list(zip(*[part.tolist() for part in parts], strict=True)) == wanted


def test_ranks_of_days_far_apart_and_close_together():
    days = torch.tensor([3, 5, 1000])
    for values in ([1, 3, 4, 5, 6, 7, 2], [-5, 3, 999, 1000, 10**6]):
        ranks = ranks_of_days(days, torch.tensor(values))
        assert ranks.tolist() == [sum(day <= value for day in (3, 5, 1000)) for value in values]


def test_a_range_may_be_empty():
    low, high = torch.tensor([0, 1, 2]), torch.tensor([2, 1, 3])
    rows, counts = rows_by_number(low, high, 3)
    assert rows.tolist() == [0, 0, 2]
    assert counts.tolist() == [1, 1, 1]


@pytest.mark.parametrize("ties", ["efron", "breslow"])
@pytest.mark.parametrize("weighted", [True, False])
def test_fits_equal_coxph_on_artificial_covariates(r, ties, weighted, device):
    columns, histories, x, weights = problem(4)
    subject, start, stop, event = columns
    ours = fitted(columns, histories, x, device, ties=ties, weights=weights if weighted else None)
    days = np.unique(stop[event == 1])
    at_risk = [
        (row, day) for row in range(subject.size) for day in days if start[row] < day <= stop[row]
    ]
    rows, days = (np.array(column) for column in zip(*at_risk, strict=True))
    for fit, basis in zip(ours, (weight_basis(12, 1), weight_basis(12, 2, "right")), strict=True):
        artificial = np.array(
            [histories.exposure(basis.values, subject[row], int(day)) for row, day in at_risk]
        )
        theirs = r(
            """
            fit <- coxph(Surv(day - 1, day, event) ~ x, weights = w, ties = ties, robust = FALSE)
            list(coef = unname(coef(fit)), var = fit$var, loglik = fit$loglik)
            """,
            x=np.hstack([x[rows], artificial]),
            day=days,
            event=((event[rows] == 1) & (stop[rows] == days)).astype(float),
            w=weights[rows] if weighted else np.ones(rows.size),
            ties=ties,
        )
        assert relative_difference(fit.coefficients[0], theirs["coef"]) < 1e-7
        assert relative_difference(fit.variance[0], theirs["var"]) < 1e-7
        assert relative_difference(fit.loglik[0], theirs["loglik"]) < 1e-10


def test_replicates_are_fits_of_the_drawn_subjects():
    columns, histories, x, _ = problem(8, 80)
    followed = follow_up(*columns)
    spells = spells_of(histories)
    bases = [weight_basis(12, 1)]
    models = ExposureModels(followed, dose_changes(followed, None, spells, CPU), bases, x)
    resampler = models.resampler(bases[0], models.fit(bases[0]).coefficients[0], 5)
    fits, copies = resampler.fit(2, 3), resampler.draws.weights(2, 3)
    for replicate in range(3):
        drawn = np.repeat(np.arange(80), copies[:, replicate])
        rows = [np.flatnonzero(columns[0] == subject) for subject in drawn]
        owners = np.repeat(np.arange(80), [len(own) for own in rows])
        taken = np.concatenate(rows)
        own_spells = [np.flatnonzero(histories.subject == subject) for subject in drawn]
        repeated = {name: spells[name][np.concatenate(own_spells)] for name in spells}
        repeated["subject"] = np.repeat(np.arange(80), [len(own) for own in own_spells])
        again = follow_up(owners, *[column[taken] for column in columns[1:]])
        changes = dose_changes(again, None, repeated, CPU)
        fit = ExposureModels(again, changes, bases, x[taken]).fit(bases[0])
        assert fits.status[replicate] == "converged"
        assert relative_difference(fits.coefficients[replicate], fit.coefficients[0]) < 1e-7
        assert relative_difference(fits.loglik[replicate], fit.loglik[0, 1]) < 1e-10


def test_order_of_rows_and_of_spells_is_of_no_account():
    columns, histories, x, weights = problem(5)
    rng = np.random.default_rng(1)
    rows, spells = rng.permutation(columns[0].size), rng.permutation(histories.dose.size)
    mixed = type(histories)(
        histories.n_subjects,
        *[getattr(histories, name)[spells] for name in ("subject", "start", "stop", "dose")],
    )
    shuffled = fitted([c[rows] for c in columns], mixed, x[rows], weights=weights[rows])
    assert_same_fits(shuffled, fitted(columns, histories, x, weights=weights))


def test_routes_of_kernels_and_of_torch_agree(monkeypatch):
    columns, histories, x, _ = problem(6)
    compiled = fitted(columns, histories, x)
    for module in (follow_up_module, artificial_covariates):
        monkeypatch.setattr(module, "kernels_for", lambda *_: None)
    assert_same_fits(fitted(columns, histories, x), compiled)


def test_doses_of_rows_are_looked_up_in_the_users_order():
    columns, _, x, _ = problem(7)
    subject, start, stop, _ = columns
    dose = np.random.default_rng(7).integers(0, 3, subject.size).astype(float)
    spells = {"subject": subject, "start": start, "stop": stop, "dose": dose}
    bases = [weight_basis(9, 1)]

    def fit(rows, of_spells):
        followed = follow_up(*[column[rows] for column in columns])
        taken = spells if of_spells else None
        changes = dose_changes(followed, dose[rows], taken, CPU)
        return [ExposureModels(followed, changes, bases, x[rows]).fit(bases[0])]

    in_order = np.arange(subject.size)
    wanted = fit(in_order, True)
    assert_same_fits(fit(in_order, False), wanted)
    assert_same_fits(fit(in_order[::-1].copy(), False), wanted)


# subject, start, stop, event; then the argument and what the message says
BAD_ROWS = [
    ([0, 0], [0, 2.5], [2.5, 4], [0, 1], "start", "1 time.s. are not whole.*2.5 in row 2"),
    ([0, 0], [0, 2], [2, 2], [0, 1], "stop", "1 row.s. end at or before their start.*row 2"),
    ([0, 0], [0, 1], [2, 3], [0, 1], "start", "1 row.s. overlap.*row 2"),
    ([0, 0], [0, 3], [2, 4], [0, 1], "start", "1 row.s. leave a gap.*row 2"),
    ([0, 0, 1], [3, 0, 0], [4, 2, 3], [1, 0, 0], "start", "leave a gap.*row 1"),
    ([0, 0], [0, 2], [2, 4], [0, 2], "event", "holds 2 in row 2"),
    ([0, 0], [0, 2], [2, 4], [0, 0], "event", "no event"),
    ([0, 0], [0, 2], [2, 4], [1, 1], "event", "1 subject.s. have more than one event"),
    ([0, 0], [0, 2], [2, 4], [1, 0], "event", "1 row.s. come after an event.*row 2"),
    ([0, 0], [0, 2], [2, 1e12], [0, 1], "stop", "not whole numbers"),
]


@pytest.mark.parametrize(("subject", "start", "stop", "event", "argument", "found"), BAD_ROWS)
def test_bad_rows_are_refused(subject, start, stop, event, argument, found):
    columns = [np.array(c, dtype=float) for c in (subject, start, stop, event)]
    with pytest.raises(InvalidArgumentError, match=found) as error:
        follow_up(*columns)
    assert error.value.argument == argument


@pytest.mark.parametrize(
    ("start", "stop", "found"),
    [(3.0, 3.0, "end at or before"), (4.0, 3.0, "end at or before"), (0.5, 3.0, "not whole")],
)
def test_bad_spells_are_refused(start, stop, found):
    followed = follow_up(*follow_up_columns(1, 3))
    spells = {"subject": [0, 1], "start": [0.0, start], "stop": [1.0, stop], "dose": [1.0, 1.0]}
    with pytest.raises(InvalidArgumentError, match=found) as error:
        dose_changes(followed, None, spells, CPU)
    assert error.value.argument == "exposures"
    assert "row 2" in error.value.found


def test_a_cutoff_longer_than_any_history_is_refused():
    columns = [np.array(c, dtype=float) for c in ([0, 0, 1], [0, 4, 5], [4, 9, 7], [0, 1, 0])]
    followed = follow_up(*columns)
    assert followed.longest == 10
    check_cutoff(10, followed, None)
    with pytest.raises(InvalidArgumentError, match="smaller than the longest follow-up time"):
        check_cutoff(11, followed, None)
    # exposure before follow-up makes a longer history
    check_cutoff(11, followed, {"start": [-1.0, 3.0]})


def test_totals_of_resamples_are_sums_over_the_drawn(monkeypatch):
    values = np.random.default_rng(3).integers(0, 2, 50)
    counts = BootstrapDraws("ordinary", 9, 50).weights(0, 11)
    monkeypatch.setattr("survivalgpu.api.wce._DRAWS", 150)
    np.testing.assert_array_equal(drawn_totals(9, 11, values)["totals"], values @ counts)
