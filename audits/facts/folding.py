"""Constant folding: the few operations that configuration values go through.

Guarantees: results are small plain constants; whatever raises or grows is unknown.
Does not cover: anything that reads the outside world.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable
from typing import Any, Final

from audits.facts.values import UNKNOWN

MAX_LENGTH: Final = 100_000

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
    "os.path.join": lambda *parts: "/".join(parts),
    "pathlib.Path": str,
    "numpy.uint64": int,
    "numpy.int64": int,
}
_STRING_METHODS: Final = frozenset(
    {"lower", "upper", "strip", "lstrip", "rstrip", "replace", "split", "startswith", "endswith"}
    | {"format", "join", "casefold", "isdigit"}
)


def _kept(made: object) -> object:
    if isinstance(made, list):
        made = tuple(made)
    if isinstance(made, str | tuple | bytes) and len(made) > MAX_LENGTH:
        return UNKNOWN
    plain = made is None or isinstance(made, bool | int | float | str | bytes | tuple | range)
    return made if plain else UNKNOWN


def _attempt(action: Callable[..., Any], *arguments: Any) -> object:
    try:
        return _kept(action(*arguments))
    except (ArithmeticError, LookupError, TypeError, ValueError):
        return UNKNOWN


def binary(kind: ast.operator, left: object, right: object) -> object:
    repeats = isinstance(kind, ast.Mult) and not (
        isinstance(left, int | float) and isinstance(right, int | float)
    )
    if repeats or type(kind) not in _BINARY:
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
    return UNKNOWN if function is None else _attempt(function, *arguments)


def string_method(text: str, name: str, arguments: list[object]) -> object:
    if name not in _STRING_METHODS:
        return UNKNOWN
    return _attempt(getattr(text, name), *arguments)


def item(container: object, key: object) -> object:
    if not isinstance(container, str | tuple | range):
        return UNKNOWN
    return _attempt(operator.getitem, container, key)
