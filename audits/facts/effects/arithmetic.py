"""Arithmetic: what two operands make, and what the trace has to remember about it.

Guarantees: known constants are folded; labels flow through every operation that is not known to
drop them.
Does not cover: arithmetic on labels; `x - x` still counts as made of x.
"""

from __future__ import annotations

import ast

from audits.facts import folding, literals
from audits.facts.effects import losses, makers, pieces, regions, statistics, totals
from audits.facts.labels import COUNT, GATED, HASHED, OUTPUT, REGION, TOKENS, Label, ids, kinds
from audits.facts.scope import Scope
from audits.facts.state import Interpreter
from audits.facts.values import Value, derive, element_of, kinds_of, labels_of


def combine(
    interp: Interpreter,
    op: ast.operator,
    left: Value,
    right: Value,
    node: ast.AST,
    scope: Scope,
) -> Value:
    """The result of a binary operation."""
    made = derive(left, right)
    if left.known and right.known:
        const = folding.binary(op, left.const, right.const)
        return Value(const, made.labels | literals.named(const), switches=made.switches)
    if isinstance(op, ast.Add | ast.Mult) and any(ref.kind == "list" for ref in left.refs):
        return makers.container(interp, "list", [element_of(left), element_of(right)], node)
    labels, site = _folded(op, left, right, made), interp.site(node, scope)
    match op:
        case ast.Sub():
            labels |= losses.tilt(interp, left, right, site)
        case ast.Div() | ast.FloorDiv():
            labels -= statistics.normalising(left, right)
            labels |= totals.quotient(interp, left, right, site)
        case ast.Mult() if any(one.known and not one.const for one in (left, right)):
            interp.trace.muted |= ids(made.labels, GATED)  # a channel whose weight is zero
            return Value(switches=made.switches)
        case ast.Mult():
            labels |= _weighting(interp, left, right, node)
            labels |= losses.self_weighting(interp, left, right, site)
    if isinstance(op, ast.Div | ast.Mult):
        totals.note_conversion(interp, left, right, site)
    return Value(labels=frozenset(labels), switches=made.switches)


def _folded(op: ast.operator, left: Value, right: Value, made: Value) -> set[Label]:
    """The labels of both, with what hashing and joining do to them."""
    hashed = _hashed(op, left, right)
    labels = set(made.labels) | hashed
    if isinstance(op, ast.Add):
        labels = set(pieces.joined(left, right, frozenset(labels)))
    if not hashed and _mixed(left, right):
        labels.discard(Label(HASHED, 0))
    return labels


def _hashed(op: ast.operator, left: Value, right: Value) -> set[Label]:
    """A mask or a modulus over tokens folds them into buckets."""
    held = kinds(labels_of(left) | labels_of(right))
    folds = isinstance(op, ast.BitAnd | ast.Mod) and TOKENS in held and COUNT not in held
    return {Label(HASHED, 0)} if folds else set()


def _mixed(left: Value, right: Value) -> bool:
    """`bucket * V + token` is an exact row and column again: one side holds tokens unhashed."""
    return any(TOKENS in held and HASHED not in held for held in map(kinds_of, (left, right)))


def _weighting(interp: Interpreter, left: Value, right: Value, node: ast.AST) -> set[Label]:
    """A loss times something unknown: it may be a mask that leaves positions out."""
    for loss, weight in ((left, right), (right, left)):
        held = kinds_of(weight)
        if OUTPUT in kinds_of(loss) and not weight.known and not held & {OUTPUT, REGION}:
            return {regions.mark(interp, node)}
    return set()
