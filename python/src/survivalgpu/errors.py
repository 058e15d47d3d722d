"""Errors that name the argument, what was found and what to do.

Every error this package raises on purpose is a :class:`SurvivalGPUError`. Its
three parts stay separate so that the R front end can word its own message.
"""

from __future__ import annotations


class SurvivalGPUError(ValueError):
    """Base of all errors raised on purpose by survivalgpu.

    Parameters
    ----------
    argument : str
        Name of the argument at fault, as the user wrote it.
    found : str
        What was found there.
    remedy : str
        What to do about it.
    """

    kind = "error"

    def __init__(self, argument: str, found: str, remedy: str) -> None:
        super().__init__(f"`{argument}`: {found} {remedy}".strip())
        self.argument = argument
        self.found = found
        self.remedy = remedy

    def __reduce__(self) -> tuple[type, tuple[str, str, str]]:
        # an exception pickles by its one message, too few arguments for this constructor
        return type(self), (self.argument, self.found, self.remedy)

    def parts(self) -> dict[str, str]:
        """Return the error as plain strings, the form that crosses to R.

        Returns
        -------
        dict
            ``type``, ``argument``, ``found`` and ``remedy``.
        """
        return {
            "type": self.kind,
            "argument": self.argument,
            "found": self.found,
            "remedy": self.remedy,
        }


class InvalidArgumentError(SurvivalGPUError):
    """An argument has a wrong type, shape or value."""

    kind = "invalid_argument"


class DeviceUnavailableError(SurvivalGPUError):
    """The device asked for is not on this machine, or cannot compute in float64."""

    kind = "device_unavailable"


class MissingDependencyError(SurvivalGPUError, ImportError):
    """A Python package that this feature needs is not installed."""

    kind = "missing_dependency"


class MissingTorchError(MissingDependencyError):
    """PyTorch is not installed for this Python, or could not be loaded."""

    kind = "missing_torch"


class NotFittedError(SurvivalGPUError, AttributeError):
    """A result was asked of an estimator before ``fit``."""

    kind = "not_fitted"


class NumericalError(SurvivalGPUError, ArithmeticError):
    """The fit left the range of floating point numbers; there is no result."""

    kind = "numerical"


class ConvergenceWarning(UserWarning):
    """The fit ran out of iterations, or a coefficient may be infinite."""
