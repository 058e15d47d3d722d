"""Every public name says what it takes, what it returns, and where it comes from."""

import inspect
import itertools
import re

import pytest

import survivalgpu
from survivalgpu.inference import ChiSquareTest
from survivalgpu.summary import CoxSummary

YEAR = re.compile(r"\((19|20)\d\d\)")
FORMULA = re.compile(r"``[^`]*[-+*/^(][^`]*``")
RETURNED = [CoxSummary, ChiSquareTest]
# What computes a statistic gives its formula or its source.
STATISTICS = ["CoxPH", "CoxPH.confint", "CoxPH.predict", "CoxPH.summary", "fit_coxph"]


def public_objects():
    """Exported names and the public methods written here, inherited ones once."""
    exported = [getattr(survivalgpu, name) for name in survivalgpu.__all__ if name[0] != "_"]
    for value in [*exported, *RETURNED]:
        yield value.__name__, value
        for name, member in inspect.getmembers(value, inspect.isroutine):
            ours = str(getattr(member, "__module__", "")).startswith("survivalgpu")
            if inspect.isclass(value) and ours and not name.startswith("_"):
                yield member.__qualname__, member


OBJECTS = dict(public_objects())


def sections(doc):
    lines = doc.splitlines()
    return {a for a, b in itertools.pairwise(lines) if b and set(b) == {"-"}}


@pytest.mark.parametrize("name", OBJECTS)
def test_docstring(name):
    value = OBJECTS[name]
    doc = inspect.getdoc(value)
    assert doc, f"{name} has no docstring"
    assert doc.splitlines()[0].rstrip().endswith((".", ":")), f"{name}: {doc.splitlines()[0]}"
    found = sections(doc)
    if inspect.isclass(value):
        assert issubclass(value, Exception) or found & {"Parameters", "Attributes"}
        return
    signature = inspect.signature(value)
    if set(signature.parameters) - {"self", "cls"}:
        assert "Parameters" in found
    if signature.return_annotation not in (None, "None"):
        assert "Returns" in found


@pytest.mark.parametrize("name", STATISTICS)
def test_statistics_have_a_source(name):
    doc = inspect.getdoc(OBJECTS[name])
    assert YEAR.search(doc) or FORMULA.search(doc)


def takes_its_own(value):
    is_error = inspect.isclass(value) and issubclass(value, Exception)
    return not is_error or "__init__" in vars(value)


@pytest.mark.parametrize("name", [name for name, value in OBJECTS.items() if takes_its_own(value)])
def test_every_parameter_is_described(name):
    value = OBJECTS[name]
    doc = inspect.getdoc(value)
    for parameter in inspect.signature(value).parameters:
        if parameter not in ("self", "args", "kwargs"):
            assert re.search(rf"^[^\n]*\b{parameter}\b[^\n]*( : |$)", doc, re.MULTILINE)
