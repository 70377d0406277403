"""Expressions: what a value is made of.

Guarantees: a constant is reported only when configuration and literals decide it; labels flow
through every operation that is not known to drop them (lengths, shapes, types).
Does not cover: arithmetic on labels; `x - x` still counts as made of x.
"""

from __future__ import annotations

import ast
from typing import Final

from audits.facts import calls, comparisons, folding, pieces, statements, stores, subscripts, totals
from audits.facts.machine import Machine, truth
from audits.facts.scope import Scope
from audits.facts.values import (
    BLANK,
    BYTES,
    COUNT,
    GATED,
    HASHED,
    OUTPUT,
    REGION,
    SIDECAR,
    STREAM,
    TOKENS,
    TRAIN,
    Bound,
    ClassObj,
    Function,
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

VALIDATION_SHARDS: Final = "fineweb_val_"
SIDECAR_SHARDS: Final = "fineweb_val_bytes"
TRAINING_SHARDS: Final = "fineweb_train"
_MEASURES: Final = frozenset({"shape", "ndim", "dtype", "device", "nbytes", "itemsize", "is_cuda"})


def evaluate(m: Machine, node: ast.expr, scope: Scope) -> Value:
    m.tick()
    match node:
        case ast.Constant():
            return literal(node.value)
        case ast.Name():
            found = scope.lookup(node.id)
            if found is not None:
                return found
            return literal(scope.file) if node.id == "__file__" else m.builtin(node.id)
        case ast.Attribute():
            return attribute(m, evaluate(m, node.value, scope), node.attr)
        case ast.Call():
            return calls.call_node(m, node, scope)
        case ast.Subscript():
            return subscripts.load(m, node, scope)
        case ast.BinOp():
            return _binary(m, node, scope)
        case ast.Compare():
            return comparisons.compare(m, node, scope)
        case ast.BoolOp():
            return _boolean(m, node, scope)
        case ast.UnaryOp():
            return _unary(m, node, scope)
        case ast.IfExp():
            return _conditional(m, node, scope)
        case ast.Tuple():
            return _tuple(m, node, scope)
        case ast.List() | ast.Set():
            return _list(m, node, scope)
        case ast.Dict():
            return _dict(m, node, scope)
        case ast.ListComp() | ast.SetComp() | ast.GeneratorExp():
            return _comprehension(m, node, scope)
        case ast.DictComp():
            return _comprehension(m, node, scope)
        case ast.Lambda():
            return Value(refs=frozenset({statements.define(m, node, scope)}))
        case ast.JoinedStr():
            return _joined(m, node, scope)
        case ast.NamedExpr():
            value = evaluate(m, node.value, scope)
            scope.bind(node.target.id, value)
            return value
        case ast.Starred() | ast.Await():
            return evaluate(m, node.value, scope)
        case ast.Yield() | ast.YieldFrom():
            return _yield(m, node, scope)
        case _:
            return BLANK


def literal(constant: object) -> Value:
    """A literal; the name of the validation shards is where the stream begins."""
    if isinstance(constant, str):
        if SIDECAR_SHARDS in constant:
            return Value(constant, frozenset({Label(STREAM, 0), Label(SIDECAR, 0)}))
        if VALIDATION_SHARDS in constant:
            return Value(constant, frozenset({Label(STREAM, 0)}))
        if TRAINING_SHARDS in constant:
            return Value(constant, frozenset({Label(TRAIN, 0)}))
        return Value(constant)
    if isinstance(constant, bytes):
        return Value(labels=frozenset({Label(BYTES, 0)}))
    plain = constant is None or isinstance(constant, bool | int | float)
    return Value(constant) if plain else BLANK


def attribute(m: Machine, base: Value, name: str) -> Value:
    """`base.name`: of a library, a class, an instance, a model, or a tensor."""
    if name in _MEASURES:
        return BLANK
    found = [value for ref in base.refs if (value := _attribute_of(ref, base, name)) is not None]
    if found:
        return join(found)
    return Value(labels=labels_of(base), refs=_parts(base), switches=base.switches)


def _parts(base: Value) -> frozenset[Obj]:
    """An unknown part of a model, or a view of a tensor, stands for the whole."""
    return frozenset(ref for ref in base.refs if ref.kind in ("module", "tensor", "optimizer"))


def _attribute_of(ref: Obj, base: Value, name: str) -> Value | None:
    if isinstance(ref, Library):
        return Value(refs=frozenset({Library(f"{ref.path}.{name}")}))
    if name in ref.attrs:
        return ref.attrs[name]
    if ref.kind == "native":
        return Value(refs=frozenset({Bound(Value(refs=frozenset({ref})), name, None)}))
    if ref.kind == "flags":
        return Value(switches=frozenset({f"--{name}"}))
    if isinstance(ref, ClassObj):
        return ref.find(name)
    if ref.cls is None or (found := ref.cls.find(name)) is None:
        return None
    methods = [one for one in found.refs if isinstance(one, Function)]
    if not methods:
        return found
    bound = frozenset(Bound(Value(refs=frozenset({ref})), name, method) for method in methods)
    return Value(refs=bound)


def _binary(m: Machine, node: ast.BinOp, scope: Scope) -> Value:
    left, right = evaluate(m, node.left, scope), evaluate(m, node.right, scope)
    return combine(m, node.op, left, right, node, scope)


def combine(
    m: Machine, op: ast.operator, left: Value, right: Value, node: ast.AST, scope: Scope
) -> Value:
    """The result of a binary operation, with what the trace has to remember about it."""
    made = derive(left, right)
    if left.known and right.known:
        const = folding.binary(op, left.const, right.const)
        return Value(const, made.labels, switches=made.switches)
    if isinstance(op, ast.Add | ast.Mult) and _lists(left):
        return _concatenated(m, left, right, node)
    labels = set(made.labels) | _hashed(op, left, right)
    if isinstance(op, ast.Add):
        labels = set(pieces.joined(left, right, frozenset(labels)))
    if not _hashed(op, left, right) and _mixed(left, right):
        labels.discard(Label(HASHED, 0))
    if isinstance(op, ast.Sub):
        labels |= totals.tilt(m, left, right, node, scope)
    if isinstance(op, ast.Div | ast.FloorDiv):
        labels |= totals.quotient(m, left, right, node, scope)
    if isinstance(op, ast.Mult) and any(one.known and not one.const for one in (left, right)):
        m.trace.muted |= ids(made.labels, GATED)  # a channel whose weight is zero
        return Value(switches=made.switches)
    if isinstance(op, ast.Mult):
        labels |= _weighting(m, left, right, node) | totals.self_weighting(
            m, left, right, node, scope
        )
    if isinstance(op, ast.Div | ast.Mult):
        totals.note_conversion(m, left, right, node, scope)
    return Value(labels=frozenset(labels), switches=made.switches)


def _hashed(op: ast.operator, left: Value, right: Value) -> set[Label]:
    """A mask or a modulus over tokens folds them into buckets."""
    held = kinds(labels_of(left) | labels_of(right))
    folds = isinstance(op, ast.BitAnd | ast.Mod) and TOKENS in held and COUNT not in held
    return {Label(HASHED, 0)} if folds else set()


def _mixed(left: Value, right: Value) -> bool:
    """`bucket * V + token` is an exact row and column again: one side holds tokens unhashed."""
    return any(TOKENS in held and HASHED not in held for held in map(kinds_of, (left, right)))


def _weighting(m: Machine, left: Value, right: Value, node: ast.AST) -> set[Label]:
    """A loss times something unknown: it may be a mask that leaves positions out."""
    for loss, weight in ((left, right), (right, left)):
        held = kinds_of(weight)
        if OUTPUT in kinds_of(loss) and not weight.known and not held & {OUTPUT, REGION}:
            return {Label(REGION, m.trace.region(ast.unparse(node)))}
    return set()


def _lists(value: Value) -> bool:
    return any(ref.kind == "list" for ref in value.refs)


def _concatenated(m: Machine, left: Value, right: Value, node: ast.AST) -> Value:
    return _container(m, "list", [element_of(left), element_of(right)], node)


def _boolean(m: Machine, node: ast.BoolOp, scope: Scope) -> Value:
    """`and` stops at a known false, `or` at a known true; an unknown operand may do either."""
    stop_at = isinstance(node.op, ast.Or)
    seen: list[Value] = []
    for part in node.values:
        value = evaluate(m, part, scope)
        seen.append(value)
        if truth(value) is stop_at:
            return Value(value.const, value.labels, value.refs, value.items, value.switches)
    if all(truth(value) is (not stop_at) for value in seen):
        last = seen[-1]
        return Value(last.const, last.labels, last.refs, last.items, derive(*seen).switches)
    return join(value for value in seen if truth(value) is None)


def _unary(m: Machine, node: ast.UnaryOp, scope: Scope) -> Value:
    operand = evaluate(m, node.operand, scope)
    if operand.known:
        const = folding.unary(node.op, operand.const)
        return Value(const, operand.labels, switches=operand.switches)
    return derive(operand)


def _conditional(m: Machine, node: ast.IfExp, scope: Scope) -> Value:
    test = evaluate(m, node.test, scope)
    decided = truth(test)
    if decided is not None:
        chosen = evaluate(m, node.body if decided else node.orelse, scope)
        return Value(
            chosen.const, chosen.labels, chosen.refs, chosen.items, chosen.switches | test.switches
        )
    both = join((evaluate(m, node.body, scope), evaluate(m, node.orelse, scope)))
    selects = frozenset(label for label in test.labels if label.kind == REGION)
    return Value(
        both.const, both.labels | selects, both.refs, both.items, both.switches | test.switches
    )


def _tuple(m: Machine, node: ast.Tuple, scope: Scope) -> Value:
    items = tuple(evaluate(m, item, scope) for item in node.elts)
    if items and all(item.known for item in items):
        return Value(tuple(item.const for item in items), labels_of(derive(*items)), items=items)
    return Value(items=items)


def _list(m: Machine, node: ast.List | ast.Set, scope: Scope) -> Value:
    made = _container(m, "list", [], node)
    for ref in made.refs:
        ref.entries.update(enumerate(evaluate(m, item, scope) for item in node.elts))
    return made


def _container(m: Machine, kind: str, values: list[Value], node: ast.AST) -> Value:
    made = Obj(kind, getattr(node, "lineno", 0))
    made.home = tuple(m.loops)
    if values:
        made.entries[None] = join(values)
    return Value(refs=frozenset({made}))


def _dict(m: Machine, node: ast.Dict, scope: Scope) -> Value:
    made = Obj("dict", node.lineno)
    for key, item in zip(node.keys, node.values, strict=True):
        value = evaluate(m, item, scope)
        if key is None:
            for ref in value.refs:
                made.entries |= ref.entries
        else:
            made.entries[subscripts.key_class(evaluate(m, key, scope))] = value
    return Value(refs=frozenset({made}))


def _comprehension(
    m: Machine, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp, scope: Scope
) -> Value:
    inner = Scope(scope)
    for generator in node.generators:
        iterable = evaluate(m, generator.iter, inner)
        stores.bind(m, generator.target, element_of(iterable), inner)
        for test in generator.ifs:
            evaluate(m, test, inner)
    if isinstance(node, ast.DictComp):
        made = Obj("dict", node.lineno)
        key = subscripts.key_class(evaluate(m, node.key, inner))
        made.entries[key] = evaluate(m, node.value, inner)
        return Value(refs=frozenset({made}))
    return _container(m, "list", [evaluate(m, node.elt, inner)], node)


def _joined(m: Machine, node: ast.JoinedStr, scope: Scope) -> Value:
    parts: list[Value] = []
    for part in node.values:
        inner = part.value if isinstance(part, ast.FormattedValue) else part
        parts.append(evaluate(m, inner, scope))
        if isinstance(part, ast.FormattedValue) and part.format_spec is not None:
            return derive(*parts)
    made = derive(*parts)
    if all(part.known for part in parts):
        whole = literal("".join(str(part.const) for part in parts))
        return Value(whole.const, whole.labels | made.labels, switches=made.switches)
    return made


def _yield(m: Machine, node: ast.Yield | ast.YieldFrom, scope: Scope) -> Value:
    value = evaluate(m, node.value, scope) if node.value else BLANK
    m.frames[-1].yielded.append(element_of(value) if isinstance(node, ast.YieldFrom) else value)
    return BLANK


def element_of(value: Value) -> Value:
    """What iterating over the value gives."""
    if value.items is not None:
        return join(value.items)
    holders = [ref for ref in value.refs if ref.kind in ("list", "dict")]
    if holders:
        inside = [entry for ref in holders for entry in ref.entries.values()]
        loose = {label for ref in holders for label in ref.labels} | value.labels
        return join([*inside, Value(labels=frozenset(loose))] if loose else inside)
    if value.known:
        return Value(switches=value.switches)
    return Value(labels=labels_of(value), refs=value.refs, switches=value.switches)


def opaque(args: list[Value], keywords: dict[str, Value]) -> Value:
    """The result of a call that cannot be followed: made of its arguments."""
    return derive(*args, *keywords.values())
