"""Labels of groups as codes 0, 1, 2, ..."""

from __future__ import annotations

import numpy as np


def dense_codes(labels: np.ndarray) -> np.ndarray:
    """``(n,)`` int64 codes of integer labels: ascending with the label, each in use."""
    labels = np.asarray(labels).reshape(-1)
    lowest = int(labels.min())
    span = int(labels.max()) - lowest + 1
    if span > 4 * labels.size + 1024:
        return np.unique(labels, return_inverse=True)[1].astype(np.int64).reshape(-1)
    codes = labels.astype(np.int64) - lowest
    used = np.zeros(span, dtype=bool)
    used[codes] = True
    if used.all():
        return codes
    return (np.cumsum(used) - 1)[codes]
