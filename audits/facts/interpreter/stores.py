"""Assignments: names, attributes, elements, and in-place updates of shared objects.

Guarantees: `total += loss` on a shared tensor is seen by every holder; storing losses by position
counts as recording them.
Does not cover: `del`; what is bound stays bound.
"""

from __future__ import annotations

import ast

from audits.facts.call import Call
from audits.facts.effects import (
    arithmetic,
    by_hand,
    losses,
    regions,
    statistics,
    tables,
    totals,
    weights,
    worths,
)
from audits.facts.events import Site
from audits.facts.interpreter import expressions, subscripts
from audits.facts.labels import (
    GIVEN,
    LOOP,
    OUTPUT,
    PIECE,
    PIECE_FLAG,
    TALLY,
    TOKENS,
    Label,
    ids,
    kinds,
)
from audits.facts.scope import Scope
from audits.facts.state import Interpreter
from audits.facts.values import (
    Library,
    Obj,
    Value,
    derive,
    element_of,
    forget_constant,
    in_order,
    join,
    kinds_of,
    labels_of,
)


def bind(interp: Interpreter, target: ast.expr, value: Value, scope: Scope) -> None:
    match target:
        case ast.Name():
            scope.bind(target.id, statistics.kept(interp, value))
        case ast.Tuple() | ast.List():
            _unpack(interp, target, value, scope)
        case ast.Starred():
            bind(interp, target.value, value, scope)
        case ast.Attribute():
            _store_attribute(interp, target, value, scope)
        case ast.Subscript():
            _store_element(interp, target, value, scope)
        case _:
            pass


def _unpack(interp: Interpreter, target: ast.Tuple | ast.List, value: Value, scope: Scope) -> None:
    count = len(target.elts)
    if value.items is not None and len(value.items) == count:
        parts = list(value.items)
    else:
        parts = [element_of(value)] * count
    for one, part in zip(target.elts, parts, strict=True):
        bind(interp, one, part, scope)


def _store_attribute(
    interp: Interpreter, target: ast.Attribute, value: Value, scope: Scope
) -> None:
    value = statistics.kept(interp, value)
    for ref in expressions.evaluate(interp, target.value, scope).refs:
        if isinstance(ref, Library):
            interp.replaced[f"{ref.path}.{target.attr}"] = value
        if target.attr == "data":
            weights.overwrite(ref, value)
            by_hand.learnt(interp, ref, value, interp.site(target, scope))
        elif target.attr == "grad" and ref.kind in ("module", "tensor"):
            if value.const is None:  # an average of all ranks' stays a gradient
                weights.zero(interp)
        elif ref.kind == "instance" and value.known and not value.switches:
            ref.attrs[target.attr] = _constant_of(ref.attrs.get(target.attr), value)
        else:
            ref.attrs[target.attr] = value


def _constant_of(held: Value | None, value: Value) -> Value:
    """A constant that an instance is given; other methods may change it."""
    if held is not None and held.switches:  # a setting that a preset overrides
        return Value(value.const, switches=held.switches)
    if isinstance(value.const, str) and held is None:
        return value  # a name, such as that of a split
    return forget_constant(value)


def _store_element(interp: Interpreter, target: ast.Subscript, value: Value, scope: Scope) -> None:
    base = expressions.evaluate(interp, target.value, scope)
    key = subscripts.key_value(interp, target.slice, scope)
    site = interp.site(target, scope)
    value = statistics.kept(interp, value)
    if LOOP in kinds_of(key):
        value = statistics.by_position(interp, value)
    if OUTPUT in kinds_of(value):
        value = totals.accumulate(interp, value, site)
    tables.note_write(interp, base.refs, key, site)
    if value.const is True or value.const == 1:
        value = _flagged(interp, value)
    tables.store(interp, base, key, value, regions.region(target.slice, scope))
    _widen_name(interp, target, base, value, scope)


def _widen_name(
    interp: Interpreter, target: ast.Subscript, base: Value, stored: Value, scope: Scope
) -> None:
    """What is stored in something that is no object goes to the name that it is known by."""
    if not base.refs and isinstance(target.value, ast.Name):
        made = join((base, derive(stored)))
        if TOKENS in kinds_of(base) and OUTPUT not in kinds_of(base):  # some are others now
            made = regions.selected(interp, made, target)
        scope.bind(target.value.id, made)


def _flagged(interp: Interpreter, value: Value) -> Value:
    """A flag set under a test of a piece's text: the piece begins with the word mark."""
    if any(PIECE in kinds(test) for test in interp.open_tests):
        return Value(value.const, value.labels | {Label(PIECE_FLAG, 0)})
    return value


def store_accumulated(interp: Interpreter, node: ast.AugAssign, scope: Scope) -> None:
    added = expressions.evaluate(interp, node.value, scope)
    current = _current(interp, node.target, scope)
    takes_logs = isinstance(node.op, ast.Sub) and OUTPUT in kinds_of(added)
    into, site = current.refs, interp.site(node, scope)
    state = statistics.of_state(interp, added, site)
    if isinstance(node.target, ast.Subscript):  # `totals[row] += loss` adds to the whole array
        into |= expressions.evaluate(interp, node.target.value, scope).refs
    if isinstance(node.op, ast.Add) or takes_logs:  # `nats -= log(p)` adds a loss, too
        added = totals.accumulate(interp, added, site, into)
    if TALLY in kinds_of(added):
        tables.note_write(interp, current.refs, added, site)
    if isinstance(node.target, ast.Subscript):
        _add_to_element(interp, node.target, added, node, scope)
    elif shared := [ref for ref in current.refs if ref.kind in ("tensor", "list")]:
        if not isinstance(node.op, ast.Add) and not takes_logs:
            for ref in shared:
                worths.rescaled(interp, ref, node.op, added, site)
        for ref in shared:
            ref.labels |= state
        _add_to_shared(shared, added)
        _learn(interp, current.refs, added, site)
    elif any(ref.kind == "module" for ref in current.refs):
        for ref in current.refs:
            ref.labels |= weights.carried(labels_of(added))
        _learn(interp, current.refs, added, site)
    else:
        made = arithmetic.combine(interp, node.op, current, added, node, scope)
        bind(interp, node.target, made, scope)


def _current(interp: Interpreter, target: ast.expr, scope: Scope) -> Value:
    if isinstance(target, ast.Name):
        return scope.lookup(target.id) or Value()
    return expressions.evaluate(interp, target, scope)


def _add_to_element(
    interp: Interpreter, target: ast.Subscript, added: Value, node: ast.AST, scope: Scope
) -> None:
    key = subscripts.key_value(interp, target.slice, scope)
    base = expressions.evaluate(interp, target.value, scope)
    added = losses.at_places(interp, base, key, added, interp.site(node, scope))
    tables.note_write(interp, base.refs, key, interp.site(node, scope))
    if OUTPUT in kinds_of(base):
        interp.trace.patched |= ids(labels_of(added), GIVEN)
    tables.store(interp, base, key, Value(labels=labels_of(added)))
    _widen_name(interp, target, base, added, scope)


def _learn(interp: Interpreter, refs: frozenset[Obj], added: Value, site: Site) -> None:
    """`weight -= rate * gradient`."""
    for ref in in_order(refs):
        if by_hand.learns(ref):
            by_hand.learnt(interp, ref, added, site)


def _add_to_shared(shared: list[Obj], added: Value) -> None:
    for ref in shared:
        ref.labels |= labels_of(added)
        if ref.kind == "list":
            ref.entries[None] = join([*ref.entries.values(), element_of(added)])


def add_in_place(interp: Interpreter, base: Value, call: Call) -> None:
    """`name.mul_(decay).add_(loss)` on what is no shared object: the name holds the sum now."""
    if isinstance(call.node.func, ast.Attribute):
        target = call.node.func.value
        while isinstance(target, ast.Call) and isinstance(target.func, ast.Attribute):
            target = target.func.value
        added = totals.accumulate(interp, _given(call), interp.site_of(call))
        bind(interp, target, derive(base, added), call.scope)


def _given(call: Call) -> Value:
    return call.args[0] if len(call.args) == 1 else derive(*call.args)
