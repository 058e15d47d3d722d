"""Simulated data as the R side wrote them: a file of doubles per column."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Problem:
    """Columns of ``n`` float64 each, by name, and the names in order."""

    columns: dict[str, np.ndarray]

    @classmethod
    def read(cls, folder: str) -> Problem:
        names = (Path(folder) / "columns").read_text().split()
        return cls({name: np.fromfile(Path(folder) / f"{name}.f64", "<f8") for name in names})

    def __getitem__(self, name: str) -> np.ndarray:
        return self.columns[name]

    @property
    def covariates(self) -> list[str]:
        """Names x1, x2, ... in order."""
        return [name for name in self.columns if name[0] == "x" and name[1:].isdigit()]

    @property
    def x(self) -> np.ndarray:
        """``(n, p)`` covariates, row by row in memory."""
        return np.column_stack([self.columns[name] for name in self.covariates])

    @property
    def event(self) -> np.ndarray:
        """``(n,)`` bool."""
        return self.columns["status"] == 1
