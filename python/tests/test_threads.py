"""Threads: one for small problems, and none that a fork has lost."""

import sys

import pytest
import torch
from fresh_python import run_python

from survivalgpu.device import resolve_device
from survivalgpu.errors import DeviceUnavailableError
from survivalgpu.threads import threads_for

# A fork in C, as R's parallel package makes it. A process that waits for lost threads is
# ended by its alarm, with another status than the 0 of the one that agrees.
FORKED = """
import ctypes, os, signal
import numpy as np, torch
from survivalgpu.api import fit_cox

torch.set_num_threads(3)
rng = np.random.default_rng(1)
n = 140_000
x = rng.normal(size=(n, 1))
y = np.column_stack([rng.integers(1, 50, n).astype(float), rng.integers(0, 2, n).astype(float)])

def fit():
    torch.ones(2_000_000).exp().sum()
    result = fit_cox(x, y, None, None, None, None, "efron", "cpu", 20, 1e-9, 1e-12,
                     np.zeros(1, bool), True)
    assert result.pop("ok")
    return {name: np.asarray(value) for name, value in result.items() if value is not None}

before = fit()
child = ctypes.CDLL(None).fork()
if child == 0:
    signal.alarm(60)
    after = {}
    try:
        from survivalgpu.threads import spare_lost_threads
        spare_lost_threads()
        after = fit()
    finally:
        # PyTorch's own sums depend on the number of threads in their last digits
        same = after.keys() == before.keys() and all(
            np.allclose(after[name], before[name], rtol=1e-11, atol=1e-11) for name in before
        )
        os._exit(0 if same and torch.get_num_threads() == 1 else 1)
print(os.waitpid(child, 0)[1], torch.get_num_threads())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="forks as Linux does")
def test_a_fork_computes_what_its_parent_does():
    assert run_python(FORKED).split() == ["0", "3"]


def test_small_problems_take_one_thread_and_large_ones_the_users():
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        with threads_for(100):
            assert torch.get_num_threads() == 1
        with threads_for(1 << 20):
            assert torch.get_num_threads() == 3
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


def test_cuda_is_not_taken_where_a_fork_has_lost_it(monkeypatch):
    monkeypatch.setattr(torch.cuda, "_is_in_bad_fork", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: pytest.fail("asked CUDA"))
    assert resolve_device("auto") == torch.device("cpu")
    assert resolve_device("cpu") == torch.device("cpu")
    with pytest.raises(DeviceUnavailableError, match="forked") as raised:
        resolve_device("cuda:1")
    assert "makeCluster" in str(raised.value)
