"""One Python engine in a process of its own; the twin of worker.R, with the same commands.

``python worker.py ADAPTER REPLIES`` reads commands, a line of JSON each, from its standard input
and appends one line of JSON to REPLIES for each.
"""

from __future__ import annotations

import contextlib
import gc
import importlib.util
import json
import math
import os
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from problem import Problem


def load_adapter(path: str) -> ModuleType:
    """Import the module at ``path``."""
    spec = importlib.util.spec_from_file_location("adapter", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def status_mib(field: str) -> float:
    """Read a line of /proc/self/status; NaN where the system has none."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return math.nan
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(field + ":"))


def start_peak() -> float:
    """Set the peak back to what is held now, and return that."""
    # not writable in some containers; the peak is then that of the whole process so far
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return status_mib("VmRSS")


def collect_garbage() -> None:
    """Collect it, unless nothing is measured."""
    if not os.environ.get("QUICK"):
        gc.collect()


class Worker:
    """Answers commands with the one adapter it has."""

    def __init__(self, adapter: ModuleType) -> None:
        self.adapter = adapter
        self.call = None

    def describe(self, command: dict[str, Any]) -> dict[str, Any]:
        return {"version": self.adapter.version(), "threads": self.adapter.threads()}

    def cannot(self, command: dict[str, Any]) -> dict[str, Any]:
        return {"reason": self.adapter.cannot(command["case"])}

    def first(self, command: dict[str, Any]) -> dict[str, Any]:
        """Make the first call at full size: its memory and its numbers."""
        self.call = None
        self.call = self.adapter.prepare(command["case"], Problem.read(command["problem"]))
        collect_garbage()
        before = start_peak()
        seconds, value = self.timed()
        peak = status_mib("VmHWM")
        folder = Path(command["outcome"])
        folder.mkdir(parents=True, exist_ok=True)
        for name, numbers in self.adapter.outcome(command["case"]["task"], value).items():
            np.asarray(numbers, dtype="<f8").ravel().tofile(folder / f"{name}.f64")
        return {
            "seconds": seconds,
            "before_mib": None if math.isnan(before) else before,
            "peak_mib": None if math.isnan(peak) else peak,
        }

    def time(self, command: dict[str, Any]) -> dict[str, Any]:
        collect_garbage()
        return {"seconds": [self.timed()[0] for _ in range(command["times"])]}

    def forget(self, command: dict[str, Any]) -> dict[str, Any]:
        self.call = None
        collect_garbage()
        return {}

    def timed(self) -> tuple[float, Any]:
        begin = time.perf_counter()
        value = self.call()
        return time.perf_counter() - begin, value


def main() -> None:
    adapter_path, replies_path = sys.argv[1:]
    with open(replies_path, "a") as replies:

        def reply(**content: Any) -> None:
            print(json.dumps(content), file=replies, flush=True)

        try:
            adapter = load_adapter(adapter_path)
        except Exception as error:
            reply(ok=False, error=f"{type(error).__name__}: {error}")
            return
        worker = Worker(adapter)
        reply(ok=True, pid=os.getpid(), tolerance=adapter.TOLERANCE)
        for line in sys.stdin:
            command = json.loads(line)
            try:
                reply(ok=True, **getattr(worker, command["do"])(command))
            except Exception as error:  # whatever a competitor raises is reported in the table
                reply(ok=False, error=f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
