"""Shared fixtures: R with its survival package, and the devices to compute on."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from typing import Any

import hypothesis
import numpy as np
import pandas as pd
import pytest
import torch

# how long an example takes says more about the machine's load than about the code
hypothesis.settings.register_profile("no deadline", deadline=None)
hypothesis.settings.load_profile("no deadline")


class RSession:
    """R through rpy2, with its survival package attached: NumPy in, NumPy out."""

    def __init__(self, robjects: Any) -> None:
        self._ro = robjects
        self._ro.r("suppressPackageStartupMessages(library(survival))")

    def __call__(self, code: str, **variables: Any) -> Any:
        """Evaluate R code in a fresh environment that holds ``variables``.

        Arrays, DataFrames, strings, numbers and None cross over. An R list comes back
        as a dict, a matrix as a 2-D array, a vector as a 1-D array (logical NA as NaN),
        NULL as None.
        """
        scope = self._ro.r("new.env()")
        for name, value in variables.items():
            scope[name] = self._to_r(value)
        evaluate = self._ro.r("function(code, scope) eval(parse(text = code), scope)")
        return self._from_r(evaluate(code, scope))

    def frame(self, name: str) -> pd.DataFrame:
        """One of survival's data sets; factors become categories, NA becomes NaN."""
        frame = self._ro.r(f"as.data.frame(survival::{name})")
        return pd.DataFrame({n: self._column(c) for n, c in zip(frame.names, frame, strict=True)})

    def _to_r(self, value: Any) -> Any:
        ro = self._ro
        if value is None:
            return ro.NULL
        if isinstance(value, pd.DataFrame):
            columns = {str(name): self._to_r(value[name].to_numpy()) for name in value.columns}
            return ro.r("function(l) as.data.frame(l, check.names = FALSE)")(ro.ListVector(columns))
        array = np.asarray(value)
        values = array.ravel(order="F").tolist()
        kinds = {"f": ro.FloatVector, "i": ro.IntVector, "u": ro.IntVector, "b": ro.BoolVector}
        if array.dtype.kind in kinds:
            vector = kinds[array.dtype.kind](values)
        else:
            vector = ro.StrVector([ro.NA_Character if pd.isna(v) else str(v) for v in values])
        if array.ndim < 2:
            return vector
        return ro.r("function(v, n) matrix(v, n)")(vector, array.shape[0])

    def _from_r(self, value: Any) -> Any:
        ro = self._ro
        if value is ro.NULL:
            return None
        if isinstance(value, ro.ListVector):
            items = [self._from_r(v) for v in value]
            named = value.names is not ro.NULL
            return dict(zip(value.names, items, strict=True)) if named else items
        if isinstance(value, ro.StrVector):
            return np.array(list(value), dtype=object)
        array = np.array([np.nan if self._is_na(v) else v for v in value])
        dim = value.do_slot("dim") if "dim" in value.list_attrs() else None
        return array if dim is None else array.reshape(tuple(dim), order="F")

    def _column(self, column: Any) -> Any:
        values = [np.nan if self._is_na(v) else v for v in column]
        levels = self._ro.r("levels")(column)
        if levels is self._ro.NULL:
            return values
        labels = list(levels)
        known = [None if v != v else labels[int(v) - 1] for v in values]
        return pd.Categorical(known, categories=labels)

    def _is_na(self, value: Any) -> bool:
        ro = self._ro
        return any(value is na for na in (ro.NA_Integer, ro.NA_Logical, ro.NA_Character))


@pytest.fixture(scope="session")
def r() -> Callable[..., Any]:
    """R's survival; without it a skip, but a failure where R is required."""
    required = os.environ.get("CI") or os.environ.get("SURVIVALGPU_TESTS_REQUIRE_R")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import rpy2.robjects as robjects

            return RSession(robjects)
    except Exception as error:  # rpy2 absent, R absent, or survival absent
        message = f"R with its survival package cannot be reached through rpy2: {error!r}"
        if required:
            pytest.fail(message)
        pytest.skip(message)


@pytest.fixture(params=["cpu", "cuda"])
def device(request: pytest.FixtureRequest) -> str:
    """Every device; CUDA is left out only where torch finds none."""
    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("torch finds no CUDA device")
    return request.param


@pytest.fixture
def small() -> tuple[Any, ...]:
    """Tied, stratified, weighted rows with an offset: (X, entry, time, event, rest)."""
    rng = np.random.default_rng(11)
    n = 90
    X = np.column_stack([rng.normal(60, 9, n), rng.integers(0, 2, n), rng.normal(size=n)])
    entry = rng.integers(0, 6, n).astype(float)
    time = entry + rng.integers(1, 12, n)
    event = rng.random(n) < 0.6
    rest = {
        "strata": rng.choice(["a", "b", "c"], n),
        "weights": rng.uniform(0.5, 3, n),
        "offset": rng.normal(1.0, 0.3, n),
    }
    return X, entry, time, event, rest
