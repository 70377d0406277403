"""Functions and classes: what a definition makes, and how a function's body is read.

Guarantees: defaults are evaluated where Python does; a method does not see the names of its class
body; a call that would not end is not followed.
Does not cover: decorators that return something else; metaclasses.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import replace

from audits.facts.effects import cuts, gradients, layers, makers
from audits.facts.interpreter import expressions, statements
from audits.facts.objects import Function
from audits.facts.scope import Scope
from audits.facts.state import Frame, Interpreter
from audits.facts.values import BLANK, ClassObj, Obj, Value, derive, join

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


def define(interp: Interpreter, node: FunctionNode | ast.Lambda, scope: Scope) -> Function:
    """A function object; defaults are evaluated now, as Python does."""
    function = Function(node, scope)
    spec = node.args
    positional = spec.posonlyargs + spec.args
    with_default = positional[len(positional) - len(spec.defaults) :]
    for argument, default in zip(with_default, spec.defaults, strict=True):
        function.defaults[argument.arg] = expressions.evaluate(interp, default, scope)
    for argument, given in zip(spec.kwonlyargs, spec.kw_defaults, strict=True):
        if given is not None:
            function.defaults[argument.arg] = expressions.evaluate(interp, given, scope)
    return function


def define_class(interp: Interpreter, node: ast.ClassDef, scope: Scope) -> ClassObj:
    bases = [expressions.evaluate(interp, base, scope) for base in node.bases]
    refs = [ref for base in bases for ref in base.refs]
    own = [ref for ref in refs if isinstance(ref, ClassObj)]
    role = next((base.role for base in own if base.role != "plain"), _role(refs))
    made = ClassObj(node.name, own, role, node.lineno)
    if role == "module":
        layers.note(interp, node, scope)
    body = Scope(scope)
    statements.run_block(interp, node.body, body)
    made.attrs = body.names
    made.fields = [field for base in own for field in base.fields] + _annotated(node)
    for value in body.names.values():
        for ref in value.refs:
            if isinstance(ref, Function) and ref.owner is None:
                ref.owner = made
                ref.scope = scope  # a method does not see the names of its class body
    return made


def _annotated(node: ast.ClassDef) -> list[str]:
    return [
        one.target.id
        for one in node.body
        if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name)
    ]


def _role(bases: list[Obj]) -> str:
    for base in bases:
        path = getattr(base, "path", "")
        last = path.rsplit(".", 1)[-1]
        if last in ("Module", "Function"):
            return "module"
        if last == "Optimizer" or path.startswith("torch.optim."):
            return "optimizer"
    return "plain"


def call_function(
    interp: Interpreter, function: Function, args: list[Value], keywords: Mapping[str, Value]
) -> Value:
    """Reads the body with the arguments bound; the value is the join of everything returned."""
    node = function.node
    name = getattr(node, "name", "<lambda>")
    if not interp.enter(function, name):
        cuts.not_entered(interp, name, [*args, *keywords.values()])
        return derive(*args, *keywords.values())
    scope = Scope(function.scope)
    _bind_arguments(function, scope, args, keywords)
    try:
        if isinstance(node, ast.Lambda):
            return expressions.evaluate(interp, node.body, scope)
        with interp.without_gradients(sum(map(gradients.forbids, node.decorator_list))):
            statements.run_block(interp, node.body, scope)
    finally:
        frame = interp.leave()
    return _returned(frame, node.lineno)


def _returned(frame: Frame, line: int) -> Value:
    if frame.yielded:
        made = Obj("list", line)
        made.entries[None] = join(frame.yielded)
        return Value(refs=frozenset({made}))
    if not frame.returned:
        return Value(None)
    value = join(frame.returned)
    if value.known:  # a reader of settings: the constant hangs on what was looked at
        return replace(value, switches=value.switches | frame.decided_by)
    return value


def _bind_arguments(
    function: Function, scope: Scope, args: list[Value], keywords: Mapping[str, Value]
) -> None:
    spec = function.node.args
    positional = [argument.arg for argument in spec.posonlyargs + spec.args]
    names = positional + [argument.arg for argument in spec.kwonlyargs]
    scope.names = {name: function.defaults.get(name, BLANK) for name in names}
    scope.names |= dict(zip(positional, args, strict=False))
    if spec.vararg:
        scope.names[spec.vararg.arg] = Value(items=tuple(args[len(positional) :]))
    scope.names |= {name: value for name, value in keywords.items() if name in names}
    if spec.kwarg:
        extra = {name: value for name, value in keywords.items() if name not in names}
        scope.names[spec.kwarg.arg] = makers.dictionary(extra, function.line)
