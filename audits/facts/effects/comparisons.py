"""Comparisons: constants, settings that are set, deadlines, last rounds, tokens and file contents.

Guarantees: what configuration and literals decide is a constant; everything else is remembered as a
mask that may select positions.
Does not cover: chains of comparisons beyond their labels.
"""

from __future__ import annotations

import ast

from audits.facts import folding
from audits.facts.documented.configuration import LAUNCHER
from audits.facts.effects import coverage, deadlines, pieces, sifts
from audits.facts.events import Given, Hit, Region, Site
from audits.facts.labels import (
    ALPHABET,
    FILE,
    GIVEN,
    HIT,
    LAST_ROUND,
    LOOP,
    REGION,
    SHARE,
    TOKENS,
    Label,
    ids,
)
from audits.facts.scope import Scope
from audits.facts.state import Interpreter
from audits.facts.trace import noted
from audits.facts.values import BLANK, Library, Value, derive, kinds_of, labels_of
from audits.facts.worth import Span


def compare(interp: Interpreter, node: ast.Compare, values: list[Value], scope: Scope) -> Value:
    """The comparison of these operands."""
    made, site = derive(*values), interp.site(node, scope)
    if len(values) == 2 and all(value.known for value in values):
        const = folding.compare(node.ops[0], values[0].const, values[1].const)
        return Value(const, made.labels, switches=made.switches)
    contains = len(values) == 2 and isinstance(node.ops[0], ast.In | ast.NotIn)
    if contains and (listed := _listed(values[1])) is not None and values[0].known:
        const = folding.compare(node.ops[0], values[0].const, listed)
        return Value(const, made.labels, switches=made.switches)
    if contains and (is_set := _in_environment(interp, values)) is not None:
        return Value(is_set is isinstance(node.ops[0], ast.In), switches=made.switches)
    if len(values) == 2 and values[0].items is not None and values[1].const is None:
        return Value(isinstance(node.ops[0], ast.IsNot | ast.NotEq), switches=made.switches)
    if len(values) == 2:
        deadlines.note(interp, values[0], values[1], site)
        if isinstance(node.ops[0], ast.Eq) and (given := _given(interp, values, site)):
            return Value(labels=made.labels | given, switches=made.switches)
        if isinstance(node.ops[0], ast.Eq):
            made = Value(labels=made.labels | _hit(interp, values, site), switches=made.switches)
    if len(values) == 2 and ALPHABET in kinds_of(values[0]) and values[1].known:
        interp.trace.from_places[ast.unparse(node)] = values[1].const
    mask = Label(REGION, interp.trace.region(Region(ast.unparse(node))))  # it may select positions
    rounds = _last_rounds(interp, node, values) if len(values) == 2 else frozenset()
    itself = ast.dump(node.left) == ast.dump(node.comparators[0])  # is it a number at all?
    labels = made.labels if itself else sifts.tested(values, made.labels)
    labels = frozenset(one for one in labels if one.kind != SHARE)
    labels |= {mask} | rounds | coverage.rounds(node.ops[0], values)
    labels |= coverage.compared(node.ops[0], values)
    labels |= pieces.marked(BLANK, values).labels
    by_number = any(isinstance(value.const, int | float) for value in values)
    by_number |= HIT in kinds_of(made)  # zero or one, too: a hint comes true
    return Value(labels=labels, switches=made.switches, worth=Span(0.0, 1.0) if by_number else None)


def _given(interp: Interpreter, values: list[Value], site: Site) -> frozenset[Label]:
    """Tokens compared with a file's content, entry by entry."""
    for tokens, held in (map(kinds_of, values), map(kinds_of, values[::-1])):
        if TOKENS in tokens and FILE not in tokens and FILE in held and TOKENS not in held:
            number = noted(interp.trace.given, Given(site, interp.moment()))
            return frozenset({Label(GIVEN, number)})
    return frozenset()


def _hit(interp: Interpreter, values: list[Value], site: Site) -> frozenset[Label]:
    """Two values that both hang on tokens: a hint, and what came."""
    if not all(TOKENS in kinds_of(value) for value in values):
        return frozenset()
    tokens = ids(labels_of(derive(*values)), TOKENS)
    number = noted(interp.trace.hits, Hit(site, interp.moment(), tokens))
    return frozenset({Label(HIT, number)})


def _last_rounds(interp: Interpreter, node: ast.Compare, values: list[Value]) -> frozenset[Label]:
    """`round == rounds - 1`: true in the last of several rounds of a loop."""
    if not isinstance(node.ops[0], ast.Eq | ast.GtE):
        return frozenset()
    found: set[Label] = set()
    for one, other in (values, values[::-1]):
        for loop in ids(one.labels, LOOP) - ids(other.labels, LOOP):
            count = interp.rounds.get(loop, 0)
            if count > 1 and other.const == count - 1:
                found.add(Label(LAST_ROUND, loop))
    return frozenset(found)


def _in_environment(interp: Interpreter, values: list[Value]) -> bool | None:
    """`"NAME" in os.environ`: whether the run set it, as far as the folder tells."""
    name, where = values
    if not isinstance(name.const, str) or name.const in LAUNCHER | interp.config.ambiguous:
        return None
    if not any(isinstance(ref, Library) and ref.path == "os.environ" for ref in where.refs):
        return None
    return interp.config.setting(name.const) is not None


def _listed(value: Value) -> tuple[object, ...] | None:
    """The elements of a list or set that was written out and not added to since."""
    holders = [ref for ref in value.refs if ref.kind == "list"]
    if len(holders) != 1 or len(value.refs) != 1 or None in holders[0].entries:
        return None
    entries = holders[0].entries.values()
    return tuple(one.const for one in entries) if all(one.known for one in entries) else None
