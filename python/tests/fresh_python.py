"""Code in a Python of its own, for what depends on what is already imported."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import survivalgpu

SOURCE = Path(survivalgpu.__file__).parents[1]


def run_python(code: str) -> str:
    """What the code prints; a warning or an error in it fails the test."""
    path = os.pathsep.join([str(SOURCE), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
