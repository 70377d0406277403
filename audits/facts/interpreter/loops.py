"""Loops: a body is read once, in order, and its names join those from before.

Guarantees: what a loop's variable is used for is recognisable; a name that the body assigns is no
constant inside it.
Does not cover: how often a loop runs, but where a `range` of constants tells.
"""

from __future__ import annotations

import ast

from audits.facts.effects import coverage, rounds, statistics, weights
from audits.facts.interpreter import expressions, statements
from audits.facts.interpreter.stores import bind
from audits.facts.labels import LOOP, Label
from audits.facts.scope import Scope, merge
from audits.facts.state import Interpreter
from audits.facts.values import Value, element_of, forget_constant, truth


def run_for(interp: Interpreter, node: ast.For | ast.AsyncFor, scope: Scope) -> bool:
    iterable = expressions.evaluate(interp, node.iter, scope)
    iterable = expressions.iterated(interp, iterable, node.iter, scope)
    empty = isinstance(iterable.const, range | tuple | str) and not iterable.const
    if empty and not (interp.explore and iterable.switches):
        return statements.run_block(interp, node.orelse, scope)
    decided = iterable.switches if iterable.known else frozenset()  # else some of its bounds
    with interp.guarded(decided, inactive=empty):
        _run_body(interp, node, scope, iterable)
    return statements.run_block(interp, node.orelse, scope)


def run_while(interp: Interpreter, node: ast.While, scope: Scope) -> bool:
    test = expressions.evaluate(interp, node.test, scope)
    if truth(test) is False and not (interp.explore and test.switches):
        return statements.run_block(interp, node.orelse, scope)
    decided = test.switches if test.known else frozenset()
    with interp.guarded(decided, inactive=truth(test) is False):
        _run_body(interp, node, scope, test)
    with interp.choosing_by(statistics.open_choice(interp, test, node, scope)):
        statistics.stopped(interp, scope, weights.reachable)
    return statements.run_block(interp, node.orelse, scope)


def _run_body(
    interp: Interpreter,
    node: ast.For | ast.AsyncFor | ast.While,
    scope: Scope,
    over: Value,  # what a `for` goes through, or the test of a `while`
) -> None:
    counters = _forget_counters(node.body, scope)
    before = dict(scope.names)
    with interp.loop() as number:
        interp.trace.loops[number] = interp.site(node, scope)
        for name in counters:
            scope.names[name] = _numbered(scope.names[name], number)
        if isinstance(node, ast.While):
            interp.trace.open_loops.add(number)
            coverage.limited(interp, number, over)
        else:
            rounds.enter(interp, number, node.iter)
            if isinstance(over.const, range):
                interp.rounds[number] = len(over.const)
            own = coverage.of_range(interp, node.iter, scope)
            coverage.enter(interp, number, over, own, node.iter)
            bind(interp, node.target, _numbered(element_of(over), number), scope)
            for one in ast.walk(node.target):  # whatever the name was before
                scope.definitions.pop(getattr(one, "id", ""), None)
        falls = statements.run_block(interp, node.body, scope)
        left = interp.frames[-1].exits[-1]
        scope.names = merge([before, *left, *([scope.names] if falls else [])])


def _numbered(element: Value, loop: int) -> Value:
    """The loop's variable, recognisable in what is cut from the stream with it."""
    mark = frozenset({Label(LOOP, loop)})
    items = None if element.items is None else tuple(_numbered(one, loop) for one in element.items)
    labels, worth = element.labels | mark, element.worth
    return Value(element.const, labels, element.refs, items, element.switches, worth)


def _forget_counters(block: list[ast.stmt], scope: Scope) -> set[str]:
    """A name that the body assigns is constant in the first iteration only.

    Gives the plain numbers among them that the body steps on: they say which round it is.
    """
    counters: set[str] = set()
    for statement in block:
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                held = scope.names.get(node.id)
                if held is not None and held.known:
                    scope.names[node.id] = forget_constant(held)
            if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
                held = scope.names.get(node.target.id)
                if held is not None and not held.refs and not held.labels:
                    counters.add(node.target.id)
    return counters
