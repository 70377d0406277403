"""Arguments of calls inside a forward pass: numbers, axes, sizes, and what values they are.

Guarantees: a number is told out of literals and the defaults of the class alone.
Does not cover: sizes that are computed from others.
"""

from __future__ import annotations

import ast
from dataclasses import replace

from audits.facts.inside import operations as ops
from audits.facts.inside.reader import Names, Reader
from audits.facts.inside.sequences import (
    Known,
    Seq,
    Size,
    together,
)


def evaluated(reader: Reader, nodes: list[ast.expr], names: Names) -> list[Known]:
    return [reader.evaluate(reader, one, names) for one in nodes]


def all_given(reader: Reader, node: ast.Call, names: Names) -> list[Known]:
    return evaluated(reader, [*node.args, *(one.value for one in node.keywords)], names)


def whole_number(reader: Reader, node: ast.expr | None) -> int | None:
    """A whole number, out of literals and defaults of the class."""
    match node:
        case ast.Constant(value=int(value)):
            return value
        case ast.Tuple(elts=[one]):
            return whole_number(reader, one)
        case ast.Name(id=name):
            default = reader.defaults.get(name)
            return default if isinstance(default, int) else None
        case ast.Attribute(value=ast.Name(id="self"), attr=name):
            return whole_number(reader, reader.parts.get(name))
        case ast.BinOp(left=left, op=op, right=right):
            a, b = whole_number(reader, left), whole_number(reader, right)
            if a is None or b is None:
                return None
            match op:
                case ast.Add():
                    return a + b
                case ast.Sub():
                    return a - b
                case ast.Mult():
                    return a * b
                case ast.FloorDiv() if b:
                    return a // b
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            positive = whole_number(reader, operand)
            return None if positive is None else -positive
    return None


def sizes_of(nodes: list[ast.expr]) -> list[ast.expr]:
    first = nodes[0] if nodes else None
    return list(first.elts) if isinstance(first, ast.Tuple | ast.List) else list(nodes)


def axis_named(
    reader: Reader, node: ast.Call, rest: list[ast.expr], default: int | None = None
) -> int | None:
    """The axis that a call names."""
    keys = ops.named(node)
    given = keys.get("dim") or keys.get("axis") or (rest[0] if rest else None)
    return default if given is None else whole_number(reader, given)


def axis_at(
    reader: Reader, node: ast.Call, rest: list[ast.expr], key: str, place: int
) -> int | None:
    keys = ops.named(node)
    given = keys.get(key) or keys.get("dim") or (rest[place] if len(rest) > place else None)
    if isinstance(given, ast.List):
        given = given.elts[0] if len(given.elts) == 1 else None
    return whole_number(reader, given)


def widened(value: Seq) -> Seq:
    """Ids that get a width."""
    return replace(value, rank=None if value.rank is None else value.rank + 1, tokens=False)


def through(values: list[Known]) -> Known:
    """A layer that is not known: it keeps places where they are; ids may get a width."""
    found = together([value for value in values if isinstance(value, Seq)])
    if isinstance(found, Seq) and found.tokens:
        return replace(found, rank=None, tokens=False)
    return found


def sizes_like(reader: Reader, node: ast.expr, names: Names) -> list[Known | str] | None:
    """The sizes of `x.shape`, `x.shape[:2]`, where the number of axes is known."""
    end: object = None
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice):
        if node.slice.lower is not None or node.slice.step is not None:
            return None
        end, node = ops.literal(node.slice.upper), node.value
    if not isinstance(node, ast.Attribute) or node.attr != "shape":
        return None
    value = reader.evaluate(reader, node.value, names)
    if not isinstance(value, Seq) or value.rank is None or value.axis is None:
        return None
    sizes: list[Known | str] = [None] * value.rank
    sizes[value.axis] = Size(value.length)
    return sizes[:end] if isinstance(end, int) else sizes
