"""Every form of input gives the same fit."""

import numpy as np
import pandas as pd
import pytest
from agreement import relative_difference
from estimator_reference import AGREES, ROUNDING, assert_agrees, coxph

from survivalgpu import CoxPH


def same(a, b):
    assert relative_difference(a.coef_, b.coef_) < ROUNDING
    assert relative_difference(a.variance_, b.variance_) < ROUNDING
    assert relative_difference(a.martingale_residuals_, b.martingale_residuals_) < ROUNDING
    return True


def responses(time, event):
    structured = np.empty(len(time), dtype=[("cens", "?"), ("days", "f8")])
    structured["cens"], structured["days"] = event, time
    return {
        "structured": structured,
        "tuple": (time, event.astype(int)),
        "list": [list(time), list(event)],
        "array": np.column_stack([time, event]),
        "frame": pd.DataFrame({"days": time, "dead": event.astype(int)}),
        "frame, event first": pd.DataFrame({"dead": event, "days": time}),
        "frame, nullable": pd.DataFrame({"t": time, "e": event}).convert_dtypes(),
        "series": (pd.Series(time, index=time), pd.Series(event)),
    }


@pytest.mark.parametrize("form", responses(np.ones(1), np.ones(1, dtype=bool)))
def test_forms_of_the_response(small, form):
    X, _, time, event, _ = small
    reference = CoxPH(device="cpu").fit(X, (time, event))
    same(CoxPH(device="cpu").fit(X, responses(time, event)[form]), reference)


def test_forms_of_the_entry_times(small):
    X, entry, time, event, rest = small
    reference = CoxPH(device="cpu").fit(X, (entry, time, event), **rest)
    frame = pd.DataFrame({"from": entry, "to": time, "dead": event})
    for y in (frame, np.column_stack([entry, time, event])):
        same(CoxPH(device="cpu").fit(X, y, **rest), reference)
    for given in (entry, list(entry), pd.Series(entry)):
        same(CoxPH(device="cpu").fit(X, (time, event), entry=given, **rest), reference)


def covariate_forms(X):
    named = pd.DataFrame(X, columns=["age", "arm", "marker"])
    read_only = X.copy()
    read_only.flags.writeable = False
    return {
        "frame": named,
        "frame with bool and Int64": named.astype({"arm": bool}).assign(
            arm=lambda d: d["arm"].astype("Int64")
        ),
        "frame with bool": named.astype({"arm": bool}),
        "frame of objects' values": named.astype({"arm": bool}).to_numpy(),
        "nested list": X.tolist(),
        "column-major": np.asfortranarray(X),
        "read-only": read_only,
        "backwards in memory": X[::-1].copy()[::-1],
        "big-endian": X.astype(">f8"),
        "frame with another index": named.set_axis(range(500, 500 + len(X))),
    }


@pytest.mark.parametrize("form", covariate_forms(np.ones((1, 3))))
def test_forms_of_the_covariates(small, form):
    X, _, time, event, _ = small
    reference = CoxPH(device="cpu").fit(X, (time, event))
    model = CoxPH(device="cpu").fit(covariate_forms(X)[form], (time, event))
    same(model, reference)
    assert relative_difference(model.predict(covariate_forms(X)[form]), reference.predict(X)) < (
        ROUNDING
    )


def test_integer_boolean_and_single_precision_columns(r):
    rng = np.random.default_rng(8)
    time, event = rng.integers(1, 20, 60).astype(float), rng.random(60) < 0.7
    for X in (rng.integers(0, 5, (60, 2)), rng.random((60, 2)) < 0.4, rng.random((60, 2), "f4")):
        assert_agrees(CoxPH(device="cpu").fit(X, (time, event)), coxph(r, X, (time, event)))


def test_the_rows_given_are_not_written_to(small):
    X, entry, time, event, rest = small
    given = [X, entry, time, event, rest["weights"], rest["offset"]]
    before = [array.copy() for array in given]
    CoxPH(device="cpu").fit(X, (entry, time, event), **rest)
    assert all(np.array_equal(a, b) for a, b in zip(given, before, strict=True))


def strata_forms(labels):
    codes = np.unique(labels, return_inverse=True)[1]
    return {
        "list": labels.tolist(),
        "category": pd.Series(pd.Categorical(labels)),
        "nullable": pd.Series(labels, dtype="string"),
        "int": codes,
        "float": codes / 4,
        "bool and text": np.where(codes == 2, labels.astype(object), codes == 1),
        "dates": np.array(["2020-01-01", "2021-01-01", "1999-01-01"], dtype="M8[D]")[codes],
        "two columns": pd.DataFrame({"p": codes == 1, "q": np.where(codes == 2, "x", "y")}),
        "two columns, array": np.column_stack([codes == 1, codes == 2]),
    }


@pytest.mark.parametrize("form", strata_forms(np.array(["a", "b", "c"])))
def test_strata_labels_of_any_type(small, form):
    X, _, time, event, rest = small
    labels = rest["strata"]
    reference = CoxPH(device="cpu").fit(X, (time, event), strata=labels)
    same(CoxPH(device="cpu").fit(X, (time, event), strata=strata_forms(labels)[form]), reference)


def test_shuffled_rows_give_the_same_fit(small):
    X, entry, time, event, rest = small
    order = np.random.default_rng(1).permutation(len(X))
    reference = CoxPH(device="cpu").fit(X, (entry, time, event), **rest)
    shuffled = CoxPH(device="cpu").fit(
        X[order],
        (entry[order], time[order], event[order]),
        **{name: value[order] for name, value in rest.items()},
    )
    assert relative_difference(shuffled.coef_, reference.coef_) < ROUNDING
    assert relative_difference(
        shuffled.martingale_residuals_, reference.martingale_residuals_[order]
    ) < ROUNDING  # fmt: skip


def test_weights_are_replication_under_breslow(small):
    X, _, time, event, _ = small
    copies = np.random.default_rng(3).integers(1, 4, len(X))
    weighted = CoxPH(device="cpu", ties="breslow").fit(X, (time, event), weights=copies)
    again = np.repeat(np.arange(len(X)), copies)
    replicated = CoxPH(device="cpu", ties="breslow").fit(X[again], (time[again], event[again]))
    assert relative_difference(weighted.coef_, replicated.coef_) < AGREES
    assert relative_difference(weighted.variance_, replicated.variance_) < AGREES
