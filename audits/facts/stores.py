"""Assignments: names, attributes, elements, and in-place updates of shared objects.

Guarantees: `total += loss` on a shared tensor is seen by every holder; storing losses by position
counts as recording them; a store into an array by a key made of tokens marks the array as a table
of counts.
Does not cover: partial overwrites; an array keeps the labels of everything ever stored in it.
"""

from __future__ import annotations

import ast

from audits.facts import expressions, subscripts, totals, weights
from audits.facts.machine import Machine
from audits.facts.scope import Scope
from audits.facts.trace import TableWrite
from audits.facts.values import (
    BYTES,
    GIVEN,
    OUTPUT,
    PIECE,
    PIECE_FLAG,
    REGION,
    STREAM,
    TALLY,
    TOKENS,
    TRAIN,
    Label,
    Obj,
    Value,
    derive,
    ids,
    join,
    kinds,
    kinds_of,
    labels_of,
)


def bind(m: Machine, target: ast.expr, value: Value, scope: Scope) -> None:
    match target:
        case ast.Name():
            scope.bind(target.id, value)
        case ast.Tuple() | ast.List():
            _unpack(m, target, value, scope)
        case ast.Starred():
            bind(m, target.value, value, scope)
        case ast.Attribute():
            _store_attribute(m, target, value, scope)
        case ast.Subscript():
            _store_element(m, target, value, scope)
        case _:
            pass


def _unpack(m: Machine, target: ast.Tuple | ast.List, value: Value, scope: Scope) -> None:
    count = len(target.elts)
    if value.items is not None and len(value.items) == count:
        parts = list(value.items)
    else:
        parts = [expressions.element_of(value)] * count
    for one, part in zip(target.elts, parts, strict=True):
        bind(m, one, part, scope)


def _store_attribute(m: Machine, target: ast.Attribute, value: Value, scope: Scope) -> None:
    for ref in expressions.evaluate(m, target.value, scope).refs:
        if target.attr == "data":
            weights.overwrite(ref, value)
        elif ref.kind == "instance" and value.known and not value.switches:
            held = ref.attrs.get(target.attr)
            if held is not None and held.switches:  # a setting that a preset overrides
                ref.attrs[target.attr] = Value(value.const, switches=held.switches)
            else:
                ref.attrs[target.attr] = forget_constant(value)  # other methods may change it
        else:
            ref.attrs[target.attr] = value


def forget_constant(value: Value) -> Value:
    return Value(labels=value.labels, refs=value.refs, items=None, switches=value.switches)


def _store_element(m: Machine, target: ast.Subscript, value: Value, scope: Scope) -> None:
    base = expressions.evaluate(m, target.value, scope)
    key = subscripts.key_value(m, target.slice, scope)
    if OUTPUT in kinds_of(value):
        value = totals.accumulate(m, value, target, scope)
    note_write(m, base.refs, key, target, scope)
    if value.const is True or value.const == 1:
        value = _flagged(m, value)
    store(m, base, key, value, subscripts.region(target.slice, scope))
    if not base.refs and isinstance(target.value, ast.Name):
        scope.bind(target.value.id, join((base, derive(value))))


def store(m: Machine, base: Value, key: Value, value: Value, region: str = "") -> None:
    """`base[key] = value` for each object that `base` may be; the region it fills, if a slice."""
    for ref in base.refs:
        if ref.kind in ("list", "dict"):
            wanted = subscripts.key_class(key)
            ref.entries[wanted] = join(
                [value, *([ref.entries[wanted]] if wanted in ref.entries else [])]
            )
        elif ref.kind == "tensor":
            ref.labels |= labels_of(value)
            if region:
                _mark_region(m, ref, region, value)


def _flagged(m: Machine, value: Value) -> Value:
    """A flag set under a test of a piece's text: the piece begins with the word mark."""
    if any(PIECE in kinds(test) for test in m.tests):
        return Value(value.const, value.labels | {Label(PIECE_FLAG, 0)})
    return value


def note_write(m: Machine, tables: frozenset[Obj], key: Value, node: ast.AST, scope: Scope) -> None:
    """Remembers a store by a key that was computed from tokens."""
    labels = labels_of(key)
    held = kinds(labels)
    if tables and held & {TOKENS, TRAIN, STREAM, BYTES}:
        write = TableWrite(m.site(node, scope), tables, labels, m.moment())
        m.trace.table_writes.append(write)
        m.trace.written_tables |= tables if held & {TOKENS, TRAIN, STREAM} else frozenset()


def _mark_region(m: Machine, ref: Obj, text: str, value: Value) -> None:
    """`mask[i, s:wlen] = 1` selects these positions, `= 0` all others."""
    if value.known:
        chosen = text if value.const else f"all but {text}"
        ref.labels.add(Label(REGION, m.trace.region(chosen)))


def store_accumulated(m: Machine, node: ast.AugAssign, scope: Scope) -> None:
    added = expressions.evaluate(m, node.value, scope)
    current = _current(m, node.target, scope)
    takes_logs = isinstance(node.op, ast.Sub) and OUTPUT in kinds_of(added)
    into = current.refs
    if isinstance(node.target, ast.Subscript):  # `totals[row] += loss` adds to the whole array
        into |= expressions.evaluate(m, node.target.value, scope).refs
    if isinstance(node.op, ast.Add) or takes_logs:  # `nats -= log(p)` adds a loss, too
        added = totals.accumulate(m, added, node, scope, into)
    if TALLY in kinds_of(added):
        note_write(m, current.refs, added, node, scope)
    if isinstance(node.target, ast.Subscript):
        key = subscripts.key_value(m, node.target.slice, scope)
        base = expressions.evaluate(m, node.target.value, scope)
        note_write(m, base.refs, key, node, scope)
        if OUTPUT in kinds_of(base):
            m.trace.patched |= ids(labels_of(added), GIVEN)
        store(m, base, key, Value(labels=labels_of(added)))
        if not base.refs and isinstance(node.target.value, ast.Name):
            scope.bind(node.target.value.id, join((base, derive(added))))
        return
    shared = [ref for ref in current.refs if ref.kind in ("tensor", "list")]
    for ref in shared:
        ref.labels |= labels_of(added)
        if ref.kind == "list":
            ref.entries[None] = join([*ref.entries.values(), expressions.element_of(added)])
    if not shared:
        bind(m, node.target, expressions.combine(m, node.op, current, added, node, scope), scope)


def _current(m: Machine, target: ast.expr, scope: Scope) -> Value:
    if isinstance(target, ast.Name):
        return scope.lookup(target.id) or Value()
    return expressions.evaluate(m, target, scope)
