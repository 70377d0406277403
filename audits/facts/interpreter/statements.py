"""Statements: how control flow moves names and order.

Guarantees: both sides of an undecided branch are read and joined; code after `return`, `break` and
`continue` is not read.
Does not cover: which exception leads where (a handler is read as an alternative to the body).
"""

from __future__ import annotations

import ast

from audits.facts.effects import (
    coverage,
    gradients,
    layers,
    messages,
    shards,
    sifts,
    statistics,
    totals,
    weights,
)
from audits.facts.interpreter import definitions, expressions, loops
from audits.facts.interpreter.stores import bind, store_accumulated
from audits.facts.labels import LAST_ROUND
from audits.facts.scope import Scope, merge
from audits.facts.siblings import Siblings
from audits.facts.state import Interpreter
from audits.facts.values import BLANK, Value, truth


def run_block(interp: Interpreter, block: list[ast.stmt], scope: Scope) -> bool:
    """Reads the statements; False when control does not reach the end."""
    return all(run(interp, statement, scope) for statement in block)


def run(interp: Interpreter, node: ast.stmt, scope: Scope) -> bool:
    """Reads one statement; False when control does not go on behind it."""
    interp.tick()
    interp.last_site = interp.site(node, scope)
    match node:
        case ast.If():
            return _if(interp, node, scope)
        case ast.For() | ast.AsyncFor():
            return loops.run_for(interp, node, scope)
        case ast.While():
            return loops.run_while(interp, node, scope)
        case ast.With() | ast.AsyncWith():
            return _with(interp, node, scope)
        case ast.Try():
            return _try(interp, node, scope)
        case ast.Match():
            return _match(interp, node, scope)
        case ast.Return() | ast.Break() | ast.Continue() | ast.Raise():
            _leave(interp, node, scope)
            return False
    _run_simple(interp, node, scope)
    return True


def _run_simple(interp: Interpreter, node: ast.stmt, scope: Scope) -> None:
    match node:
        case ast.Expr():
            expressions.evaluate(interp, node.value, scope)
        case ast.Assign():
            _assign(interp, node, scope)
        case ast.AnnAssign() if node.value is not None:
            bind(interp, node.target, expressions.evaluate(interp, node.value, scope), scope)
        case ast.AugAssign():
            store_accumulated(interp, node, scope)
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            made = definitions.define(interp, node, scope)
            scope.bind(node.name, Value(refs=frozenset({made})))
            layers.note_function(interp, node, scope)
        case ast.ClassDef():
            made_class = definitions.define_class(interp, node, scope)
            scope.bind(node.name, Value(refs=frozenset({made_class})))
        case ast.Import() | ast.ImportFrom():
            Siblings(interp, run_block).bind_import(node, scope)
        case ast.Global():
            scope.rebinds |= dict.fromkeys(node.names, scope.globals)
        case ast.Nonlocal():
            scope.rebinds |= {name: scope.owner_of(name) for name in node.names}
        case _:
            pass  # pass, assert, del: nothing flows


def _leave(interp: Interpreter, node: ast.stmt, scope: Scope) -> None:
    if isinstance(node, ast.Return):
        value = expressions.evaluate(interp, node.value, scope) if node.value else Value(None)
        interp.frames[-1].returned.append(statistics.kept(interp, value))
    elif not isinstance(node, ast.Raise) and interp.frames[-1].exits:
        if isinstance(node, ast.Break):
            statistics.stopped(interp, scope, weights.reachable)
        interp.frames[-1].exits[-1].append(dict(scope.names))


def _assign(interp: Interpreter, node: ast.Assign, scope: Scope) -> None:
    value = expressions.evaluate(interp, node.value, scope)
    value = totals.note_self_update(interp, node, value, scope)
    for target in node.targets:
        bind(interp, target, value, scope)
        if isinstance(target, ast.Name):
            scope.definitions[target.id] = node.value
        elif isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
            _define_each(target, node.value, scope)


def _define_each(target: ast.Tuple, value: ast.Tuple, scope: Scope) -> None:
    """`first, last = start, stop`; what is exchanged is defined by nothing."""
    names = {one.id for one in target.elts if isinstance(one, ast.Name)}
    for one, made in zip(target.elts, value.elts, strict=False):
        if isinstance(one, ast.Name):
            used = {part.id for part in ast.walk(made) if isinstance(part, ast.Name)}
            if used & names:
                scope.definitions.pop(one.id, None)
            else:
                scope.definitions[one.id] = made


def _if(interp: Interpreter, node: ast.If, scope: Scope) -> bool:
    test = expressions.evaluate(interp, node.test, scope)
    decided = _decided(interp, node, test)
    interp.trace.deciding |= test.switches if decided is not None else frozenset()
    interp.frames[-1].decided_by |= test.switches if decided is not None else frozenset()
    if decided is not None and not (interp.explore and test.switches):
        return run_block(interp, node.body if decided else node.orelse, scope)
    before, before_test = dict(scope.names), dict(scope.names)
    marks = statistics.open_choice(interp, test, node, scope) if decided is None else []
    sift = sifts.branch(interp, test, interp.site(node, scope)) if decided is None else None
    coverage.left(interp, node, test, interp.site(node, scope))
    with (
        interp.choosing_by(marks),
        interp.guarded(test.switches, inactive=decided is False),
        interp.in_last_round([one.id for one in test.labels if one.kind == LAST_ROUND]),
        interp.under(test),
        interp.sifted(sift) as counts_then,
    ):
        _narrow(interp, node.test, scope)
        falls_then = run_block(interp, node.body, scope)
    after_then, scope.names = scope.names, before
    with (
        interp.choosing_by(marks),
        interp.guarded(test.switches, inactive=decided is True),
        interp.sifted(sift) as counts_else,
    ):
        falls_else = run_block(interp, node.orelse, scope)
    _weigh(interp, node, sift, counts_then, counts_else)
    reached = [after_then] * falls_then + [scope.names] * falls_else
    if decided is not None and len(reached) == 1 and falls_then is not decided:
        interp.deactivate(test.switches)  # the branch that the run takes has left this block
    if reached:
        names = merge(reached)
        if sift is not None and len(reached) == 2:
            names |= _overwritten(interp, sift, before_test, reached)
        scope.names = names
    return bool(reached)


def _overwritten(
    interp: Interpreter, sift: int, before: dict[str, Value], sides: list[dict[str, Value]]
) -> dict[str, Value]:
    """Names that one side of a test of scores gave another value."""
    then, orelse = sides
    found: dict[str, Value] = {}
    for name, held in before.items():
        one, other = then.get(name, held), orelse.get(name, held)
        if one is not other:
            made = sifts.overwritten(interp, sift, held, one, other)
            found |= {name: made} if made is not None else {}
    return found


def _narrow(interp: Interpreter, test: ast.expr, scope: Scope) -> None:
    """Names of files that pass a test of what they are called."""
    for one in ast.walk(test):
        held = scope.names.get(one.id) if isinstance(one, ast.Name) else None
        if isinstance(one, ast.Name) and held is not None and shards.are_files(held):
            texts = expressions.texts_of(interp, test, scope)
            scope.names[one.id] = shards.filtered(held, test, texts)


def _weigh(
    interp: Interpreter, node: ast.If, sift: int | None, then: list[int], orelse: list[int]
) -> None:
    """Losses that count on both sides of a branch; or the rest of the loop is one of the sides."""
    if sift is None:
        return
    counts = [sifts.counts_losses(interp, *one) for one in (then, orelse)]
    if all(counts):
        interp.trace.balanced.add(sift)
    elif not any(counts) and sifts.leaves(node.body) != sifts.leaves(node.orelse):
        interp.sifts.append(sift)


def _decided(interp: Interpreter, node: ast.If, test: Value) -> bool | None:
    """Which branch the run took, where that is known."""
    decided = truth(test)
    if decided is False and test.switches and messages.shows(interp, node, test):
        decided = True
    if decided and isinstance(node.body[-1], ast.Raise):
        return False  # the run that is reported did not end here
    return decided


def _try(interp: Interpreter, node: ast.Try, scope: Scope) -> bool:
    before = dict(scope.names)
    reached = []
    if run_block(interp, node.body + node.orelse, scope):
        reached.append(scope.names)
    for handler in node.handlers:
        scope.names = dict(before)
        if handler.name:
            scope.bind(handler.name, BLANK)
        if run_block(interp, handler.body, scope):
            reached.append(scope.names)
    if reached:
        scope.names = merge(reached)
    falls = run_block(interp, node.finalbody, scope)
    return bool(reached) and falls


def _with(interp: Interpreter, node: ast.With | ast.AsyncWith, scope: Scope) -> bool:
    for item in node.items:
        entered = expressions.evaluate(interp, item.context_expr, scope)
        if item.optional_vars is not None:
            bind(interp, item.optional_vars, entered, scope)
    promises = sum(gradients.forbids(item.context_expr) for item in node.items)
    with interp.without_gradients(promises):
        return run_block(interp, node.body, scope)


def _match(interp: Interpreter, node: ast.Match, scope: Scope) -> bool:
    expressions.evaluate(interp, node.subject, scope)
    before, reached = dict(scope.names), [dict(scope.names)]
    for case in node.cases:
        scope.names = dict(before)
        if run_block(interp, case.body, scope):
            reached.append(scope.names)
    scope.names = merge(reached)
    return True
