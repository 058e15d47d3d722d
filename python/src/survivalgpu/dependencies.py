"""Packages that a feature needs: loaded when it is used, named when they are missing."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType

from survivalgpu.errors import MissingDependencyError, MissingTorchError


def require_torch() -> ModuleType:
    """Return PyTorch.

    Raises
    ------
    MissingTorchError
        PyTorch is not installed for this Python, or cannot be loaded.
    """
    try:
        return importlib.import_module("torch")
    except (ImportError, OSError) as error:
        raise MissingTorchError(
            "torch",
            f"PyTorch cannot be loaded by {sys.executable} ({error}).",
            "Install it there: pip install torch.",
        ) from error


def require(package: str, purpose: str, install: str) -> ModuleType:
    """Return an optional package, or a module of one.

    Parameters
    ----------
    package : str
        Name to import.
    purpose : str
        What needs it, as the subject of a sentence.
    install : str
        What to give to pip.

    Raises
    ------
    MissingDependencyError
        The package is not installed for this Python.
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        name = package.partition(".")[0]
        raise MissingDependencyError(
            name,
            f"{purpose} needs the Python package {name}, "
            f"which {sys.executable} cannot import ({error}).",
            f"Install it there: pip install {install}",
        ) from error
