"""How far our numbers are from the reference's."""

from __future__ import annotations

from typing import Any

import numpy as np


def relative_difference(ours: Any, theirs: Any) -> float:
    """Largest difference, relative to the largest entry of ``theirs`` or 1e-8 if larger.

    NaN has to be where NaN is.
    """
    ours, theirs = np.asarray(ours, dtype=float), np.asarray(theirs, dtype=float)
    assert ours.shape == theirs.shape
    known = ~np.isnan(theirs)
    np.testing.assert_array_equal(np.isnan(ours), ~known)
    scale = max(1e-8, float(np.abs(theirs[known]).max(initial=0.0)))
    return float(np.abs(ours[known] - theirs[known]).max(initial=0.0)) / scale
