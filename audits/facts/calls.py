"""Calls: who is called, and what comes back.

Guarantees: functions, methods, closures and callbacks of the submission are followed in place;
sibling files that are imported, executed or started are read as part of it.
Does not cover: the inside of a model (a call on an `nn.Module` is one step), names built at run
time.
"""

from __future__ import annotations

import ast

from audits.facts import expressions, hooks, library, methods, statements
from audits.facts.machine import Machine
from audits.facts.scope import Scope
from audits.facts.trace import SidecarInput
from audits.facts.values import (
    BLANK,
    OUTPUT,
    SIDECAR,
    STREAM,
    TOKENS,
    Bound,
    ClassObj,
    Function,
    Label,
    Library,
    Obj,
    Partial,
    Value,
    ids,
    join,
    kinds,
    labels_of,
)
from audits.facts.weights import adaptations

Args = list[Value]
Keywords = dict[str, Value]


def call_node(m: Machine, node: ast.Call, scope: Scope) -> Value:
    if isinstance(node.func, ast.Name) and node.func.id == "super":
        return BLANK
    if isinstance(node.func, ast.Attribute):
        base = expressions.evaluate(m, node.func.value, scope)
        args, keywords = arguments(m, node, scope)
        return methods.call_method(m, base, node.func.attr, args, keywords, node, scope)
    callee = expressions.evaluate(m, node.func, scope)
    args, keywords = arguments(m, node, scope)
    return call_value(m, callee, args, keywords, node, scope)


def arguments(m: Machine, node: ast.Call, scope: Scope) -> tuple[Args, Keywords]:
    args: Args = []
    for one in node.args:
        value = expressions.evaluate(m, one, scope)
        spread = isinstance(one, ast.Starred)
        args += list(value.items or [expressions.element_of(value)]) if spread else [value]
    keywords: Keywords = {}
    for keyword in node.keywords:
        value = expressions.evaluate(m, keyword.value, scope)
        if keyword.arg is not None:
            keywords[keyword.arg] = value
            continue
        for ref in value.refs:
            keywords |= {key: one for key, one in ref.entries.items() if isinstance(key, str)}
    return args, keywords


def call_value(
    m: Machine, callee: Value, args: Args, keywords: Keywords, node: ast.Call, scope: Scope
) -> Value:
    """The join over everything the callee may be."""
    if not callee.refs:
        return expressions.opaque([callee, *args], keywords)
    results = [
        _call_one(m, ref, args, keywords, node, scope)
        for ref in sorted(callee.refs, key=lambda ref: (ref.line, ref.kind))
    ]
    return join(results)


def _call_one(
    m: Machine, ref: Obj, args: Args, keywords: Keywords, node: ast.Call, scope: Scope
) -> Value:
    match ref:
        case Function():
            if ref.owner is not None and ref.owner.role == "module":
                return call_model(m, args, keywords)
            return statements.call_function(m, ref, args, keywords)
        case Bound():
            return call_bound(m, ref, args, keywords, node, scope)
        case Partial():
            merged = {**ref.keywords, **keywords}
            return call_value(m, ref.target, [*ref.args, *args], merged, node, scope)
        case ClassObj():
            return construct(m, ref, args, keywords, node, scope)
        case Library():
            return library.call(m, ref.path, args, keywords, node, scope)
    if ref.kind == "module":
        return call_model(m, [Value(refs=frozenset({ref})), *args], keywords)
    if ref.cls is not None and (method := ref.cls.find("__call__")) is not None:
        return call_value(m, method, [Value(refs=frozenset({ref})), *args], keywords, node, scope)
    return expressions.opaque(args, keywords)


def call_bound(
    m: Machine, ref: Bound, args: Args, keywords: Keywords, node: ast.Call, scope: Scope
) -> Value:
    if ref.method is None:
        return methods.call_method(m, ref.receiver, ref.name, args, keywords, node, scope)
    if any(one.kind == "module" for one in ref.receiver.refs):
        return call_model(m, [ref.receiver, *args], keywords)
    if not _decorated(ref.method, "staticmethod"):
        args = [ref.receiver, *args]
    return statements.call_function(m, ref.method, args, keywords)


def call_model(m: Machine, args: Args, keywords: Keywords) -> Value:
    """A model's output: made of its inputs and of whatever its weights have learnt."""
    values = [*args, *keywords.values()]
    plain = [value for value in values if not any(ref.kind == "module" for ref in value.refs)]
    labels = expressions.opaque(plain, {}).labels
    learnt = frozenset(label for value in values for label in adaptations(value))
    returned = Value(labels=labels | learnt)
    if kinds(labels) & {TOKENS, STREAM}:
        number = m.fresh_id()
        returned = Value(labels=returned.labels | {Label(OUTPUT, number)})
        _note_inputs(m, plain, labels, number)
    hooks.note_pass(m, labels, returned)
    return returned


def _note_inputs(m: Machine, given: Args, labels: frozenset[Label], number: int) -> None:
    """What the pass was made from: its first argument of tokens, and counts of bytes."""
    tokens = [read for value in given if (read := ids(labels_of(value), TOKENS))]
    m.trace.inputs[number] = tokens[0] if tokens else frozenset()
    if SIDECAR in kinds(labels):
        m.trace.sidecar_inputs.append(SidecarInput(m.here(), m.moment(), frozenset({number})))


def construct(
    m: Machine, cls: ClassObj, args: Args, keywords: Keywords, node: ast.Call, scope: Scope
) -> Value:
    kind = {"module": "module", "optimizer": "optimizer"}.get(cls.role, "instance")
    made = Obj(kind, node.lineno, cls)
    made.home = tuple(m.loops)
    value = Value(refs=frozenset({made}))
    if kind == "optimizer":
        made.entries = dict(enumerate([*args, *keywords.values()]))
        return value
    if kind == "module":
        return value
    initialiser = cls.find("__init__")
    if initialiser is not None:
        call_value(m, initialiser, [value, *args], keywords, node, scope)
    else:
        made.attrs |= dict(zip(cls.fields, args, strict=False))
        made.attrs |= keywords
        if (after := cls.find("__post_init__")) is not None:
            call_value(m, after, [value], {}, node, scope)
    return value


def call_on_class(
    m: Machine,
    cls: ClassObj,
    name: str,
    args: Args,
    keywords: Keywords,
    node: ast.Call,
    scope: Scope,
) -> Value:
    """`Config.from_env()` and the like: a class method is given its class."""
    found = cls.find(name)
    if found is None:
        return expressions.opaque(args, keywords)
    if any(isinstance(ref, Function) and _decorated(ref, "classmethod") for ref in found.refs):
        args = [Value(refs=frozenset({cls})), *args]
    return call_value(m, found, args, keywords, node, scope)


def _decorated(function: Function, name: str) -> bool:
    decorators = getattr(function.node, "decorator_list", [])
    return any(isinstance(one, ast.Name) and one.id == name for one in decorators)
