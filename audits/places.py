"""Places by numbers: where pieces begin and end, worked out for several made-up sizes.

A bound as written (`lo + size // 2`, `min(hi + shift, n)`) is a sum of names. Each name is given a
number, the loop's variable a large one, whatever has to do with the length of all a larger one
still; what holds for every draw of numbers is taken to hold.

Guarantees: an answer only where all bounds of all pieces come to numbers, and every piece is one
that begins before it ends.
Does not cover: bounds that are looked up in lists; conditions; names that stand for two things.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from audits.facts.events import TokenRead

_SIZES: Final = ((16, 64, 48, 96), (64, 16, 32, 128), (128, 256, 64, 32))  # even, as sizes are
_VARIABLE: Final = 3 * 2**20  # a whole number of rounds of any such size
_ALL: Final = 2**30  # no piece comes near the end
_LENGTHS: Final = ("len(", ".numel(", ".size", ".shape")
_OPERATIONS: Final[Mapping[type[ast.operator], Callable[[int, int], int]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_FUNCTIONS: Final[Mapping[str, Callable[..., int]]] = {"min": min, "max": max, "int": int}


def reaches_past(trained: Iterable[TokenRead], scored: Iterable[TokenRead]) -> bool:
    """Whether some of the first pieces ends beyond all of the others, by more than one token."""
    firsts, others = list(trained), list(scored)
    variables = frozenset.intersection(*(_names(one) for one in (*firsts, *others)))
    return bool(firsts and others and variables) and all(
        _ends_past(firsts, others, _Numbers(variables, sizes)) for sizes in _SIZES
    )


def _ends_past(firsts: list[TokenRead], others: list[TokenRead], numbers: _Numbers) -> bool:
    ends = [[_end(one, numbers) for one in side] for side in (firsts, others)]
    mine, theirs = ([end for end in side if end is not None] for side in ends)
    known = len(mine) == len(firsts) and len(theirs) == len(others)
    return known and max(mine) > max(theirs) + 1


def _end(read: TokenRead, numbers: _Numbers) -> int | None:
    begin, end = numbers.of(read.bounds.lower), numbers.of(read.bounds.upper)
    return end if begin is not None and end is not None and begin < end else None


def _names(read: TokenRead) -> frozenset[str]:
    """What is written by itself, not as a part of something, where the piece begins."""
    tree = ast.parse(read.bounds.lower or "0", mode="eval")
    owners = {id(one.value) for one in ast.walk(tree) if isinstance(one, ast.Attribute)}
    called = {id(one.func) for one in ast.walk(tree) if isinstance(one, ast.Call)}
    return frozenset(
        one.id
        for one in ast.walk(tree)
        if isinstance(one, ast.Name) and id(one) not in owners | called
    )


class _Numbers:
    """One draw: a size for each thing that is written, in the order in which they are met."""

    def __init__(self, variables: frozenset[str], sizes: tuple[int, ...]) -> None:
        self.variables, self.sizes = variables, sizes
        self.drawn: dict[str, int] = {}

    def of(self, written: str) -> int | None:
        if not written:
            return None
        try:
            return self._of(ast.parse(written, mode="eval").body)
        except (ZeroDivisionError, TypeError):
            return None

    def _of(self, node: ast.expr) -> int:
        match node:
            case ast.Constant(value=int(number)):
                return number
            case ast.BinOp() if type(node.op) in _OPERATIONS:
                return _OPERATIONS[type(node.op)](self._of(node.left), self._of(node.right))
            case ast.Call(func=ast.Name(id=name)) if name in _FUNCTIONS and node.args:
                return int(_FUNCTIONS[name](*map(self._of, node.args)))
        return self._drawn(ast.unparse(node))

    def _drawn(self, written: str) -> int:
        if written in self.variables:
            return _VARIABLE
        if any(part in written for part in _LENGTHS):
            return _ALL
        size = self.sizes[len(self.drawn) % len(self.sizes)]
        return self.drawn.setdefault(written, size)
