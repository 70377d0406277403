"""Constant folding: the few operations that configuration values go through.

Guarantees: results are small plain constants; whatever raises, or could grow, is unknown before it
is tried: the lengths of what goes in bound what an operation may take.
Does not cover: anything that reads the outside world.
"""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable, Iterable
from typing import Any, Final

from audits.facts.values import UNKNOWN

MAX_LENGTH: Final = 100_000  # characters, or entries with what is in them
MAX_DEPTH: Final = 40  # of tuples in tuples: comparing and hashing them recurses
MAX_BITS: Final = 4_096  # of a whole number; products of hashes stay below 200
MAX_WORK: Final = 1_000_000  # characters that a method of a string could make of its arguments
MAX_PLACES: Final = 400  # decimal ones, more than any float has
# A width of five digits, or one that is given: "%*d", "{:>40000}", "{:{}}".
_WIDE: Final = re.compile(r"%[-+ #0-9.]*(?:\*|\d{5})|\{[^{}]*:[^{}]*(?:\d{5}|\{)")

_BINARY: Final[dict[type[ast.operator], Callable[[Any, Any], Any]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
    ast.BitXor: operator.xor,
}
_COMPARE: Final[dict[type[ast.cmpop], Callable[[Any, Any], Any]]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
    ast.In: lambda a, b: a in b,
    ast.NotIn: lambda a, b: a not in b,
}
_FUNCTIONS: Final[dict[str, Callable[..., Any]]] = {
    "int": int,
    "float": float,
    "str": str,
    "bool": bool,
    "len": len,
    "max": max,
    "min": min,
    "abs": abs,
    "round": round,
    "range": range,
    "tuple": tuple,
    "math.log": math.log,
    "numpy.log": math.log,
    "math.log2": math.log2,
    "math.exp": math.exp,
    "math.sqrt": math.sqrt,
    "math.ceil": math.ceil,
    "math.floor": math.floor,
    "format": lambda text, how="": text if isinstance(text, str) and not how else UNKNOWN,
    "os.path.join": lambda *parts: "/".join(parts),
    "pathlib.Path": str,
    "numpy.uint64": int,
    "numpy.int64": int,
}
_STRING_METHODS: Final = frozenset(
    {"lower", "upper", "strip", "lstrip", "rstrip", "replace", "split", "startswith", "endswith"}
    | {"format", "join", "casefold", "isdigit"}
)


def kept(made: object) -> object:
    """A constant, where it is plain and small."""
    if isinstance(made, list):
        made = tuple(made)
    if isinstance(made, int) and made.bit_length() > MAX_BITS:
        return UNKNOWN
    if isinstance(made, str | tuple | bytes) and _length((made,)) > MAX_LENGTH:
        return UNKNOWN
    plain = made is None or isinstance(made, bool | int | float | str | bytes | tuple | range)
    return made if plain else UNKNOWN


def _length(values: Iterable[object]) -> int:
    """Characters and entries, also of what is inside; counted no further than what is too much."""
    level, total = list(values), 0
    for _ in range(MAX_DEPTH):
        total += sum(len(one) for one in level if isinstance(one, str | bytes | tuple | range))
        if total > MAX_LENGTH or not level:
            return total
        level = [inner for one in level if isinstance(one, tuple) for inner in one]
    return MAX_LENGTH + 1 if level else total


def _attempt(action: Callable[..., Any], *arguments: Any) -> object:
    try:
        if _length(arguments) > MAX_LENGTH:
            return UNKNOWN
        return kept(action(*arguments))
    except (ArithmeticError, LookupError, TypeError, ValueError):
        return UNKNOWN


def binary(kind: ast.operator, left: object, right: object) -> object:
    repeats = isinstance(kind, ast.Mult) and not (
        isinstance(left, int | float) and isinstance(right, int | float)
    )
    if repeats or type(kind) not in _BINARY:
        return UNKNOWN
    if isinstance(kind, ast.Mod) and isinstance(left, str) and _is_wide(left, (right,)):
        return UNKNOWN
    if isinstance(kind, ast.Mod) and isinstance(left, bytes):
        return UNKNOWN
    return _attempt(_BINARY[type(kind)], left, right)


def compare(kind: ast.cmpop, left: object, right: object) -> object:
    return _attempt(_COMPARE[type(kind)], left, right)


def unary(kind: ast.unaryop, operand: object) -> object:
    match kind:
        case ast.Not():
            return not operand
        case ast.USub():
            return _attempt(operator.neg, operand)
        case _:
            return _attempt(operator.pos, operand)


def call(path: str, arguments: list[object]) -> object:
    """The result of a pure function on constants."""
    function = _FUNCTIONS.get(path)
    if function is round and not all(_is_place(one) for one in arguments[1:]):
        return UNKNOWN
    return UNKNOWN if function is None else _attempt(function, *arguments)


def _is_place(value: object) -> bool:
    return isinstance(value, int) and abs(value) <= MAX_PLACES


def string_method(text: str, name: str, arguments: list[object]) -> object:
    grows = _is_wide if name == "format" else _grows
    if name not in _STRING_METHODS or grows(text, arguments):
        return UNKNOWN
    return _attempt(getattr(text, name), *arguments)


def _grows(text: str, arguments: Iterable[object]) -> bool:
    """Whether a text that the arguments are put into, everywhere, could be long."""
    return (len(text) + 1) * (_length(arguments) + 1) > MAX_WORK


def _is_wide(text: str, arguments: Iterable[object]) -> bool:
    """The same of a format, which may also ask for a width."""
    return _WIDE.search(text) is not None or _grows(text, arguments)


def item(container: object, key: object) -> object:
    if not isinstance(container, str | tuple | range):
        return UNKNOWN
    return _attempt(operator.getitem, container, key)
