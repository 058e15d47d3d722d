"""Random survival data sets for property tests."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from hypothesis import strategies as st

from survivalgpu.coxph import CoxData
from survivalgpu.fitted_risks import FittedRows


@dataclass(frozen=True)
class Rows:
    """A small data set as NumPy arrays; every optional part filled in."""

    x: np.ndarray
    start: np.ndarray
    stop: np.ndarray
    event: np.ndarray
    strata: np.ndarray
    weights: np.ndarray
    offset: np.ndarray
    counting: bool

    def data(self, device="cpu", **changes) -> CoxData:
        """The same rows as the package takes them."""
        values = {
            "x": self.x,
            "stop": self.stop,
            "event": self.event,
            "start": self.start if self.counting else None,
            "strata": self.strata,
            "offset": self.offset,
            "weights": self.weights,
            **changes,
        }
        return CoxData(
            **{k: None if v is None else torch.as_tensor(v).to(device) for k, v in values.items()}
        )

    def fitted(self, beta, ties="efron", device="cpu", **changes) -> FittedRows:
        """The rows at ``beta``, as what is computed after a fit takes them."""
        data = self.data(device)
        values = {
            "x": data.x,
            "linear_predictors": data.x @ torch.as_tensor(beta, device=device) + data.offset,
            "stop": data.stop,
            "event": data.event,
            "start": data.start,
            "strata": data.strata,
            "weights": data.weights,
            "ties": ties,
            **changes,
        }
        return FittedRows(**values)

    def arrays(self):
        """Arguments of the reference implementation, in its order."""
        start = self.start if self.counting else np.full_like(self.stop, -np.inf)
        return self.x, start, self.stop, self.event, self.strata, self.weights, self.offset


def make_rows(seed: int, n: int, p: int, n_times: int, n_strata: int, counting: bool) -> Rows:
    """Draw rows with heavy ties in time; at least one event."""
    rng = np.random.default_rng(seed)
    start = rng.integers(0, n_times, n).astype(float)
    stop = start + rng.integers(1, n_times + 1, n) if counting else start + 1.0
    event = rng.random(n) < 0.5
    event[rng.integers(n)] = True
    return Rows(
        x=rng.normal(size=(n, p)),
        start=start,
        stop=stop,
        event=event,
        strata=rng.integers(0, n_strata, n),
        weights=rng.integers(1, 9, n) / 4.0,
        offset=rng.normal(size=n) / 2,
        counting=counting,
    )


@st.composite
def survival_rows(draw, max_rows: int = 40) -> Rows:
    """Right-censored or (start, stop] rows with ties, strata, weights and offset."""
    return make_rows(
        seed=draw(st.integers(0, 2**32 - 1)),
        n=draw(st.integers(1, max_rows)),
        p=draw(st.integers(1, 4)),
        n_times=draw(st.integers(1, 20)),
        n_strata=draw(st.integers(1, 4)),
        counting=draw(st.booleans()),
    )


ties_rules = st.sampled_from(["efron", "breslow"])
