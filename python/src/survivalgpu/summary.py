"""The table of a fitted Cox model, as text and as a DataFrame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from survivalgpu.dependencies import require
from survivalgpu.inference import ChiSquareTest

_SIGNIFICANT = 5
_SMALLEST_P = 2.2e-16


@dataclass(frozen=True, repr=False)
class CoxSummary:
    """Coefficients, intervals and tests of a fitted model; prints as a table.

    Attributes
    ----------
    ties : str
        Treatment of tied event times.
    names : tuple of str
        ``(p,)`` covariates.
    n, n_events, n_missing : int
        Rows used, events among them, and rows left out for missing values.
    coef, se, z, p : ndarray
        ``(p,)`` log hazard ratios, their standard errors, ``coef / se``, and the
        two-sided normal tail; NaN for redundant covariates.
    lower, upper : ndarray
        ``(p,)`` confidence limits of the hazard ratio ``exp(coef)``.
    level : float
        Confidence level.
    loglik : ndarray
        ``(2,)`` at the initial values and at the end.
    tests : tuple of ChiSquareTest
        Likelihood ratio, Wald and score test; empty without covariates.
    """

    ties: str
    names: tuple[str, ...]
    n: int
    n_events: int
    n_missing: int
    coef: np.ndarray
    se: np.ndarray
    z: np.ndarray
    p: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    level: float
    loglik: np.ndarray
    tests: tuple[ChiSquareTest, ...]

    def as_frame(self) -> Any:
        """Return the coefficients' table as a pandas DataFrame.

        Returns
        -------
        DataFrame
            One row per covariate: ``coef``, ``exp(coef)``, ``se(coef)``, ``z``, ``p``, and
            the limits of ``exp(coef)``.

        Raises
        ------
        MissingDependencyError
            pandas is not installed.
        """
        pandas = require("pandas", "as_frame()", "survivalgpu[dataframe]")
        columns = {
            "coef": self.coef,
            "exp(coef)": np.exp(self.coef),
            "se(coef)": self.se,
            "z": self.z,
            "p": self.p,
            f"exp(coef) lower {self.level:g}": self.lower,
            f"exp(coef) upper {self.level:g}": self.upper,
        }
        return pandas.DataFrame(columns, index=pandas.Index(self.names, name="covariate"))

    def __str__(self) -> str:
        lines = [f"Cox proportional hazards model, {self.ties} ties"]
        lines.append(f"  n = {self.n}, number of events = {self.n_events}")
        if self.n_missing:
            rows = "row" if self.n_missing == 1 else "rows"
            lines.append(f"  ({self.n_missing} {rows} left out for missing values)")
        if not self.names:
            return "\n".join([*lines, f"  null model, log-likelihood = {self.loglik[1]:.4f}"])
        risk = np.exp(self.coef)
        lines += ["", *self._table()]
        limits = {
            "exp(coef)": _numbers(risk),
            "exp(-coef)": _numbers(1 / risk),
            f"lower {self.level:g}": _numbers(self.lower),
            f"upper {self.level:g}": _numbers(self.upper),
        }
        lines += ["", *_lay_out(self.names, limits), ""]
        width = max(len(test.name) for test in self.tests)
        lines += [
            f"{test.name:<{width}} = {test.statistic:.2f} on {test.df} df, p {_p(test.p_value)}"
            for test in self.tests
        ]
        return "\n".join(lines)

    __repr__ = __str__

    def _table(self) -> list[str]:
        columns = {
            "coef": _numbers(self.coef),
            "exp(coef)": _numbers(np.exp(self.coef)),
            "se(coef)": _numbers(self.se),
            "z": ["NaN" if np.isnan(z) else f"{z:.3f}" for z in self.z],
            "p": ["NaN" if np.isnan(p) else _p(p).removeprefix("= ") for p in self.p],
        }
        return _lay_out(self.names, columns)


def _lay_out(names: tuple[str, ...], columns: dict[str, list[str]]) -> list[str]:
    """Lines of a table: names to the left, columns to the right."""
    first = max(len(name) for name in names)
    widths = {head: max(len(head), *map(len, cells)) for head, cells in columns.items()}
    lines = [" " * first + "".join(f"  {head:>{widths[head]}}" for head in columns)]
    for i, name in enumerate(names):
        cells = "".join(f"  {cells[i]:>{widths[head]}}" for head, cells in columns.items())
        lines.append(f"{name:<{first}}{cells}")
    return lines


def _numbers(values: np.ndarray) -> list[str]:
    """Format a column with equal decimals, by exponents where they would not do."""
    size = np.abs(values[np.isfinite(values) & (values != 0)])
    small, large = np.floor(np.log10([size.min(), size.max()])) if size.size else (0, 0)
    decimals = int(_SIGNIFICANT - 1 - small)
    if large > _SIGNIFICANT + 1 or decimals > 2 * _SIGNIFICANT:
        return ["NaN" if np.isnan(v) else f"{v:.{_SIGNIFICANT - 1}e}" for v in values]
    return ["NaN" if np.isnan(v) else f"{v:.{max(decimals, 0)}f}" for v in values]


def _p(value: float) -> str:
    return f"< {_SMALLEST_P:g}" if value < _SMALLEST_P else f"= {value:.3g}"
