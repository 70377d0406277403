"""Rounds: which round of a loop a place belongs to, this one, the next one or an earlier one.

Guarantees: `start + step` of a loop over `range(first, last, step)`, and `i + 1` of one that goes
by ones, are the next round; less than the variable may be an earlier one.
Does not cover: places that are looked up in a list of places.
"""

from __future__ import annotations

import ast
from copy import deepcopy
from typing import Final

from audits.facts.events import Bounds
from audits.facts.labels import (
    AHEAD,
    BEHIND,
    LIMITED,
    LOOP,
    NOTHING,
    SHARE,
    SIZE,
    STATISTIC,
    Label,
    ids,
    kinds,
)
from audits.facts.scope import Scope
from audits.facts.state import Interpreter
from audits.facts.values import Value, labels_of

MAX_DEPTH: Final = 4  # of names that stand for names
_SIZED: Final = frozenset({SIZE, SHARE, LIMITED})
_PLACED: Final = frozenset({AHEAD, BEHIND})


def enter(interp: Interpreter, number: int, node: ast.expr) -> None:
    """Remembers by how much the variable of a loop grows."""
    step = "1"
    if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "range":
        step = ast.unparse(node.args[2]) if len(node.args) > 2 else "1"
    interp.steps_of[number] = step


def moved(
    interp: Interpreter, op: ast.operator, left: Value, right: Value, node: ast.AST
) -> frozenset[Label]:
    """The marks of `variable + step` and `variable - something`."""
    if not isinstance(node, ast.BinOp):
        return NOTHING
    loops, others = ids(labels_of(left), LOOP), ids(labels_of(right), LOOP)
    if isinstance(op, ast.Sub):
        return frozenset(Label(BEHIND, loop) for loop in loops - others)
    if not isinstance(op, ast.Add) or kinds(left.labels) - _SIZED - {LOOP}:
        return NOTHING
    added = ast.unparse(node.right)
    factors: list[str] = []
    if isinstance(node.left, ast.BinOp) and isinstance(node.left.op, ast.Mult):
        factors = [ast.unparse(node.left.left), ast.unparse(node.left.right)]
    return frozenset(
        Label(AHEAD, loop)
        for loop in loops - others
        if added == interp.steps_of.get(loop)
        or (interp.steps_of.get(loop) == "1" and added in factors)
    )


def of_length(left: Value, right: Value) -> frozenset[Label]:
    """The marks that a difference of two places of one loop no longer has: it is a length.

    Whatever decided that it is computed at all says nothing of where it lies.
    """
    a, b = labels_of(left), labels_of(right)
    if not kinds(a | b) <= _PLACED | _SIZED | {LOOP, STATISTIC}:
        return NOTHING
    shared = ids(a, LOOP) & ids(b, LOOP)
    return frozenset(one for one in a | b if one.id in shared and one.kind in _PLACED | {LOOP})


def bounds(interp: Interpreter, node: ast.expr, begin: Value, scope: Scope) -> Bounds:
    """Of a cut; `begin`: where it begins, or its only place."""
    lower, upper = (node.lower, node.upper) if isinstance(node, ast.Slice) else (node, None)
    labels = labels_of(begin)
    return Bounds(
        _spelled(lower, scope), _spelled(upper, scope), ids(labels, AHEAD), ids(labels, BEHIND)
    )


def unplaced(labels: frozenset[Label]) -> frozenset[Label]:
    """Where a piece lies is told by its begin alone."""
    return frozenset(one for one in labels if one.kind not in _PLACED)


def _spelled(node: ast.expr | None, scope: Scope) -> str:
    if node is None or isinstance(node, ast.Tuple):
        return ""
    return ast.unparse(_Names(scope, MAX_DEPTH).visit(deepcopy(node)))


class _Names(ast.NodeTransformer):
    """Puts in what a name was last assigned."""

    def __init__(self, scope: Scope, depth: int) -> None:
        self.scope, self.depth = scope, depth

    def visit_Name(self, node: ast.Name) -> ast.expr:
        known = self.scope.definitions.get(node.id)
        given = self.scope.names.get(node.id) if known is None else None
        if given is not None and type(given.const) is int and not given.switches | given.labels:
            return ast.Constant(given.const)  # what a function was given
        if known is None or not self.depth:
            return node
        made: ast.expr = _Names(self.scope, self.depth - 1).visit(deepcopy(known))
        return made
