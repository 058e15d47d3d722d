"""R-like formulas: ``Surv(start, stop, event) ~ age + C(arm) + strata(center)``.

``Surv()``, ``strata()`` and ``offset()`` are taken apart here; the other terms go to the
formulaic package, which codes factors by treatment contrasts: the first level is the
reference and has no column. As in ``survival::coxph`` there is never an intercept
column, and factors are coded as if there were one, whether or not the formula says
``- 1``. Expressions are Python's (``x**2``, ``status == 2``); they see the columns of the
data, formulaic's transforms (``log``, ``bs``, ``poly``, ...), NumPy as ``np``, and the names
given as context. A column whose name is no Python name is quoted by backticks.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from survivalgpu.errors import InvalidArgumentError

_RESPONSE = "Write Surv(time, event) ~ terms or Surv(start, stop, event) ~ terms."
_TOP_LEVEL = "strata() and offset() can only be added to the other terms by +."
_OPENING, _CLOSING, _QUOTES = "([{", ")]}", "`'\""
_ADDEND = re.compile(r"(strata|offset)\s*\(")
_SPECIAL = re.compile(r"\b(strata|offset)\s*\(")
_ELSEWHERE = re.compile(r"\b(cluster|frailty|pspline|ridge|tt)\s*\(")
_CONSTANTS = ("0", "1")


@dataclass(frozen=True)
class ParsedFormula:
    """A formula taken apart; every part is an expression still to be evaluated.

    Attributes
    ----------
    response : tuple of str
        Arguments of ``Surv()``: (time, event) or (start, stop, event).
    terms : str
        The covariates' terms, each with its sign; empty for a model without covariates.
    strata : tuple of str
        Arguments of all ``strata()`` terms.
    offsets : tuple of str
        Arguments of all ``offset()`` terms, to be added up.
    """

    response: tuple[str, ...]
    terms: str
    strata: tuple[str, ...]
    offsets: tuple[str, ...]


def parse_formula(formula: str) -> ParsedFormula:
    """Take a formula apart.

    Parameters
    ----------
    formula : str
        ``Surv(...) ~ terms``.

    Raises
    ------
    InvalidArgumentError
        It is not of that form, or has a term that is not supported.
    """
    if not isinstance(formula, str):
        raise InvalidArgumentError("formula", f"it is of type {type(formula).__name__}.", _RESPONSE)
    sides = [text for _, text in _split(formula, "~")]
    if len(sides) != 2:
        raise InvalidArgumentError("formula", f"it has {len(sides) - 1} `~`.", _RESPONSE)
    found = _ELSEWHERE.search(_blank_quoted(sides[1]))
    if found:
        raise InvalidArgumentError(
            "formula", f"{found[1]}() is not supported here.", "Leave this term out."
        )
    terms, strata, offsets = "", [], []
    for sign, addend in _split(sides[1], "+-"):
        if sign == "+" and _ADDEND.match(addend) and _is_one_call(addend):
            name, arguments = _call(addend)
            if not arguments:
                raise InvalidArgumentError("formula", f"{name}() is empty.", "Name a column.")
            (strata if name == "strata" else offsets).extend(arguments)
        elif _SPECIAL.search(_blank_quoted(addend)):
            raise InvalidArgumentError("formula", f"`{sign} {addend}` has no meaning.", _TOP_LEVEL)
        elif not addend:
            raise InvalidArgumentError("formula", "its right side is incomplete.", _RESPONSE)
        elif addend not in _CONSTANTS:
            terms += f" {sign} {addend}"
    return ParsedFormula(
        response=_response(sides[0]),
        terms=terms,
        strata=tuple(strata),
        offsets=tuple(offsets),
    )


def _response(text: str) -> tuple[str, ...]:
    if not re.match(r"Surv\s*\(", text):
        raise InvalidArgumentError("formula", f"its left side is `{text}`.", _RESPONSE)
    _, arguments = _call(text)
    if len(arguments) not in (2, 3):
        raise InvalidArgumentError(
            "formula", f"Surv() has {len(arguments)} argument(s).", _RESPONSE
        )
    return tuple(arguments)


def _split(text: str, separators: str) -> list[tuple[str, str]]:
    """Split at separators outside brackets and quotes into (separator before, part)."""
    parts, sign, part, depth, quote = [], "+", "", 0, ""
    for character in text:
        if quote:
            quote = "" if character == quote else quote
        elif character in _QUOTES:
            quote = character
        elif character in _OPENING:
            depth += 1
        elif character in _CLOSING:
            depth -= 1
        elif depth == 0 and character in separators:
            if part.strip() or character == "~":
                parts.append((sign, part.strip()))
            sign, part = character, ""
            continue
        part += character
    if depth or quote:
        raise InvalidArgumentError(
            "formula", f"`{text.strip()}` has an open bracket or quote.", "Close it."
        )
    return [*parts, (sign, part.strip())]


def _is_one_call(text: str) -> bool:
    """Whether the first bracket of the text is closed by its last character."""
    depth, plain = 0, _blank_quoted(text)
    for place, character in enumerate(plain):
        depth += (character in _OPENING) - (character in _CLOSING)
        if depth == 0 and character in _CLOSING:
            return place == len(plain) - 1
    return False


def _blank_quoted(text: str) -> str:
    """The text without what stands in quotes, where nothing is a call."""
    return re.sub(r"`[^`]*`|'[^']*'|\"[^\"]*\"", "q", text)


def _quote_names(text: str) -> tuple[str, dict[str, str]]:
    """Replace names in backticks by Python names; also return which stands for which."""
    names: dict[str, str] = {}

    def replace(match: re.Match[str]) -> str:
        stand_in = f"_quoted_{len(names)}"
        names[stand_in] = match[1]
        return stand_in

    return re.sub(r"`([^`]+)`", replace, text), names


def _call(text: str) -> tuple[str, list[str]]:
    """Name and arguments, as text, of a call such as ``strata(a, b)``."""
    code, names = _quote_names(text)
    try:
        tree = ast.parse(code, mode="eval").body
    except SyntaxError as error:
        raise InvalidArgumentError(
            "formula", f"`{text}` is not a Python expression ({error.msg}).", "Correct it."
        ) from None
    if not isinstance(tree, ast.Call) or not isinstance(tree.func, ast.Name) or tree.keywords:
        raise InvalidArgumentError(
            "formula", f"`{text}` is not a call with plain arguments.", _TOP_LEVEL
        )
    arguments = [ast.unparse(argument) for argument in tree.args]
    for stand_in, name in names.items():
        arguments = [a.replace(stand_in, f"`{name}`") for a in arguments]
    return tree.func.id, arguments


def variable_names(expression: str) -> set[str]:
    """Names that an expression uses, those in backticks included."""
    code, quoted = _quote_names(expression)
    nodes = ast.walk(ast.parse(code, mode="eval"))
    return {quoted.get(node.id, node.id) for node in nodes if isinstance(node, ast.Name)}


def evaluate(
    expression: str, data: Any, names: Mapping[str, Any], argument: str = "formula"
) -> Any:
    """Evaluate an expression of columns.

    Parameters
    ----------
    expression : str
        A Python expression, column names in backticks where needed.
    data : DataFrame
        ``n`` rows.
    names : mapping
        Functions and values an expression may use.
    argument : str
        The argument's name for messages.

    Returns
    -------
    array or Series
        ``(n,)``.

    Raises
    ------
    InvalidArgumentError
        It cannot be evaluated, or is not one value per row.
    """
    code, quoted = _quote_names(expression)
    columns = {str(name): data[name] for name in data.columns}
    scope = {**names, **columns}
    try:
        scope.update({stand_in: columns[name] for stand_in, name in quoted.items()})
        value = eval(compile(code, "<formula>", "eval"), {"__builtins__": {}}, scope)
    except Exception as error:
        raise InvalidArgumentError(
            argument,
            f"`{expression}` cannot be evaluated ({type(error).__name__}: {error}).",
            "Name columns of `data`, in backticks where they are no Python names.",
        ) from error
    shape = getattr(value, "shape", None)
    if shape != (len(data),):
        raise InvalidArgumentError(
            argument,
            f"`{expression}` is not one value for each of the {len(data)} rows.",
            "Name columns of `data`.",
        )
    return value
