"""Subscript reads: where pieces are cut from the validation stream and counts are looked up.

Guarantees: every cut of the stream gets its own identity and remembers what it was cut from, so
that "the very same tokens" can be told from "other tokens".
Does not cover: index arithmetic; two cuts with equal bounds are different pieces.
"""

from __future__ import annotations

import ast

from audits.facts import expressions, folding, pieces
from audits.facts.machine import Machine
from audits.facts.scope import Scope
from audits.facts.trace import TableRead, TokenRead
from audits.facts.values import (
    ACCUMULATED,
    BLANK,
    BYTES,
    COUNT,
    HASHED,
    LOOP,
    NOTHING,
    OUTPUT,
    REGION,
    STREAM,
    TOKENS,
    Label,
    Library,
    Obj,
    Value,
    derive,
    ids,
    join,
    kinds,
    kinds_of,
    labels_of,
)

_HOLDERS = ("list", "dict")
SPELLED = " \u2261 "  # between a slice as written and its bounds, spelled out
ANY_NAME = "_"


def load(m: Machine, node: ast.Subscript, scope: Scope) -> Value:
    base = expressions.evaluate(m, node.value, scope)
    key = key_value(m, node.slice, scope)
    if any(isinstance(ref, Library) and ref.path == "os.environ" for ref in base.refs):
        return m.config.read(str(key.const), BLANK) if key.known else BLANK
    if base.known and key.known and not isinstance(node.slice, ast.Slice):
        return Value(folding.item(base.const, key.const), base.labels, switches=base.switches)
    if base.items is not None and isinstance(key.const, int):
        inside = -len(base.items) <= key.const < len(base.items)
        return base.items[key.const] if inside else BLANK
    holders = [ref for ref in base.refs if ref.kind in _HOLDERS]
    if holders and not isinstance(node.slice, ast.Slice):
        return element(m, holders, key, node, scope)
    if holders:
        return base
    base = pieces.sliced(base, node.slice)
    return _cut(m, base, key, node, scope)


def key_value(m: Machine, node: ast.expr, scope: Scope) -> Value:
    """The key; of a slice, only what its bounds are made of."""
    if isinstance(node, ast.Slice):
        bounds = [part for part in (node.lower, node.upper, node.step) if part is not None]
        return derive(*(expressions.evaluate(m, part, scope) for part in bounds))
    if isinstance(node, ast.Tuple):
        parts = [key_value(m, part, scope) for part in node.elts]
        hashed = [part for part in parts if HASHED in kinds_of(part)]
        return derive(*(hashed or parts))  # counts[hash(context), token] is a row, then its entry
    return expressions.evaluate(m, node, scope)


def key_class(key: Value) -> object:
    """Entries are told apart by constant key, else by whether the key comes from the stream."""
    if key.known:
        return key.const
    return "stream" if kinds_of(key) & {STREAM, TOKENS} else None


def element(m: Machine, holders: list[Obj], key: Value, node: ast.AST, scope: Scope) -> Value:
    wanted = key_class(key)
    found = [ref.entries[wanted] for ref in holders if wanted in ref.entries]
    if not found:
        found = [entry for ref in holders for entry in ref.entries.values()]
    loose = frozenset(label for ref in holders for label in ref.labels)
    made = join([*found, Value(labels=loose)] if loose else found)
    return _with_count(m, made, frozenset(holders), key, node, scope)


def _cut(m: Machine, base: Value, key: Value, node: ast.Subscript, scope: Scope) -> Value:
    labels, index = labels_of(base), labels_of(key)
    held = kinds(labels)
    if held & {STREAM, TOKENS} and not held & {OUTPUT, COUNT, ACCUMULATED}:
        limit = _limit(m, node.slice, scope)
        m.trace.reads.append(
            TokenRead(m.site(node, scope), ids(labels, TOKENS), ids(index, LOOP), limit)
        )
        cut = Label(TOKENS, len(m.trace.reads) - 1)
        # Where a piece lies is not what it holds: a document's bounds come from the whole stream.
        labels = frozenset(one for one in labels | index if one.kind not in (STREAM, TOKENS))
        index, labels = NOTHING, labels | {cut}
    if OUTPUT in held and (text := region(node.slice, scope) or selection(node.slice)):
        labels |= {Label(REGION, m.trace.region(text))}
    views = frozenset(ref for ref in base.refs if ref.kind == "module")
    made = Value(labels=labels | index, refs=views, switches=base.switches)
    tables = frozenset(ref for ref in base.refs if ref.kind == "tensor")
    return _with_count(m, made, tables, key, node, scope)


def _limit(m: Machine, node: ast.expr, scope: Scope) -> int | None:
    """The length of `stream[:length]`, where configuration and literals decide it."""
    if not isinstance(node, ast.Slice) or node.upper is None or node.step is not None:
        return None
    begins = node.lower is None or (isinstance(node.lower, ast.Constant) and not node.lower.value)
    if not begins or any(isinstance(one, ast.Call) for one in ast.walk(node.upper)):
        return None
    length = expressions.evaluate(m, node.upper, scope).const
    return length if isinstance(length, int) and length > 0 else None


def _with_count(
    m: Machine, made: Value, tables: frozenset[Obj], key: Value, node: ast.AST, scope: Scope
) -> Value:
    """A read by a key that was computed from tokens is remembered as a look-up."""
    labels = labels_of(key)
    if not tables or not kinds(labels) & {TOKENS, BYTES}:
        return made
    read = TableRead(m.site(node, scope), tables, labels, m.moment())
    m.trace.table_reads.append(read)
    mark = Label(COUNT, len(m.trace.table_reads) - 1)
    return Value(made.const, made.labels | labels | {mark}, made.refs, made.items, made.switches)


def selection(node: ast.expr) -> str:
    """The text of a mask that is used as a key; a plain index selects a row, not positions."""
    return "" if isinstance(node, ast.Constant | ast.Slice | ast.Tuple) else ast.unparse(node)


def region(node: ast.expr, scope: Scope) -> str:
    """The position slice, such as `s:wlen`, as written and with its bounds spelled out.

    Empty when all positions are taken.
    """
    parts: list[ast.expr] = node.elts if isinstance(node, ast.Tuple) else [node]
    for part in reversed(parts):
        if isinstance(part, ast.Slice) and (part.lower is not None or part.upper is not None):
            bounds = (_spelled(bound, scope) for bound in (part.lower, part.upper))
            return ast.unparse(part) + SPELLED + SPELLED.join(bounds)
    return ""


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
        known = node.id in ("max", "min", "len", "int")
        return node if known else ast.Name(ANY_NAME, node.ctx)
