"""Expressions: what a value is made of.

Guarantees: a constant is reported only when configuration and literals decide it; operands are
evaluated in Python's order, and only those that Python would evaluate, where that is known.
Does not cover: names built at run time.
"""

from __future__ import annotations

import ast
from dataclasses import replace

from audits.facts import folding
from audits.facts.attributes import attribute
from audits.facts.call import Call
from audits.facts.effects import (
    arithmetic,
    by_hand,
    comparisons,
    coverage,
    losses,
    makers,
    messages,
    pieces,
    shards,
    sifts,
    statistics,
    tables,
    worths,
)
from audits.facts.interpreter import calls, definitions, methods, stores, subscripts
from audits.facts.labels import REGION
from audits.facts.literals import literal, named
from audits.facts.scope import Scope
from audits.facts.state import Interpreter
from audits.facts.values import (
    BLANK,
    Obj,
    Value,
    derive,
    element_of,
    join,
    labels_of,
    truth,
)

MAX_ENTRIES = 5_000  # of a tuple, with those inside
MAX_DEPTH = 40  # of tuples in tuples

_Comprehension = ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp


def evaluate(interp: Interpreter, node: ast.expr, scope: Scope) -> Value:
    interp.tick()
    match node:
        case ast.Constant():
            return literal(node.value)
        case ast.Name():
            return _name(interp, node, scope)
        case ast.Attribute(attr="grad") if (slope := by_hand.attribute(interp)) is not None:
            evaluate(interp, node.value, scope)
            return slope
        case ast.Attribute():
            base = evaluate(interp, node.value, scope)
            made = attribute(base, node.attr)
            return coverage.size(interp, base, made) if node.attr in coverage.SIZES else made
        case ast.Call():
            return calls.call_node(interp, node, scope)
        case ast.Subscript():
            return subscripts.load(interp, node, scope)
        case ast.BinOp(op=ast.Add()):
            return _sum(interp, node, scope)
        case ast.BinOp():
            left, right = evaluate(interp, node.left, scope), evaluate(interp, node.right, scope)
            return arithmetic.combine(interp, node.op, left, right, node, scope)
        case ast.Compare():
            operands = [evaluate(interp, one, scope) for one in (node.left, *node.comparators)]
            return comparisons.compare(interp, node, operands, scope)
        case ast.BoolOp():
            return _boolean(interp, node, scope)
        case ast.UnaryOp():
            return _unary(interp, node, scope)
        case ast.IfExp():
            return _conditional(interp, node, scope)
        case ast.Lambda():
            return Value(refs=frozenset({definitions.define(interp, node, scope)}))
        case ast.JoinedStr():
            return _joined(interp, node, scope)
        case ast.NamedExpr():
            value = evaluate(interp, node.value, scope)
            scope.bind(node.target.id, value)
            return value
        case ast.Starred() | ast.Await():
            return evaluate(interp, node.value, scope)
        case ast.Yield() | ast.YieldFrom():
            return _yield(interp, node, scope)
    return _display(interp, node, scope)


def _display(interp: Interpreter, node: ast.expr, scope: Scope) -> Value:
    """A tuple, list, set or dictionary that is written out, or comprehended."""
    match node:
        case ast.Tuple():
            return _tuple(interp, node, scope)
        case ast.List() | ast.Set():
            made = makers.new(interp, "list", node)
            made.entries.update(enumerate(evaluate(interp, one, scope) for one in node.elts))
            return Value(refs=frozenset({made}))
        case ast.Dict():
            return _dict(interp, node, scope)
        case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.DictComp():
            return _comprehension(interp, node, scope)
    return BLANK


def _name(interp: Interpreter, node: ast.Name, scope: Scope) -> Value:
    found = scope.lookup(node.id)
    if found is not None:
        return found
    return literal(scope.file) if node.id == "__file__" else interp.builtin(node.id)


def _sum(interp: Interpreter, node: ast.BinOp, scope: Scope) -> Value:
    """`a + b + c`, which may be a line of text that is put together."""
    chain: list[ast.BinOp] = []
    first: ast.expr = node
    while isinstance(first, ast.BinOp) and isinstance(first.op, ast.Add):
        chain.append(first)
        first = first.left
    made = evaluate(interp, first, scope)
    parts = [made]
    for one in reversed(chain):
        parts.append(evaluate(interp, one.right, scope))
        made = arithmetic.combine(interp, one.op, made, parts[-1], one, scope)
    if any(isinstance(part.const, str) for part in parts):
        messages.worded(interp, parts, interp.site(node, scope))
    return made


def _boolean(interp: Interpreter, node: ast.BoolOp, scope: Scope) -> Value:
    """`and` stops at a known false, `or` at a known true; an unknown operand may do either."""
    stop_at = isinstance(node.op, ast.Or)
    seen: list[Value] = []
    for part in node.values:
        value = evaluate(interp, part, scope)
        seen.append(value)
        if truth(value) is stop_at:
            return value
    if all(truth(value) is (not stop_at) for value in seen):
        last = seen[-1]
        return replace(last, switches=derive(*seen).switches)
    return join(value for value in seen if truth(value) is None)


def _unary(interp: Interpreter, node: ast.UnaryOp, scope: Scope) -> Value:
    operand = evaluate(interp, node.operand, scope)
    if operand.known:
        const = folding.unary(node.op, operand.const)
        return Value(const, operand.labels, switches=operand.switches)
    made = derive(operand)
    return replace(made, worth=worths.negated(operand)) if isinstance(node.op, ast.USub) else made


def _conditional(interp: Interpreter, node: ast.IfExp, scope: Scope) -> Value:
    test = evaluate(interp, node.test, scope)
    decided = truth(test)
    if decided is not None:
        made = evaluate(interp, node.body if decided else node.orelse, scope)
        labels = made.labels
    else:
        one, other = evaluate(interp, node.body, scope), evaluate(interp, node.orelse, scope)
        made = join((one, other))
        labels = made.labels | {label for label in test.labels if label.kind == REGION}
        labels |= losses.chosen(interp, test, one, other, interp.site(node, scope))
        labels |= pieces.chosen(test, one, other)
        made = replace(made, worth=made.worth or worths.either(one, other))
        for marks in statistics.open_choice(interp, test, node, scope):
            made = statistics.marked(made, marks)
            labels |= made.labels
    return replace(made, labels=labels, switches=made.switches | test.switches)


def _tuple(interp: Interpreter, node: ast.Tuple, scope: Scope) -> Value:
    items = tuple(evaluate(interp, item, scope) for item in node.elts)
    if _is_large(items):
        return derive(*items)
    if items and all(item.known for item in items):
        const = folding.kept(tuple(item.const for item in items))
        return Value(const, labels_of(derive(*items)), items=items)
    return Value(items=items)


def _is_large(items: tuple[Value, ...]) -> bool:
    """A tuple of itself, again and again, is as large as it says, to whoever goes through it."""
    level, total = list(items), 0
    for _ in range(MAX_DEPTH):
        total += len(level)
        if total > MAX_ENTRIES or not level:
            break
        level = [inner for one in level for inner in one.items or ()]
    return total > MAX_ENTRIES or bool(level)


def _dict(interp: Interpreter, node: ast.Dict, scope: Scope) -> Value:
    made = Obj("dict", node.lineno)
    for key, item in zip(node.keys, node.values, strict=True):
        value = evaluate(interp, item, scope)
        if key is None:
            for ref in value.refs:
                made.entries |= ref.entries
        else:
            made.entries[tables.key_class(evaluate(interp, key, scope))] = value
    return Value(refs=frozenset({made}))


def _comprehension(interp: Interpreter, node: _Comprehension, scope: Scope) -> Value:
    inner, tests = Scope(scope), list[Value]()
    for generator in node.generators:
        iterable = iterated(interp, evaluate(interp, generator.iter, inner), generator.iter, inner)
        element = element_of(iterable)
        for test in generator.ifs:
            texts = texts_of(interp, test, inner)
            element = shards.filtered(element, test, texts, any_test=True)
        stores.bind(interp, generator.target, element, inner)
        tests += [evaluate(interp, test, inner) for test in generator.ifs]
    if isinstance(node, ast.DictComp):
        made = Obj("dict", node.lineno)
        key = tables.key_class(evaluate(interp, node.key, inner))
        made.entries[key] = evaluate(interp, node.value, inner)
        return Value(refs=frozenset({made}))
    element = statistics.by_position(interp, evaluate(interp, node.elt, inner))
    element = sifts.comprehended(interp, element, tests, interp.site(node, scope))
    return makers.container(interp, "list", [element], node)


def texts_of(interp: Interpreter, test: ast.expr, scope: Scope) -> frozenset[str]:
    """The known texts that a test is made of, whatever they are called; the longest ones."""
    match test:
        case ast.Constant(value=str(text)):
            return frozenset({text})
        case ast.Name() | ast.Attribute() | ast.BinOp() | ast.JoinedStr():
            if isinstance(const := evaluate(interp, test, scope).const, str):
                return frozenset({const})
            if isinstance(test, ast.Name):
                return frozenset()
    inside = [one for one in ast.iter_child_nodes(test) if isinstance(one, ast.expr)]
    return frozenset().union(*(texts_of(interp, one, scope) for one in inside))


def iterated(interp: Interpreter, value: Value, node: ast.expr, scope: Scope) -> Value:
    """What `for` goes through: of an object with `__iter__`, what that gives."""
    own = frozenset(ref for ref in value.refs if ref.cls is not None and ref.kind == "instance")
    found = [one for ref in own if ref.cls and (one := ref.cls.find("__iter__")) is not None]
    if not found:
        return value
    call = Call([], {}, ast.Call(func=node, args=[], keywords=[], lineno=node.lineno), scope)
    made = [methods.call_method(interp, Value(refs=own), "__iter__", call)]
    if any(not ref.refs.isdisjoint(own) for ref in made):  # it is its own iterator
        made = [methods.call_method(interp, Value(refs=own), "__next__", call)]
        return makers.listed(join(made))
    return join(made)


def _joined(interp: Interpreter, node: ast.JoinedStr, scope: Scope) -> Value:
    inner = [one.value if isinstance(one, ast.FormattedValue) else one for one in node.values]
    parts = [evaluate(interp, one, scope) for one in inner]
    plain = [getattr(one, "format_spec", None) is None for one in node.values]
    said = [part if as_is else derive(part) for part, as_is in zip(parts, plain, strict=True)]
    messages.worded(interp, said, interp.site(node, scope))
    made = derive(*parts)
    text = "".join(one.const if isinstance(one.const, str) else "\0" for one in parts)
    if not all(part.known for part in parts):
        return replace(made, labels=made.labels | named(text))  # a path below an unknown folder
    if all(plain):
        whole = literal("".join(str(part.const) for part in parts))
        const = folding.kept(whole.const)
        return Value(const, whole.labels | made.labels, switches=made.switches)
    return made


def _yield(interp: Interpreter, node: ast.Yield | ast.YieldFrom, scope: Scope) -> Value:
    value = evaluate(interp, node.value, scope) if node.value else BLANK
    given = element_of(value) if isinstance(node, ast.YieldFrom) else value
    interp.frames[-1].yielded.append(statistics.by_position(interp, given))
    return BLANK
