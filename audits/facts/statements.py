"""Statements: how control flow moves names and order.

Guarantees: a loop body is read once, in order; both sides of an undecided branch are read and
joined; code after `return`, `break` and `continue` is not read.
Does not cover: which exception leads where (a handler is read as an alternative to the body).
"""

from __future__ import annotations

import ast

from audits.facts import evidence, expressions, files, gradients, layers, totals
from audits.facts.machine import Machine, truth
from audits.facts.scope import Scope, merge
from audits.facts.stores import bind, forget_constant, store_accumulated
from audits.facts.values import BLANK, LAST_ROUND, LOOP, ClassObj, Function, Label, Obj, Value, join

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


def run_block(m: Machine, block: list[ast.stmt], scope: Scope) -> bool:
    """Reads the statements; False when control does not reach the end."""
    return all(run(m, statement, scope) for statement in block)


def run(m: Machine, node: ast.stmt, scope: Scope) -> bool:
    m.tick()
    m.last_site = m.site(node, scope)
    match node:
        case ast.Expr():
            expressions.evaluate(m, node.value, scope)
        case ast.Assign():
            _assign(m, node, scope)
        case ast.AnnAssign():
            if node.value is not None:
                bind(m, node.target, expressions.evaluate(m, node.value, scope), scope)
        case ast.AugAssign():
            store_accumulated(m, node, scope)
        case ast.If():
            return _if(m, node, scope)
        case ast.For() | ast.AsyncFor():
            return _for(m, node, scope)
        case ast.While():
            return _while(m, node, scope)
        case ast.With() | ast.AsyncWith():
            return _with(m, node, scope)
        case ast.Try():
            return _try(m, node, scope)
        case ast.Return():
            value = expressions.evaluate(m, node.value, scope) if node.value else Value(None)
            m.frames[-1].returned.append(value)
            return False
        case ast.Break() | ast.Continue():
            if m.frames[-1].exits:
                m.frames[-1].exits[-1].append(dict(scope.names))
            return False
        case ast.Raise():
            return False
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            scope.bind(node.name, Value(refs=frozenset({define(m, node, scope)})))
        case ast.ClassDef():
            scope.bind(node.name, Value(refs=frozenset({_class(m, node, scope)})))
        case ast.Import() | ast.ImportFrom():
            files.run_import(m, node, scope)
        case ast.Global():
            scope.rebinds |= dict.fromkeys(node.names, scope.globals)
        case ast.Nonlocal():
            scope.rebinds |= {name: scope.owner_of(name) for name in node.names}
        case ast.Match():
            return _match(m, node, scope)
        case _:
            pass  # pass, assert, del: nothing flows
    return True


def define(m: Machine, node: FunctionNode | ast.Lambda, scope: Scope) -> Function:
    """A function object; defaults are evaluated now, as Python does."""
    function = Function(node, scope)
    spec = node.args
    positional = spec.posonlyargs + spec.args
    for argument, default in zip(
        positional[len(positional) - len(spec.defaults) :], spec.defaults, strict=True
    ):
        function.defaults[argument.arg] = expressions.evaluate(m, default, scope)
    for argument, given in zip(spec.kwonlyargs, spec.kw_defaults, strict=True):
        if given is not None:
            function.defaults[argument.arg] = expressions.evaluate(m, given, scope)
    return function


def _assign(m: Machine, node: ast.Assign, scope: Scope) -> None:
    value = expressions.evaluate(m, node.value, scope)
    value = totals.note_self_update(m, node, value, scope)
    for target in node.targets:
        bind(m, target, value, scope)
        if isinstance(target, ast.Name):
            scope.definitions[target.id] = node.value


def _if(m: Machine, node: ast.If, scope: Scope) -> bool:
    test = expressions.evaluate(m, node.test, scope)
    decided = truth(test)
    if decided is False and test.switches and evidence.shows(m, node, test):
        decided = True
    if decided and isinstance(node.body[-1], ast.Raise):
        decided = False  # the run that is reported did not end here
    m.frames[-1].decided_by |= test.switches if decided is not None else frozenset()
    if decided is not None and not (m.explore and test.switches):
        return run_block(m, node.body if decided else node.orelse, scope)
    before = dict(scope.names)
    rounds = [label.id for label in test.labels if label.kind == LAST_ROUND]
    with m.guarded(test.switches, off=decided is False), m.in_last_round(rounds), m.under(test):
        falls_then = run_block(m, node.body, scope)
    after_then, scope.names = scope.names, before
    with m.guarded(test.switches, off=decided is True):
        falls_else = run_block(m, node.orelse, scope)
    reached = [after_then] * falls_then + [scope.names] * falls_else
    if decided is not None and len(reached) == 1 and falls_then is not decided:
        m.switch_off(test.switches)  # the branch that the run takes has left this block
    if reached:
        scope.names = merge(reached)
    return bool(reached)


def _loop_body(
    m: Machine,
    block: list[ast.stmt],
    scope: Scope,
    bindings: ast.expr | None,
    element: Value,
    rounds: int | None = None,
) -> None:
    _forget_counters(block, scope)
    before = dict(scope.names)
    with m.loop() as number:
        if rounds is not None:
            m.rounds[number] = rounds
        if bindings is not None:
            bind(m, bindings, numbered(element, number), scope)
        else:
            m.trace.open_loops.add(number)
        falls = run_block(m, block, scope)
        scope.names = merge([before, *m.frames[-1].exits[-1], *([scope.names] if falls else [])])


def numbered(element: Value, loop: int) -> Value:
    """The loop's variable, recognisable in what is cut from the stream with it."""
    mark = frozenset({Label(LOOP, loop)})
    items = None if element.items is None else tuple(numbered(one, loop) for one in element.items)
    return Value(element.const, element.labels | mark, element.refs, items, element.switches)


def _forget_counters(block: list[ast.stmt], scope: Scope) -> None:
    """A name that the body assigns is constant in the first iteration only."""
    for statement in block:
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                held = scope.names.get(node.id)
                if held is not None and held.known:
                    scope.names[node.id] = forget_constant(held)


def _for(m: Machine, node: ast.For | ast.AsyncFor, scope: Scope) -> bool:
    iterable = expressions.evaluate(m, node.iter, scope)
    empty = (
        iterable.known and isinstance(iterable.const, range | tuple | str) and not iterable.const
    )
    if empty and not (m.explore and iterable.switches):
        return run_block(m, node.orelse, scope)
    with m.guarded(iterable.switches, off=bool(empty)):
        rounds = len(iterable.const) if isinstance(iterable.const, range) else None
        _loop_body(m, node.body, scope, node.target, expressions.element_of(iterable), rounds)
    return run_block(m, node.orelse, scope)


def _while(m: Machine, node: ast.While, scope: Scope) -> bool:
    test = expressions.evaluate(m, node.test, scope)
    if truth(test) is False and not (m.explore and test.switches):
        return run_block(m, node.orelse, scope)
    with m.guarded(test.switches, off=truth(test) is False):
        _loop_body(m, node.body, scope, None, BLANK)
    return run_block(m, node.orelse, scope)


def _try(m: Machine, node: ast.Try, scope: Scope) -> bool:
    before = dict(scope.names)
    reached = []
    if run_block(m, node.body + node.orelse, scope):
        reached.append(scope.names)
    for handler in node.handlers:
        scope.names = dict(before)
        if handler.name:
            scope.bind(handler.name, BLANK)
        if run_block(m, handler.body, scope):
            reached.append(scope.names)
    if reached:
        scope.names = merge(reached)
    falls = run_block(m, node.finalbody, scope)
    return bool(reached) and falls


def _with(m: Machine, node: ast.With | ast.AsyncWith, scope: Scope) -> bool:
    for item in node.items:
        entered = expressions.evaluate(m, item.context_expr, scope)
        if item.optional_vars is not None:
            bind(m, item.optional_vars, entered, scope)
    with m.without_gradients(sum(gradients.forbids(item.context_expr) for item in node.items)):
        return run_block(m, node.body, scope)


def _match(m: Machine, node: ast.Match, scope: Scope) -> bool:
    expressions.evaluate(m, node.subject, scope)
    before, reached = dict(scope.names), [dict(scope.names)]
    for case in node.cases:
        scope.names = dict(before)
        if run_block(m, case.body, scope):
            reached.append(scope.names)
    scope.names = merge(reached)
    return True


def _class(m: Machine, node: ast.ClassDef, scope: Scope) -> ClassObj:
    bases = [expressions.evaluate(m, base, scope) for base in node.bases]
    refs = [ref for base in bases for ref in base.refs]
    own = [ref for ref in refs if isinstance(ref, ClassObj)]
    role = next((base.role for base in own if base.role != "plain"), _role(refs))
    made = ClassObj(node.name, own, role, node.lineno)
    if role == "module":
        layers.note(m, node, scope)
    body = Scope(scope)
    run_block(m, node.body, body)
    made.attrs = body.names
    made.fields = [field for base in own for field in base.fields]
    made.fields += [
        one.target.id
        for one in node.body
        if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name)
    ]
    for value in body.names.values():
        for ref in value.refs:
            if isinstance(ref, Function) and ref.owner is None:
                ref.owner = made
                ref.scope = scope  # a method does not see the names of its class body
    return made


def _role(bases: list[Obj]) -> str:
    for base in bases:
        last = getattr(base, "path", "").rsplit(".", 1)[-1]
        if last in ("Module", "Function"):
            return "module"
        if last == "Optimizer" or getattr(base, "path", "").startswith("torch.optim."):
            return "optimizer"
    return "plain"


def call_function(
    m: Machine, function: Function, args: list[Value], keywords: dict[str, Value]
) -> Value:
    """Reads the body with the arguments bound; the value is the join of everything returned."""
    node = function.node
    name = getattr(node, "name", "<lambda>")
    if not m.enter(function, name):
        return expressions.opaque(args, keywords)
    scope = Scope(function.scope)
    _bind_arguments(function, scope, args, keywords)
    try:
        if isinstance(node, ast.Lambda):
            return expressions.evaluate(m, node.body, scope)
        with m.without_gradients(sum(map(gradients.forbids, node.decorator_list))):
            run_block(m, node.body, scope)
    finally:
        frame = m.leave()
    if frame.yielded:
        made = Obj("list", node.lineno)
        made.entries[None] = join(frame.yielded)
        return Value(refs=frozenset({made}))
    if not frame.returned:
        return Value(None)
    value = join(frame.returned)
    if value.known:  # a reader of settings: the constant hangs on what was looked at
        switches = value.switches | frame.decided_by
        return Value(value.const, value.labels, value.refs, value.items, switches)
    return value


def _bind_arguments(
    function: Function, scope: Scope, args: list[Value], keywords: dict[str, Value]
) -> None:
    spec = function.node.args
    positional = [argument.arg for argument in spec.posonlyargs + spec.args]
    names = positional + [argument.arg for argument in spec.kwonlyargs]
    scope.names = {name: function.defaults.get(name, BLANK) for name in names}
    scope.names |= dict(zip(positional, args, strict=False))
    rest = args[len(positional) :]
    if spec.vararg:
        scope.names[spec.vararg.arg] = Value(items=tuple(rest))
    extra = {name: value for name, value in keywords.items() if name not in names}
    scope.names |= {name: value for name, value in keywords.items() if name in names}
    if spec.kwarg:
        made = Obj("dict", function.line)
        made.entries.update(extra)
        scope.names[spec.kwarg.arg] = Value(refs=frozenset({made}))
