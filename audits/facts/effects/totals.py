"""Totals: how losses are added up, divided, and turned into bits.

Guarantees: a total is a score only when it was converted by ln 2 and met a byte count, whatever its
name; `x = x + loss` counts as `x += loss`.
Does not cover: conversions written with other constants.
"""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import Final

from audits.facts.effects import by_hand, choices
from audits.facts.events import Accumulation, Quotient, Site
from audits.facts.labels import (
    ACCUMULATED,
    COUNT,
    OUTPUT,
    RATIO,
    STREAM,
    TOKENS,
    Label,
    ids,
    kinds,
)
from audits.facts.scope import Scope
from audits.facts.state import Interpreter
from audits.facts.trace import noted
from audits.facts.values import Obj, Value, kinds_of, labels_of

LN2: Final = 0.693147


def note_self_update(interp: Interpreter, node: ast.Assign, value: Value, scope: Scope) -> Value:
    """`x = x + loss` is an accumulation, as `x += loss` is."""
    target, source = node.targets[0], node.value
    site = interp.site(node, scope)
    if isinstance(target, ast.Subscript):
        return choices.stored_minimum(interp, target, source, value, interp.site(source, scope))
    if not isinstance(target, ast.Name):
        return value
    match source:
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            names = [part.id for part in (left, right) if isinstance(part, ast.Name)]
            return accumulate(interp, value, site) if target.id in names else value
        case ast.Call(args=[first, second]) if choices.takes_minimum(source):
            names = [part.id for part in (first, second) if isinstance(part, ast.Name)]
            held = scope.lookup(target.id) if target.id in names else None
            return choices.running_minimum(interp, held, value, site)
    return value


def accumulate(
    interp: Interpreter, value: Value, site: Site, into: frozenset[Obj] = frozenset()
) -> Value:
    """The value, marked as added to a running total."""
    if OUTPUT in kinds(value.labels):
        value = by_hand.stepped(interp, value, site)
    labels = labels_of(value)
    if not kinds(labels) & {TOKENS, STREAM}:
        return value
    number = noted(interp.trace.accumulations, Accumulation(site, interp.moment(), labels, into))
    mark = Label(ACCUMULATED, number)
    return replace(value, labels=value.labels | {mark})


def note_conversion(interp: Interpreter, left: Value, right: Value, site: Site) -> None:
    """Totals that become bits (by ln 2), and losses that meet a byte count, are scores."""
    for one, other in ((left, right), (right, left)):
        labels = labels_of(one)
        totals = ids(labels, ACCUMULATED)
        if _is_ln2(other.const):
            interp.trace.converted |= totals
            if OUTPUT in kinds(labels):
                interp.trace.reports.append(Accumulation(site, interp.moment(), labels))
        if any(not _is_loss(interp, total) for total in ids(labels_of(other), ACCUMULATED)):
            interp.trace.reported |= {total for total in totals if _is_loss(interp, total)}


def note_bits(interp: Interpreter, value: Value, site: Site) -> None:
    """A probability of a model under a logarithm to base two: bits without a conversion."""
    labels = labels_of(value)
    if OUTPUT in kinds(labels):
        interp.trace.reports.append(Accumulation(site, interp.moment(), labels))


def _is_ln2(const: object) -> bool:
    if not isinstance(const, float):
        return False
    return abs(const - LN2) < 1e-4 or abs(const - 1 / LN2) < 1e-4


def _is_loss(interp: Interpreter, total: int) -> bool:
    return OUTPUT in kinds(interp.trace.accumulations[total].labels)


def quotient(interp: Interpreter, left: Value, right: Value, site: Site) -> set[Label]:
    above, below = ids(labels_of(left), COUNT), ids(labels_of(right), COUNT)
    if OUTPUT not in kinds_of(left):  # a count itself, not a loss that it shaped
        interp.trace.divided |= above
    if not above or not below:
        return set()
    number = noted(interp.trace.quotients, Quotient(site, above, below))
    return {Label(RATIO, number)}
