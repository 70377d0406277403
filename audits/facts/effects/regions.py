"""Regions: which positions a slice, a mask or a selecting call leaves of a loss.

Guarantees: a slice is kept as written and with its bounds spelled out, whatever names are used.
Does not cover: the numbers that the bounds come to.
"""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import Final

from audits.facts.labels import REGION, Label
from audits.facts.scope import Scope
from audits.facts.state import Interpreter
from audits.facts.values import Obj, Value

SPELLED: Final = " \u2261 "  # between a slice as written and its bounds, spelled out
ANY_NAME: Final = "_"
_PLAIN_NAMES: Final = frozenset({"max", "min", "len", "int"})


def mark(interp: Interpreter, node: ast.AST | str) -> Label:
    """The label of positions that are selected by this code."""
    text = node if isinstance(node, str) else ast.unparse(node)
    return Label(REGION, interp.trace.region(text))


def selected(interp: Interpreter, value: Value, node: ast.AST) -> Value:
    """The value, remembered as restricted to the positions that the call selects."""
    labels = value.labels | {mark(interp, node)}
    return replace(value, labels=labels)


def fill(interp: Interpreter, ref: Obj, text: str, value: Value) -> None:
    """`mask[i, s:wlen] = 1` selects these positions, `= 0` all others."""
    if value.known:
        ref.labels.add(mark(interp, text if value.const else f"all but {text}"))


def selection(node: ast.expr) -> str:
    """The text of a mask that is used as a key; a plain index selects a row, not positions."""
    return "" if isinstance(node, ast.Constant | ast.Slice | ast.Tuple) else ast.unparse(node)


def region(node: ast.expr, scope: Scope) -> str:
    """The position slice, such as `s:wlen`, as written and with its bounds spelled out.

    Empty when all positions are taken.
    """
    parts: list[ast.expr] = node.elts if isinstance(node, ast.Tuple) else [node]
    for part in reversed(parts):
        if isinstance(part, ast.Slice) and (part.lower is not None or part.upper is not None):
            bounds = (_spelled(bound, scope) for bound in (part.lower, part.upper))
            return ast.unparse(part) + SPELLED + SPELLED.join(bounds)
    return ""


def _spelled(bound: ast.expr | None, scope: Scope) -> str:
    """What a bound is computed by, whatever the names are called."""
    if bound is None:
        return ""
    if isinstance(bound, ast.Name):
        bound = scope.definitions.get(bound.id, bound)
    renamed = _Anonymous().visit(ast.parse(ast.unparse(bound), mode="eval"))
    return ast.unparse(renamed)


class _Anonymous(ast.NodeTransformer):
    """Takes the names away."""

    def visit_Name(self, node: ast.Name) -> ast.Name:
        return node if node.id in _PLAIN_NAMES else ast.Name(ANY_NAME, node.ctx)
