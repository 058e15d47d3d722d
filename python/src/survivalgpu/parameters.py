"""Parameters of an estimator in scikit-learn's manner, without depending on it."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from survivalgpu.errors import InvalidArgumentError

if TYPE_CHECKING:
    from typing_extensions import Self


class Parameters:
    """Base of estimators whose constructor only stores keyword parameters.

    Its methods are what scikit-learn's ``clone``, pipelines and searches ask for.
    """

    @classmethod
    def _defaults(cls) -> dict[str, Any]:
        parameters = inspect.signature(cls.__init__).parameters
        return {name: p.default for name, p in parameters.items() if name != "self"}

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters, as scikit-learn's tools ask for them.

        Parameters
        ----------
        deep : bool
            Of no effect: no parameter is an estimator.

        Returns
        -------
        dict
        """
        return {name: getattr(self, name) for name in self._defaults()}

    def set_params(self, **params: Any) -> Self:
        """Set parameters by name; they take effect at the next fit.

        Parameters
        ----------
        **params
            As for the constructor.

        Returns
        -------
        estimator
            Itself.

        Raises
        ------
        InvalidArgumentError
            There is no parameter of that name.
        """
        for name in params:
            if name not in self._defaults():
                raise InvalidArgumentError(
                    name,
                    f"{type(self).__name__} has no such parameter.",
                    f"It has {', '.join(self._defaults())}.",
                )
        for name, value in params.items():
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        given = {
            name: getattr(self, name)
            for name, default in self._defaults().items()
            if repr(getattr(self, name)) != repr(default)
        }
        listed = ", ".join(f"{name}={value!r}" for name, value in given.items())
        return f"{type(self).__name__}({listed})"

    def __sklearn_tags__(self) -> Any:
        """Answer scikit-learn (1.6 and later), which asks this of the steps of a pipeline."""
        from sklearn.utils import InputTags, Tags, TargetTags

        return Tags(
            estimator_type=None,
            target_tags=TargetTags(required=True),
            input_tags=InputTags(),
        )

    def _forget(self) -> None:
        """Drop the results of an earlier fit, so that a failing one leaves none."""
        results = [name for name in vars(self) if name.endswith("_")]
        for name in results:
            delattr(self, name)
