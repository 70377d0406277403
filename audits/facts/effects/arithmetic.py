"""Arithmetic: what two operands make, and what the trace has to remember about it.

Guarantees: known constants are folded; labels flow through every operation that is not known to
drop them.
Does not cover: arithmetic on labels; `x - x` still counts as made of x.
"""

from __future__ import annotations

import ast
from typing import Final

from audits.facts import folding, literals
from audits.facts.call import Call
from audits.facts.effects import (
    coverage,
    losses,
    makers,
    messages,
    pieces,
    regions,
    rounds,
    sifts,
    statistics,
    totals,
    worths,
)
from audits.facts.events import Site
from audits.facts.labels import (
    COUNT,
    GATED,
    HASHED,
    OUTPUT,
    PIECE_FLAG,
    REGION,
    TOKENS,
    Label,
    ids,
    kinds,
)
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
    labels, site = _folded(op, left, right, made, node), interp.site(node, scope)
    labels |= coverage.share(interp, op, left, right, node, site)
    match op:
        case ast.Add():
            labels |= losses.both_sides(interp, left, right, site)
            labels |= pieces.of_two(interp, left, right, site)
            labels |= rounds.moved(interp, op, left, right, node)
        case ast.Sub():
            labels |= losses.tilt(interp, left, right, site)
            labels |= totals.difference(interp, left, right, site)
            labels -= rounds.of_length(left, right)
            labels |= rounds.moved(interp, op, left, right, node)
        case ast.Div() | ast.FloorDiv():
            labels -= statistics.normalising(left, right)
            labels |= losses.spread(interp, left, right, site)
            own = totals.renormalised(interp, left, right)
            labels = labels - own if own else labels | totals.quotient(interp, left, right, site)
        case ast.Mult() if any(one.known and not one.const for one in (left, right)):
            interp.trace.muted |= ids(made.labels, GATED)  # a channel whose weight is zero
            return Value(switches=made.switches)
        case ast.Mult():
            labels |= _weighting(interp, left, right, node)
            labels |= _self_weighting(interp, left, right, site)
            labels |= totals.product(interp, left, right, site)
            labels |= losses.sided(interp, left, right, site)
            labels |= losses.left_out(interp, left, right, site)
            labels |= losses.left_out(interp, right, left, site)
            labels |= pieces.inflated(interp, left, right, site)
            labels |= pieces.inflated(interp, right, left, site)
        case ast.Mod() if isinstance(left.const, str):
            messages.formatted(interp, left.const, right.items or [right], site)
        case ast.Mod():
            labels |= sifts.period(left, right)
    worth = worths.combined(interp, op, left, right, site)
    labels |= losses.mixed(interp, left, right, site, added_up=isinstance(op, ast.Add))
    if isinstance(op, ast.Div | ast.Mult):
        labels |= totals.bits(left, right)
        totals.note_conversion(interp, left, right, site, worth)
    result = Value(labels=frozenset(labels), switches=made.switches, worth=worth)
    return losses.picked(interp, left, right, result, site) if isinstance(op, ast.Mult) else result


OPERATORS: Final[dict[str, ast.operator]] = {
    "add": ast.Add(),
    "sub": ast.Sub(),
    "subtract": ast.Sub(),
    "mul": ast.Mult(),
    "multiply": ast.Mult(),
    "div": ast.Div(),
    "divide": ast.Div(),
    "true_divide": ast.Div(),
    "truediv": ast.Div(),
    "floor_divide": ast.FloorDiv(),
    "remainder": ast.Mod(),
    "mod": ast.Mod(),
    "fmod": ast.Mod(),
    "bitwise_and": ast.BitAnd(),
    "and_": ast.BitAnd(),
    "pow": ast.Pow(),
    "power": ast.Pow(),
}


def called(interp: Interpreter, name: str, values: list[Value], call: Call) -> Value | None:
    """`torch.mul(a, b)`, `a.div_(b)` and the like: the same as the operator."""
    op = OPERATORS.get(name.removesuffix("_") if name not in OPERATORS else name)
    if op is None or len(values) != 2 or call.keywords:
        return None
    return combine(interp, op, values[0], values[1], call.node, call.scope)


def _folded(op: ast.operator, left: Value, right: Value, made: Value, node: ast.AST) -> set[Label]:
    """The labels of both, with what hashing and joining do to them."""
    hashed = set() if _is_unsigned(right, node) else _hashed(op, left, right)
    labels = set(made.labels) | hashed
    if isinstance(op, ast.Add):
        labels = set(pieces.joined(left, right, frozenset(labels)))
    if isinstance(op, ast.Sub) and PIECE_FLAG not in kinds(labels_of(left)):
        labels.discard(Label(PIECE_FLAG, 0))  # a space that is taken off again
    if not hashed and _mixed(left, right):
        labels.discard(Label(HASHED, 0))
    return labels


def _hashed(op: ast.operator, left: Value, right: Value) -> set[Label]:
    """A mask or a modulus over tokens folds them into buckets."""
    held = kinds(labels_of(left) | labels_of(right))
    folds = isinstance(op, ast.BitAnd | ast.Mod) and TOKENS in held and COUNT not in held
    return {Label(HASHED, 0)} if folds else set()


def _is_unsigned(right: Value, node: ast.AST) -> bool:
    """`raw % 65536`: 16 bits that are read as they were written, where nothing was mixed before."""
    if not isinstance(node, ast.BinOp) or right.const not in (65_535, 65_536):
        return False
    plain = not isinstance(node.left, ast.Name)
    return plain and not any(
        isinstance(one, ast.Mult | ast.BitXor | ast.LShift) for one in ast.walk(node.left)
    )


def _mixed(left: Value, right: Value) -> bool:
    """`bucket * V + token` is an exact row and column again: one side holds tokens unhashed."""
    return any(TOKENS in held and HASHED not in held for held in map(kinds_of, (left, right)))


def _self_weighting(interp: Interpreter, left: Value, right: Value, site: Site) -> set[Label]:
    """A loss times a test of itself leaves tokens out; times anything else of itself, it weighs."""
    a, b = labels_of(left), labels_of(right)
    dropped = sifts.selected(interp, a, b, site) | sifts.selected(interp, b, a, site)
    dropped |= sifts.skipped(interp, left, right, site) | sifts.skipped(interp, right, left, site)
    return set(dropped) or losses.self_weighting(interp, left, right, site)


def _weighting(interp: Interpreter, left: Value, right: Value, node: ast.AST) -> set[Label]:
    """A loss times something unknown: it may be a mask that leaves positions out."""
    for loss, weight in ((left, right), (right, left)):
        held = kinds_of(weight)
        if OUTPUT in kinds_of(loss) and not weight.known and not held & {OUTPUT, REGION}:
            return {regions.mark(interp, node)}
    return set()
