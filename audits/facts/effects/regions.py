"""Regions: which positions a slice, a mask or a selecting call leaves of a loss.

Guarantees: a slice is kept as written and with its bounds spelled out, whatever names are used.
Does not cover: the numbers that the bounds come to.
"""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import Final

from audits.facts.effects import sifts
from audits.facts.events import ANY_NAME, Region
from audits.facts.labels import REGION, Label
from audits.facts.scope import Scope
from audits.facts.state import Interpreter
from audits.facts.values import Obj, Value

_PLAIN_NAMES: Final = frozenset({"max", "min", "len", "int"})


def mark(interp: Interpreter, selecting: ast.AST | Region) -> Label:
    """The label of positions that are selected by this code."""
    found = selecting if isinstance(selecting, Region) else Region(ast.unparse(selecting))
    return Label(REGION, interp.trace.region(found))


def selected(interp: Interpreter, value: Value, node: ast.AST) -> Value:
    """The value, remembered as restricted to the positions that the call selects."""
    labels = value.labels | {mark(interp, node)}
    labels |= sifts.selected(interp, value.labels, value.labels, interp.here())
    return replace(value, labels=labels)


def fill(interp: Interpreter, ref: Obj, filled: Region, value: Value) -> None:
    """`mask[i, s:wlen] = 1` selects these positions, `= 0` all others."""
    if value.known:
        ref.labels.add(mark(interp, replace(filled, complement=not value.const)))


def selection(node: ast.expr) -> Region | None:
    """Of a mask that is used as a key; a plain index selects a row, not positions."""
    plain = isinstance(node, ast.Constant | ast.Slice | ast.Tuple)
    return None if plain else Region(ast.unparse(node))


def region(node: ast.expr, scope: Scope) -> Region | None:
    """Of a position slice, such as `s:wlen`; None when all positions are taken."""
    parts: list[ast.expr] = node.elts if isinstance(node, ast.Tuple) else [node]
    for part in reversed(parts):
        if isinstance(part, ast.Slice) and (part.lower is not None or part.upper is not None):
            lower, upper = _spelled(part.lower, scope), _spelled(part.upper, scope)
            return Region(ast.unparse(part), lower, upper)
    return None


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
