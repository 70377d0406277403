"""Totals: how losses are added up, divided, and turned into bits.

Guarantees: a total is a score only when it was converted by ln 2 and met a byte count, whatever its
name; `x = x + loss` counts as `x += loss`.
Does not cover: conversions written with other constants.
"""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import Final

from audits.facts.effects import by_hand, choices, worths
from audits.facts.events import Accumulation, Quotient, Site
from audits.facts.labels import (
    ACCUMULATED,
    BITS,
    COUNT,
    INVERSE,
    LOGGED,
    OUTPUT,
    PER_BIT,
    RATIO,
    REALISED,
    STREAM,
    TOKENS,
    Label,
    ids,
    kinds,
)
from audits.facts.scope import Scope
from audits.facts.state import Interpreter
from audits.facts.trace import noted
from audits.facts.values import Obj, Value, element_of, kinds_of, labels_of
from audits.facts.worth import Known, Worth

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
    worth = worths.score_of(value)
    sifts = frozenset(interp.sifts)
    added = Accumulation(site, interp.moment(), labels, into, worth, sifts)
    number = noted(interp.trace.accumulations, added)
    mark = Label(ACCUMULATED, number)
    in_bits = BITS in kinds(labels) and (REALISED in kinds(labels) or worth is not None)
    interp.trace.converted |= {number} if in_bits else set()
    for ref in into:
        worths.add_to(ref, value)
    summed = replace(worth, summed=True) if worth else value.worth
    return replace(value, labels=value.labels | {mark}, worth=summed)


def summed(interp: Interpreter, losses: Value, made: Value, site: Site) -> Value:
    """`sum(loss(row) for row in rows)`: an accumulation, as a loop is."""
    element = element_of(losses)
    held = kinds_of(element)
    listed = any(ref.kind == "list" for ref in losses.refs)
    if not listed or ACCUMULATED in held or not {OUTPUT, REALISED} <= held:
        return made
    with interp.loop() as number:
        interp.trace.loops[number] = site
        added = accumulate(interp, element, site)
    return replace(made, labels=made.labels | added.labels)


def note_conversion(
    interp: Interpreter, left: Value, right: Value, site: Site, worth: Known | None = None
) -> None:
    """Totals that become bits (by ln 2), and losses that meet a byte count, are scores."""
    for one, other in ((left, right), (right, left)):
        labels = labels_of(one)
        totals = ids(labels, ACCUMULATED)
        if _is_ln2(other.const) or PER_BIT in kinds(labels_of(other)):
            interp.trace.converted |= totals
            if OUTPUT in kinds(labels):
                interp.trace.reports.append(_report(interp, site, labels, worth))
        counts = {
            total for total in ids(labels_of(other), ACCUMULATED) if not _is_loss(interp, total)
        }
        scored = {total for total in totals if _is_loss(interp, total)}
        if counts and scored:
            interp.trace.reported |= scored
            interp.trace.counts |= counts
    held = labels_of(left) | labels_of(right)
    if isinstance(worth, Worth) and worth.bits and OUTPUT in kinds(held):  # a score once more
        interp.trace.reports.append(_report(interp, site, held, worth))


def _report(
    interp: Interpreter, site: Site, labels: frozenset[Label], worth: Known | None
) -> Accumulation:
    own = worth if isinstance(worth, Worth) else None
    return Accumulation(site, interp.moment(), labels, worth=own)


def bits(left: Value, right: Value) -> frozenset[Label]:
    """What a product or a quotient with ln 2 is: a loss in bits, or what turns one into bits."""
    for one, other in ((left, right), (right, left)):
        if _is_ln2(other.const):
            loss = OUTPUT in kinds(labels_of(one))
            return frozenset({Label(BITS if loss else PER_BIT, 0)})
    return frozenset()


def note_bits(interp: Interpreter, value: Value, site: Site) -> frozenset[Label]:
    """A probability of a model under a logarithm to base two: bits without a conversion."""
    labels = labels_of(value)
    if OUTPUT not in kinds(labels):
        return frozenset()
    interp.trace.reports.append(Accumulation(site, interp.moment(), labels))
    return frozenset({Label(BITS, 0)})


def _is_ln2(const: object) -> bool:
    if not isinstance(const, float):
        return False
    return abs(const - LN2) < 1e-4 or abs(const - 1 / LN2) < 1e-4


def _is_loss(interp: Interpreter, total: int) -> bool:
    return OUTPUT in kinds(interp.trace.accumulations[total].labels)


def quotient(interp: Interpreter, left: Value, right: Value, site: Site) -> set[Label]:
    above, below = ids(labels_of(left), COUNT), ids(labels_of(right), COUNT)
    if below and left.known:
        return {Label(INVERSE, number) for number in below}
    return _over(interp, left, above, below, site)


def renormalised(interp: Interpreter, left: Value, right: Value) -> set[Label]:
    """`p / p.sum()`: quotients of counts over their own sum are none any more."""
    found = interp.trace.quotients
    below = {(found[n].above, found[n].below) for n in ids(labels_of(right), RATIO)}
    own = [n for n in ids(labels_of(left), RATIO) if (found[n].above, found[n].below) in below]
    whole = [*own, *ids(labels_of(right), RATIO)] if own else []
    return {Label(RATIO, number) for number in whole}


def product(interp: Interpreter, left: Value, right: Value, site: Site) -> set[Label]:
    """`count * (1 / total)`."""
    for count, inverse in ((left, right), (right, left)):
        above, below = ids(labels_of(count), COUNT), ids(labels_of(inverse), INVERSE)
        if below and above - below:
            return _over(interp, count, above - below, below, site)
    return set()


def difference(interp: Interpreter, left: Value, right: Value, site: Site) -> set[Label]:
    """`log(count) - log(total)`."""
    above, below = ids(labels_of(left), LOGGED), ids(labels_of(right), LOGGED)
    return _over(interp, left, above, below, site) if above and below else set()


def logged(value: Value) -> frozenset[Label]:
    """What a logarithm makes of a count."""
    return frozenset(Label(LOGGED, number) for number in ids(labels_of(value), COUNT))


def _over(
    interp: Interpreter,
    left: Value,
    above: frozenset[int],
    below: frozenset[int],
    site: Site,
) -> set[Label]:
    if OUTPUT not in kinds_of(left):  # a count itself, not a loss that it shaped
        interp.trace.divided |= above
    if not above or not below:
        return set()
    number = noted(interp.trace.quotients, Quotient(site, above, below))
    return {Label(RATIO, number)}
