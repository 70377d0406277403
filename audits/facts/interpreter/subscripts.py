"""Subscript reads: where pieces are cut from the validation stream and counts are looked up.

Guarantees: every cut of the stream gets its own identity and remembers what it was cut from, so
that "the very same tokens" can be told from "other tokens".
Does not cover: index arithmetic; two cuts with equal bounds are different pieces.
"""

from __future__ import annotations

import ast

from audits.facts import folding
from audits.facts.effects import (
    coverage,
    losses,
    pieces,
    predictions,
    regions,
    rounds,
    shards,
    sifts,
    tables,
    worths,
)
from audits.facts.events import Region, TokenRead
from audits.facts.interpreter import expressions
from audits.facts.labels import (
    ACCUMULATED,
    COUNT,
    HASHED,
    LIMITED,
    LOOP,
    NOTHING,
    OUTPUT,
    REALISED,
    ROUND,
    SHARE,
    SIZE,
    STATISTIC,
    STREAM,
    TOKENS,
    Label,
    ids,
    kinds,
)
from audits.facts.scope import Scope
from audits.facts.state import Interpreter
from audits.facts.trace import noted
from audits.facts.values import BLANK, Library, Value, derive, kinds_of, labels_of
from audits.facts.worth import Form

_HOLDERS = ("list", "dict")
_NO_CONTENT = frozenset({STREAM, TOKENS, STATISTIC, SHARE, LIMITED, SIZE})


def load(interp: Interpreter, node: ast.Subscript, scope: Scope) -> Value:
    base = shards.cut(expressions.evaluate(interp, node.value, scope), node)
    key = key_value(interp, node.slice, scope)
    if any(isinstance(ref, Library) and ref.path == "os.environ" for ref in base.refs):
        return interp.config.read(str(key.const), BLANK) if key.known else BLANK
    sliced = isinstance(node.slice, ast.Slice)
    if sliced:
        coverage.begins(interp, _begin(interp, node.slice, scope))
    if base.known and key.known and not sliced:
        return Value(folding.item(base.const, key.const), base.labels, switches=base.switches)
    if base.items is not None and isinstance(key.const, int):
        inside = -len(base.items) <= key.const < len(base.items)
        return base.items[key.const] if inside else BLANK
    if holders := [ref for ref in base.refs if ref.kind in _HOLDERS]:
        if sliced:
            part = coverage.of_slice(interp, base, key, node.slice, scope)
            return sifts.of_list(interp, base, part, key, interp.site(node, scope))
        return tables.element(interp, holders, key, interp.site(node, scope))
    return _cut(interp, pieces.sliced(base, node.slice), key, node, scope)


def key_value(interp: Interpreter, node: ast.expr, scope: Scope) -> Value:
    """The key; of a slice, only what its bounds are made of."""
    if isinstance(node, ast.Slice):
        bounds = [part for part in (node.lower, node.upper, node.step) if part is not None]
        return derive(*(expressions.evaluate(interp, part, scope) for part in bounds))
    if isinstance(node, ast.Tuple):
        parts = [key_value(interp, part, scope) for part in node.elts]
        hashed = [part for part in parts if HASHED in kinds_of(part)]
        return derive(*(hashed or parts))  # counts[hash(context), token] is a row, then its entry
    return expressions.evaluate(interp, node, scope)


def _cut(interp: Interpreter, base: Value, key: Value, node: ast.Subscript, scope: Scope) -> Value:
    labels, index = labels_of(base), labels_of(key)
    held = kinds(labels)
    site = interp.site(node, scope)
    made_of_all = any(interp.trace.statistics[one].direct for one in ids(labels, STATISTIC))
    tokens = held & {STREAM, TOKENS} and not held & {OUTPUT, COUNT, ACCUMULATED}
    if tokens and not (made_of_all and _is_view(node.slice)):
        limit = _limit(interp, node.slice, scope)
        placed = rounds.bounds(interp, node.slice, _begin(interp, node.slice, scope), scope)
        read = TokenRead(
            site,
            ids(labels, TOKENS),
            ids(index, LOOP) | ids(labels, LOOP),
            limit,
            frozenset(interp.loops),
            _is_single(node.slice),
            ids(index, ROUND),
            regions.region(node.slice, scope),
            placed,
            frozenset(interp.trace.parts[one] for one in coverage.ends(index | labels)),
        )
        number = noted(interp.trace.reads, read)
        cut = Label(TOKENS, number)
        # Where a piece lies is not what it holds: a document's bounds come from the whole stream.
        labels = frozenset(one for one in labels | index if one.kind not in _NO_CONTENT)
        index, labels = NOTHING, rounds.unplaced(labels) | {cut}
    if OUTPUT in held and TOKENS in kinds(index) and not kinds(index) & {OUTPUT, COUNT}:
        interp.trace.targets |= ids(index, TOKENS)  # of rows of logits, the entries of targets
    if OUTPUT in held and (chosen := _chosen(node.slice, scope)):
        labels |= {regions.mark(interp, chosen)}
    views = frozenset(ref for ref in base.refs if ref.kind == "module")
    if OUTPUT in held:
        labels |= {Label(ROUND, loop) for loop in ids(index, LOOP)}  # the row of a window
    if OUTPUT in held and not isinstance(node.slice, ast.Slice | ast.Tuple):
        labels |= losses.left_out(interp, base, key, site)
    labels |= sifts.cut(interp, base, key, site, sliced=isinstance(node.slice, ast.Slice))
    worth = worths.score_of(base)
    entries = worth.form in (Form.P, Form.LOG) if worth else _are_entries(node, held, index)
    if entries and TOKENS in kinds_of(key):  # p[row, y]
        picked = predictions.realised(Value(labels=labels))
        labels |= losses.of_target(interp, base, key, picked, site).labels
    made = Value(labels=labels | index, refs=views, switches=base.switches, worth=worth)
    arrays = frozenset(ref for ref in base.refs if ref.kind == "tensor")
    return tables.note_read(interp, made, arrays, key, site)


def _is_view(key: ast.expr) -> bool:
    """`often[:, None]`: the same numbers."""
    parts = key.elts if isinstance(key, ast.Tuple) else [key]
    return all(ast.unparse(one) in (":", "None", "...") for one in parts)


def _are_entries(node: ast.Subscript, held: set[str], index: frozenset[Label]) -> bool:
    """`p[rows, y]` of what a model gave, and of what was mixed with it."""
    parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else []
    plain = len(parts) > 1 and not any(isinstance(one, ast.Slice) for one in parts)
    return plain and OUTPUT in held and not held & {REALISED, COUNT} and not kinds(index) & {OUTPUT}


def _begin(interp: Interpreter, key: ast.expr, scope: Scope) -> Value:
    """Where a cut begins, told again of what calls nothing."""
    begin = key.lower if isinstance(key, ast.Slice) else key
    if begin is None or isinstance(begin, ast.Tuple):
        return BLANK
    if any(isinstance(one, ast.Call | ast.Subscript) for one in ast.walk(begin)):
        return BLANK
    return expressions.evaluate(interp, begin, scope)


def _is_single(key: ast.expr) -> bool:
    """One token; `tokens[None]` is another view of all of them."""
    view = isinstance(key, ast.Constant) and not isinstance(key.value, int)
    return not view and not isinstance(key, ast.Slice | ast.Tuple)


def _chosen(node: ast.expr, scope: Scope) -> Region | None:
    """What restricts a loss to some positions."""
    return regions.region(node, scope) or regions.selection(node)


def _limit(interp: Interpreter, node: ast.expr, scope: Scope) -> int | None:
    """The length of `stream[:length]`, where configuration and literals decide it."""
    if not isinstance(node, ast.Slice) or node.upper is None or node.step is not None:
        return None
    begins = node.lower is None or (isinstance(node.lower, ast.Constant) and not node.lower.value)
    if not begins or any(isinstance(one, ast.Call) for one in ast.walk(node.upper)):
        return None
    length = expressions.evaluate(interp, node.upper, scope).const
    return length if isinstance(length, int) and length > 0 else None
