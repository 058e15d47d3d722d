"""Bad input: the message names the argument, what was found, and the remedy."""

import pickle

import numpy as np
import pandas as pd
import pytest

from survivalgpu import CoxPH, errors
from survivalgpu.errors import DeviceUnavailableError, InvalidArgumentError
from survivalgpu.validation import as_codes, as_float_matrix, as_float_vector

N = 8
X = np.column_stack([np.arange(N) % 3, np.arange(N) ** 2]).astype(float)
TIME = np.array([5.0, 1, 6, 2, 4, 3, 8, 7])
EVENT = np.array([1, 1, 0, 1, 1, 1, 0, 1])
ENTRY = TIME - 0.5


def with_value(array, row, value):
    changed = np.array(array, dtype=float)
    changed[row] = value
    return changed


BAD_ROWS = {
    "NaN in X": ({"X": with_value(X, (3, 1), np.nan)}, "X", "1 row.*first is row 3"),
    "Inf in X": ({"X": with_value(X, (2, 0), np.inf)}, "X", "infinite.*row 2"),
    "None in X": ({"X": [[1.0], [None], *[[2.0]] * (N - 2)]}, "X", "NaN.*row 1"),
    "X of text": ({"X": X.astype(str)}, "X", "type <U.*not numbers"),
    "X of text objects": ({"X": X.astype(str).astype(object)}, "X", "'0.0', which is not"),
    "X of complex": ({"X": X.astype(complex)}, "X", "complex.*not numbers"),
    "X of dates": ({"X": X.astype("M8[s]")}, "X", "datetime.*not numbers"),
    "X with one dimension": ({"X": X[:, 0]}, "X", r"one dimension.*reshape\(-1, 1\)"),
    "X a flat list": ({"X": [1.0] * N}, "X", "one dimension"),
    "X with three dimensions": ({"X": X[:, :, None]}, "X", "3 dimensions"),
    "X ragged": ({"X": [[1.0], [1.0, 2.0]] * 4}, "X", "differ in length"),
    "X without rows": ({"X": X[:0]}, "X", "no rows"),
    "time NaN": ({"y": (with_value(TIME, 4, np.nan), EVENT)}, r"y \(time\)", "row 4"),
    "time of dates": ({"y": (TIME.astype("m8[D]"), EVENT)}, r"y \(time\)", "timedelta"),
    "time too short": ({"y": (TIME[1:], EVENT)}, r"y \(time\)", "7 values for 8 rows"),
    "event too long": ({"y": (TIME, [*EVENT, 1])}, r"y \(event\)", "9 values for 8 rows"),
    "event coded 2": ({"y": (TIME, EVENT + 1)}, r"y \(event\)", "the value 2.*1/0"),
    "event first": ({"y": (EVENT, TIME)}, r"y \(event\)", "the value 5"),
    "all censored": ({"y": (TIME, EVENT * 0)}, "y", "none of its 8 rows.*at least one"),
    "y with one dimension": ({"y": TIME}, "y", "1 dimension.*structured array"),
    "y with four columns": ({"y": np.ones((N, 4))}, "y", "4 column"),
    "y a list of rows": ({"y": [[1.0, 1]] * N}, "y", "8 column"),
    "y None": ({"y": None}, "y", "0 dimension"),
    "entry after time": ({"entry": with_value(ENTRY, 6, 9)}, "entry", "row 6 .9 >= 8"),
    "entry at time": ({"entry": with_value(ENTRY, 1, 1)}, "entry", "1 row"),
    "entry NaN": ({"entry": with_value(ENTRY, 6, np.nan)}, "entry", "row 6"),
    "entry and start": ({"y": (ENTRY, TIME, EVENT), "entry": ENTRY}, "entry", "start times as"),
    "weights negative": ({"weights": with_value(TIME, 2, -1)}, "weights", "row 2.*positive"),
    "weights zero": ({"weights": with_value(TIME, 0, 0)}, "weights", "row 0.*drop rows"),
    "weights Inf": ({"weights": with_value(TIME, 0, np.inf)}, "weights", "row 0"),
    "weights too short": ({"weights": TIME[1:]}, "weights", "7 values for 8"),
    "weights of text": ({"weights": ["a"] * N}, "weights", "not numbers"),
    "offset NaN": ({"offset": with_value(TIME, 7, np.nan)}, "offset", "row 7"),
    "offset huge": ({"offset": with_value(TIME, 7, 800)}, "offset", "row 7.*not finite"),
    "offset of two columns": ({"offset": X}, "offset", "2 dimensions"),
    "strata too short": ({"strata": ["a"] * 3}, "strata", r"\(3,\) for 8 rows"),
    "strata NaN": ({"strata": with_value(TIME, 5, np.nan)}, "strata", "1 row.*row 5"),
    "strata None": ({"strata": ["a", None] * 4}, "strata", "4 row.*row 1"),
    "strata pandas.NA": ({"strata": pd.array([1, None] * 4, dtype="Int64")}, "strata", "row 1"),
    "strata without columns": ({"strata": pd.DataFrame(index=range(N))}, "strata", "no columns"),
}


@pytest.mark.parametrize("case", BAD_ROWS)
def test_bad_rows(case):
    changes, argument, finding = BAD_ROWS[case]
    model = CoxPH(device="cpu")
    with pytest.raises(InvalidArgumentError, match=rf"(?s)^`{argument}`: .*{finding}") as caught:
        model.fit(**{"X": X, "y": (TIME, EVENT), **changes})
    assert caught.value.remedy
    assert not hasattr(model, "coef_")


BAD_PARAMETERS = {
    "ties": ("exact", "'exact'.*efron"),
    "iter_max": (-1, "integer >= 0"),
    "eps": (0, "number > 0"),
    "toler_chol": (np.nan, "number > 0"),
    "timefix": ("yes", "True or False"),
    "nocenter": ("abc", "not numbers"),
    "init": ([1.0], "1 values for 2 covariates"),
    "device": ("gpu", 'no device "gpu"'),
}


@pytest.mark.parametrize("name", BAD_PARAMETERS)
def test_bad_parameters(name):
    value, finding = BAD_PARAMETERS[name]
    with pytest.raises(InvalidArgumentError, match=rf"^`{name}`: .*{finding}"):
        CoxPH(**{"device": "cpu", name: value}).fit(X, (TIME, EVENT))


@pytest.mark.parametrize(("name", "value"), [("iter_max", 2.5), ("iter_max", True), ("eps", "1")])
def test_parameters_of_a_wrong_type(name, value):
    with pytest.raises(InvalidArgumentError, match=f"^`{name}`"):
        CoxPH(**{name: value}).fit(X, (TIME, EVENT))


def test_initial_values_that_overflow():
    with pytest.raises(InvalidArgumentError, match=r"`init`: .*overflow"):
        CoxPH(device="cpu", init=[0.0, 1e3]).fit(X, (TIME, EVENT))


@pytest.mark.parametrize("device", ["mps", "cuda:99"])
def test_a_device_that_cannot_be_had(device):
    with pytest.raises(DeviceUnavailableError, match=r"^`device`: "):
        CoxPH(device=device).fit(X, (TIME, EVENT))


def test_frame_columns_that_are_no_numbers():
    frame = pd.DataFrame({"age": TIME, "arm": pd.Categorical(list("abababab"))})
    with pytest.raises(InvalidArgumentError, match=r"X\['arm'\].*categories.*formula"):
        CoxPH(device="cpu").fit(frame, (TIME, EVENT))
    with pytest.raises(
        InvalidArgumentError, match=r"X\['arm'\].*'a', which is not a number.*formula"
    ):
        CoxPH(device="cpu").fit(frame.assign(arm="a"), (TIME, EVENT))
    with pytest.raises(InvalidArgumentError, match="two columns"):
        CoxPH(device="cpu").fit(pd.concat([frame[["age"]]] * 2, axis=1), (TIME, EVENT))


def test_a_missing_value_in_a_frame_names_the_column():
    frame = pd.DataFrame({"age": TIME, "n": pd.array([1, 2, None, 4, 5, 6, 7, 8], dtype="Int64")})
    with pytest.raises(InvalidArgumentError, match=r"X\['n'\].*row 2"):
        CoxPH(device="cpu").fit(frame, (TIME, EVENT))


def test_structured_arrays_need_one_event_and_one_time():
    y = np.zeros(N, dtype=[("event", "?"), ("time", "f8"), ("more", "f8")])
    with pytest.raises(InvalidArgumentError, match=r"`y`: its fields are"):
        CoxPH(device="cpu").fit(X, y)


def test_a_failing_fit_forgets_the_one_before():
    model = CoxPH(device="cpu").fit(X, (TIME, EVENT))
    with pytest.raises(InvalidArgumentError):
        model.fit(X, (TIME, EVENT), weights=-TIME)
    assert not [name for name in vars(model) if name.endswith("_")]
    with pytest.raises(errors.NotFittedError, match="Call fit"):
        model.predict(X)


def test_numbers_in_object_arrays_are_accepted():
    mixed = np.array([[1, True], [2.5, np.bool_(False)]], dtype=object)
    assert as_float_matrix("X", mixed).tolist() == [[1.0, 1.0], [2.5, 0.0]]
    assert as_float_vector("w", np.arange(3, dtype=">f8")).dtype.isnative


def test_labels_of_mixed_types_are_numbered_as_they_appear():
    assert as_codes("strata", np.array(["b", 1, "b", 2.5], dtype=object), 4).tolist() == [
        0,
        1,
        0,
        2,
    ]
    assert as_codes("strata", ["b", "a", "b"], 3).tolist() == [1, 0, 1]


@pytest.mark.parametrize("kind", ["InvalidArgumentError", "MissingTorchError", "NotFittedError"])
def test_errors_survive_a_pickle(kind):
    error = getattr(errors, kind)("X", "it is empty.", "Give rows.")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert again.parts() == error.parts()
    assert str(again) == "`X`: it is empty. Give rows."
