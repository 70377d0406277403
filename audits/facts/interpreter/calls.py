"""Calls: who is called, and what comes back.

Guarantees: functions, methods, closures and callbacks of the submission are followed in place.
Does not cover: the inside of a model (a call on an `nn.Module` is one step), names built at run
time.
"""

from __future__ import annotations

import ast
from dataclasses import replace

from audits.facts.call import Call
from audits.facts.effects import cuts
from audits.facts.effects.predictions import call_model
from audits.facts.interpreter import definitions, expressions, library, methods
from audits.facts.labels import KEPT, STATISTIC
from audits.facts.objects import Bound, Function, Partial
from audits.facts.scope import Scope
from audits.facts.state import Interpreter
from audits.facts.values import (
    BLANK,
    ClassObj,
    Library,
    Obj,
    Value,
    derive,
    element_of,
    in_order,
    join,
)

UNNAMED = "**"  # what a dictionary gives under names that are not known


def call_node(interp: Interpreter, node: ast.Call, scope: Scope) -> Value:
    if isinstance(node.func, ast.Name) and node.func.id == "super":
        return BLANK
    if isinstance(node.func, ast.Attribute):
        base = expressions.evaluate(interp, node.func.value, scope)
        return methods.call_method(interp, base, node.func.attr, _call(interp, node, scope))
    callee = expressions.evaluate(interp, node.func, scope)
    return call_value(interp, callee, _call(interp, node, scope))


def _call(interp: Interpreter, node: ast.Call, scope: Scope) -> Call:
    """The call with its arguments evaluated, in order."""
    args: list[Value] = []
    for one in node.args:
        value = expressions.evaluate(interp, one, scope)
        spread = isinstance(one, ast.Starred)
        args += list(value.items or [element_of(value)]) if spread else [value]
    keywords: dict[str, Value] = {}
    for keyword in node.keywords:
        value = expressions.evaluate(interp, keyword.value, scope)
        if keyword.arg is not None:
            keywords[keyword.arg] = value
            continue
        for ref in value.refs:
            keywords |= {key: one for key, one in ref.entries.items() if isinstance(key, str)}
            if None in ref.entries:
                keywords[UNNAMED] = ref.entries[None]
    return Call(args, keywords, node, scope)


def call_value(interp: Interpreter, callee: Value, call: Call) -> Value:
    """The join over everything the callee may be."""
    if not callee.refs:
        cuts.unknown_function(interp, call)
        return derive(callee, *call.values)
    made = join([_call_one(interp, ref, call) for ref in in_order(callee.refs)])
    kept = frozenset(label for label in callee.labels if label.kind in (STATISTIC, KEPT))
    return replace(made, labels=made.labels | kept) if kept else made


def _call_one(interp: Interpreter, ref: Obj, call: Call) -> Value:
    match ref:
        case Function():
            if ref.owner is not None and ref.owner.role == "module":
                return call_model(interp, call.values, call.written(interp.frames[-1].name))
            return definitions.call_function(interp, ref, call.args, call.keywords)
        case Bound():
            return _call_bound(interp, ref, call)
        case Partial():
            merged = call.given([*ref.args, *call.args], {**ref.keywords, **call.keywords})
            return call_value(interp, ref.target, merged)
        case ClassObj():
            return _construct(interp, ref, call)
        case Library():
            return library.call_library(interp, ref.path, call)
    receiver = Value(refs=frozenset({ref}))
    if ref.kind == "module":
        return call_model(interp, [receiver, *call.values], call.written(interp.frames[-1].name))
    if ref.cls is not None and (method := ref.cls.find("__call__")) is not None:
        return call_value(interp, method, call.after(receiver))
    return call.result()


def _call_bound(interp: Interpreter, ref: Bound, call: Call) -> Value:
    if ref.method is None:
        return methods.call_method(interp, ref.receiver, ref.name, call)
    if any(one.kind == "module" for one in ref.receiver.refs):
        return call_model(
            interp, [ref.receiver, *call.values], call.written(interp.frames[-1].name)
        )
    static = _decorated(ref.method, "staticmethod")
    args = call.args if static else [ref.receiver, *call.args]
    return definitions.call_function(interp, ref.method, args, call.keywords)


def _construct(interp: Interpreter, cls: ClassObj, call: Call) -> Value:
    kind = {"module": "module", "optimizer": "optimizer"}.get(cls.role, "instance")
    made = Obj(kind, call.node.lineno, cls)
    made.home = tuple(interp.loops)
    value = Value(refs=frozenset({made}))
    if kind == "optimizer":
        made.entries = dict(enumerate(call.values))
    elif kind == "instance":
        _initialise(interp, made, cls, call)
    return value


def _initialise(interp: Interpreter, made: Obj, cls: ClassObj, call: Call) -> None:
    value = Value(refs=frozenset({made}))
    initialiser = cls.find("__init__")
    if initialiser is not None:
        call_value(interp, initialiser, call.after(value))
        return
    made.attrs |= dict(zip(cls.fields, call.args, strict=False))
    made.attrs |= call.keywords
    if (after := cls.find("__post_init__")) is not None:
        call_value(interp, after, call.given([value]))


def call_on_class(interp: Interpreter, cls: ClassObj, name: str, call: Call) -> Value:
    """`Config.from_env()` and the like: a class method is given its class."""
    found = cls.find(name)
    if found is None:
        return call.result()
    if any(isinstance(ref, Function) and _decorated(ref, "classmethod") for ref in found.refs):
        call = call.after(Value(refs=frozenset({cls})))
    return call_value(interp, found, call)


def _decorated(function: Function, name: str) -> bool:
    decorators = getattr(function.node, "decorator_list", [])
    return any(isinstance(one, ast.Name) and one.id == name for one in decorators)
