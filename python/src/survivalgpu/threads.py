"""How many CPU threads a problem is worth."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

# Below this, waiting for a second thread costs more than it computes, and on a shared
# machine, where that thread may not run at once, many times more.
_WORTH_SHARING = 1 << 17

_LOADED_IN = os.getpid()


def spare_lost_threads() -> None:
    """Use one thread in a process forked from the one that loaded this module.

    A fork has PyTorch's pool of threads without the threads, and would wait for them for
    ever. R's parallel package forks in C, where :func:`os.register_at_fork` does not see it.
    """
    if os.getpid() != _LOADED_IN and torch.get_num_threads() > 1:
        torch.set_num_threads(1)


@contextmanager
def threads_for(n_elements: int) -> Iterator[None]:
    """Use one thread for small problems and leave the user's setting to large ones.

    Parameters
    ----------
    n_elements : int
        Size of the largest array of the problem.
    """
    spare_lost_threads()
    before = torch.get_num_threads()
    if n_elements >= _WORTH_SHARING or before == 1:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
