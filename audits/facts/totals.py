"""Totals: how losses are added up, divided, chosen between, and turned into bits.

Guarantees: a total is a score only when it was converted by ln 2 and met a byte count, whatever its
name; `x = x + loss` counts as `x += loss`.
Does not cover: conversions written with other constants.
"""

from __future__ import annotations

import ast
from typing import Final

from audits.facts.machine import Machine
from audits.facts.scope import Scope
from audits.facts.trace import Accumulation, Choice, Echo, Patch, Quotient, Tilt, Weighting
from audits.facts.values import (
    ACCUMULATED,
    CHOICE,
    COUNT,
    HIT,
    NORMALISER,
    OUTPUT,
    PATCHED,
    RATIO,
    REALISED,
    SELF_WEIGHTED,
    STREAM,
    TILTED,
    TOKENS,
    Label,
    Obj,
    Value,
    derive,
    ids,
    kinds,
    kinds_of,
    labels_of,
)

LN2: Final = 0.693147
MINIMA: Final = frozenset({"minimum", "fmin", "min"})


def note_self_update(m: Machine, node: ast.Assign, value: Value, scope: Scope) -> Value:
    """`x = x + loss` is an accumulation, as `x += loss` is."""
    target, source = node.targets[0], node.value
    if isinstance(target, ast.Subscript):
        return _stored_minimum(m, target, source, value, scope)
    if not isinstance(target, ast.Name):
        return value
    match source:
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            names = [part.id for part in (left, right) if isinstance(part, ast.Name)]
            return accumulate(m, value, node, scope) if target.id in names else value
        case ast.Call(args=[first, second]) if _takes_minimum(source):
            names = [part.id for part in (first, second) if isinstance(part, ast.Name)]
            held = scope.lookup(target.id) if target.id in names else None
            return _running_minimum(m, held, value, node, scope)
    return value


def note_target(m: Machine, logits: Value, aims: Value, node: ast.AST, scope: Scope) -> None:
    """The tokens that a loss is taken of; they may turn out to be what the model was given."""
    wanted = ids(labels_of(aims), TOKENS)
    m.trace.targets |= wanted
    same = {
        number
        for number in ids(labels_of(logits), OUTPUT)
        if len(wanted) == 1 and m.trace.inputs.get(number) == wanted
    }
    if same:
        m.trace.echoes.append(Echo(m.site(node, scope), m.moment(), frozenset(same)))


def log_of_sum(name: str, made: Value, node: ast.Call) -> Value:
    """`log1p(p (e^b - 1))`, `log(1 + ...)` and log-sum-exps are normalisers."""
    adds_one = any(
        isinstance(one, ast.BinOp)
        and isinstance(one.op, ast.Add)
        and any(isinstance(side, ast.Constant) for side in (one.left, one.right))
        for one in ast.walk(node.args[0])
    )
    if name == "log" and not adds_one:
        return made
    return Value(labels=made.labels | {Label(NORMALISER, 0)}, switches=made.switches)


def tilt(m: Machine, left: Value, right: Value, node: ast.AST, scope: Scope) -> set[Label]:
    """`loss - b * (hint == y)`: what comes true costs less."""
    hits = ids(labels_of(right), HIT)
    if not hits or HIT in kinds_of(left) or REALISED not in kinds_of(left):
        return set()
    m.trace.tilts.append(Tilt(m.site(node, scope), m.moment(), hits))
    return {Label(TILTED, len(m.trace.tilts) - 1)}


def accumulate(
    m: Machine, value: Value, node: ast.AST, scope: Scope, into: frozenset[Obj] = frozenset()
) -> Value:
    """The value, marked as added to a running total."""
    labels = labels_of(value)
    if not kinds(labels) & {TOKENS, STREAM}:
        return value
    m.trace.accumulations.append(Accumulation(m.site(node, scope), m.moment(), labels, into))
    mark = Label(ACCUMULATED, len(m.trace.accumulations) - 1)
    return Value(value.const, value.labels | {mark}, value.refs, value.items, value.switches)


def note_conversion(m: Machine, left: Value, right: Value, node: ast.AST, scope: Scope) -> None:
    """Totals that become bits (by ln 2), and losses that meet a byte count, are scores."""
    for one, other in ((left, right), (right, left)):
        labels = labels_of(one)
        totals = ids(labels, ACCUMULATED)
        if _is_ln2(other.const):
            m.trace.converted |= totals
            if OUTPUT in kinds(labels):
                m.trace.reports.append(Accumulation(m.site(node, scope), m.moment(), labels))
        if any(not _is_loss(m, total) for total in ids(labels_of(other), ACCUMULATED)):
            m.trace.reported |= {total for total in totals if _is_loss(m, total)}


def self_weighting(
    m: Machine, left: Value, right: Value, node: ast.AST, scope: Scope
) -> set[Label]:
    """A token's probability times a weight that was made of that very probability."""
    a, b = (ids(labels_of(value), REALISED) for value in (left, right))
    if not a & b:
        return set()
    m.trace.weightings.append(Weighting(m.site(node, scope), m.moment()))
    return {Label(SELF_WEIGHTED, len(m.trace.weightings) - 1)}


def patched(
    m: Machine,
    value: Value,
    name: str,
    args: list[Value],
    keywords: dict[str, Value],
    node: ast.AST,
    scope: Scope,
) -> Value:
    """An upper bound above one, which can only concern losses, or a replacement of bad values."""
    most = keywords.get("max", args[1] if len(args) > 1 else Value()).const
    bounds = isinstance(most, int | float) and most > 1.0
    if REALISED not in kinds(value.labels) or not (bounds or name == "nan_to_num"):
        return value
    m.trace.patches.append(Patch(m.site(node, scope), m.moment(), name))
    mark = Label(PATCHED, len(m.trace.patches) - 1)
    return Value(labels=value.labels | {mark}, switches=value.switches)


def note_bits(m: Machine, value: Value, node: ast.AST, scope: Scope) -> None:
    """A probability of a model under a logarithm to base two: bits without a conversion."""
    labels = labels_of(value)
    if OUTPUT in kinds(labels):
        m.trace.reports.append(Accumulation(m.site(node, scope), m.moment(), labels))


def _is_ln2(const: object) -> bool:
    if not isinstance(const, float):
        return False
    return abs(const - LN2) < 1e-4 or abs(const - 1 / LN2) < 1e-4


def _is_loss(m: Machine, total: int) -> bool:
    return OUTPUT in kinds(m.trace.accumulations[total].labels)


def quotient(m: Machine, left: Value, right: Value, node: ast.AST, scope: Scope) -> set[Label]:
    above, below = ids(labels_of(left), COUNT), ids(labels_of(right), COUNT)
    if OUTPUT not in kinds_of(left):  # a count itself, not a loss that it shaped
        m.trace.divided |= above
    if not above or not below:
        return set()
    m.trace.quotients.append(Quotient(m.site(node, scope), above, below))
    return {Label(RATIO, len(m.trace.quotients) - 1)}


def minimum(m: Machine, left: Value, right: Value, node: ast.AST, scope: Scope) -> Value:
    """The smaller of two losses of the same tokens is a choice in hindsight."""
    made = derive(left, right)
    a, b = labels_of(left), labels_of(right)
    if not (ids(a, OUTPUT) and ids(b, OUTPUT) and ids(a, OUTPUT) != ids(b, OUTPUT)):
        return made
    if not (TOKENS in kinds(a) and TOKENS in kinds(b)):
        return made
    m.trace.choices.append(Choice(m.site(node, scope), m.moment()))
    return Value(labels=made.labels | {Label(CHOICE, len(m.trace.choices) - 1)})


def _running_minimum(
    m: Machine, held: Value | None, value: Value, node: ast.AST, scope: Scope
) -> Value:
    """`best = minimum(best, loss)` in a loop: the smallest over all rounds."""
    labels = labels_of(value)
    if held is None or not m.loops or OUTPUT in kinds_of(held):
        return value
    if OUTPUT not in kinds(labels) or TOKENS not in kinds(labels):
        return value
    m.trace.choices.append(Choice(m.site(node, scope), m.moment()))
    return Value(labels=labels | {Label(CHOICE, len(m.trace.choices) - 1)})


def _stored_minimum(
    m: Machine, target: ast.Subscript, source: ast.expr, value: Value, scope: Scope
) -> Value:
    """`best[places] = minimum(best[places], loss)`: the same, kept by position."""
    if not isinstance(source, ast.Call) or len(source.args) != 2 or not _takes_minimum(source):
        return value
    if ast.unparse(target) not in map(ast.unparse, source.args):
        return value
    return _running_minimum(m, Value(), value, source, scope)


def _takes_minimum(node: ast.Call) -> bool:
    last = node.func.attr if isinstance(node.func, ast.Attribute) else ""
    return last in MINIMA or (isinstance(node.func, ast.Name) and node.func.id == "min")
