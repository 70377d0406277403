"""Statements and expressions of a forward pass: what each value knows of later places.

Told is the operation that looked ahead, where its result is what the class gives back, or the
logits of a loss.

Guarantees: each method is read once for each way of calling it, to a known depth.
Does not cover: branches for training alone; hooks; compiled layers.
"""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from typing import Final

from audits.facts.inside import calls
from audits.facts.inside import operations as ops
from audits.facts.inside.linear import END, WHOLE, number
from audits.facts.inside.reader import (
    Names,
    Reader,
    shape_of,
)
from audits.facts.inside.sequences import (
    Known,
    Layer,
    Look,
    Loss,
    Mask,
    Parts,
    Scores,
    Seq,
    Size,
    Waves,
    together,
)

MOST_DEPTH: Final = 4
_SCALES: Final = re.compile(r"scale|sqrt|dim|temp|tau|gain|^d$|^h$|^hd$|^dh$|^c$|head")
_NO_LOOK: Final = Look(0, "")


def run_method(reader: Reader, method: ast.FunctionDef, names: Names, *, outermost: bool) -> Known:
    """What the method gives; what the root gives must know nothing of what is to come."""
    if method.name in reader.active or len(reader.active) >= MOST_DEPTH:
        return None
    reader.active.append(method.name)
    given: list[Known] = []
    try:
        run_block(reader, method.body, names, given)
    finally:
        reader.active.pop()
    if outermost:
        for value in given:
            _told(reader, value)
    sequences = [one for one in given if isinstance(one, Seq)]
    if sequences:
        return max(sequences, key=lambda one: one.knows)
    return given[-1] if given else None


def run_inside(reader: Reader, method: ast.FunctionDef, names: Names) -> Known:
    return run_method(reader, method, names, outermost=False)


def _told(reader: Reader, value: Known) -> None:
    match value:
        case Parts(items=items):
            for one in items:
                _told(reader, one)
        case Loss(share=share, look=Look() as look):
            reader.shares.append((look, share))
        case Seq(tokens=False, pooled=False) if value.length == WHOLE:
            if value.look is not None and value.ahead:
                reader.looks.append(value.look)
            elif value.turn is not None:
                reader.looks.append(value.turn)


def run_block(reader: Reader, block: list[ast.stmt], names: Names, given: list[Known]) -> None:
    for statement in block:
        _run(reader, statement, names, given)


def _run(reader: Reader, node: ast.stmt, names: Names, given: list[Known]) -> None:
    match node:
        case ast.Assign(targets=[ast.Tuple() as target], value=value) if name := shape_of(value):
            held = names.get(name)
            if isinstance(held, Seq) and held.rank is None:
                names[name] = replace(held, rank=len(target.elts))
            _bind_shape(target, names.get(name), names)
        case ast.Assign(targets=targets, value=value):
            made = evaluate(reader, value, names)
            for target in targets:
                _bind(reader, target, made, names)
        case ast.AnnAssign(target=target, value=ast.expr() as value):
            _bind(reader, target, evaluate(reader, value, names), names)
        case ast.AugAssign(target=target, value=value):
            before = evaluate(reader, target, names)
            made = evaluate(reader, value, names)
            _bind(reader, target, together([before, made]), names)
        case ast.Return(value=ast.expr() as value):
            given.append(evaluate(reader, value, names))
        case ast.Expr(
            value=ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="append"), args=[one])
        ) if isinstance(held := names.get(name), Parts):
            names[name] = Parts(each=_least(held, evaluate(reader, one, names)))
        case ast.Expr(value=value):
            evaluate(reader, value, names)
        case ast.If():
            _branch(reader, node, names, given)
        case ast.For(target=target, iter=over):
            _bind(reader, target, _each(reader, over, names), names)
            run_block(reader, node.body, names, given)
        case ast.While() | ast.With():
            run_block(reader, node.body, names, given)


def _each(reader: Reader, over: ast.expr, names: Names) -> Known:
    """What a loop goes through: an element, or with its number."""
    if isinstance(over, ast.Call) and over.args:
        name = reader.called(over.func)
        if name == "enumerate":
            return Parts((None, _each(reader, over.args[0], names)))
        if name == "zip":
            return Parts(tuple(_each(reader, one, names) for one in over.args))
        if name in ("reversed", "list"):
            return _each(reader, over.args[0], names)
    return _element(evaluate(reader, over, names))


def _element(value: Known) -> Known:
    if isinstance(value, Layer):
        return value
    return value.each if isinstance(value, Parts) else None


def _branch(reader: Reader, node: ast.If, names: Names, given: list[Known]) -> None:
    tested = sorted({one.attr for one in ast.walk(node.test) if isinstance(one, ast.Attribute)})
    only_training = "training" in tested and not isinstance(node.test, ast.UnaryOp)
    if only_training:
        run_block(reader, node.orelse, names, given)
        return
    before = dict(names)
    reader.guards += tested
    run_block(reader, node.body, names, given)
    del reader.guards[len(reader.guards) - len(tested) :]
    after = dict(names)
    names.clear()
    names.update(before)
    run_block(reader, node.orelse, names, given)
    for name, value in after.items():
        other = names.get(name)
        names[name] = _either(value, other) if name in names else value


def _either(one: Known, other: Known) -> Known:
    if isinstance(one, Seq) and isinstance(other, Seq):
        return max((one, other), key=lambda value: value.knows)
    if isinstance(one, Loss) and isinstance(other, Loss):
        return max((one, other), key=lambda value: value.share)
    return one if one is not None else other


def _least(held: Parts, value: Known) -> Known:
    """What any element of a list knows at least, with one more."""
    if held == Parts():
        return value
    if isinstance(held.each, Seq) and isinstance(value, Seq):
        return min((held.each, value), key=lambda one: one.knows)
    return None


def _bind_shape(target: ast.Tuple, value: Known, names: Names) -> None:
    for place, part in enumerate(target.elts):
        if isinstance(part, ast.Name):
            own = isinstance(value, Seq) and value.axis == place
            names[part.id] = Size(value.length) if own and isinstance(value, Seq) else None


def _bind(reader: Reader, target: ast.expr, value: Known, names: Names) -> None:
    match target:
        case ast.Name(id=name):
            if name not in reader.pinned or isinstance(value, Seq):
                names[name] = value
        case ast.Attribute(value=ast.Name(id="self"), attr=name):
            names[f"self.{name}"] = value
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            items = value.items if isinstance(value, Parts) else ()
            if isinstance(value, Seq):  # of a layer, or queries, keys and values along one axis
                first = ops.subscript(value, [ops.At(number(0))], _NO_LOOK)
                value = Parts(each=first if (value.axis or 0) > 1 else value)
            for place, part in enumerate(parts):
                one = items[place] if len(items) == len(parts) else _element(value)
                _bind(reader, part, one, names)
        case ast.Subscript(value=base):
            held = evaluate(reader, base, names)
            if isinstance(held, Seq) and isinstance(base, ast.Name):
                look = reader.look(
                    target, f"`{ast.unparse(target)}` is given what lies ahead of it"
                )
                now = ops.stored(held, keys_of(reader, target.slice, names), value, look)
                names[base.id] = now


def evaluate(reader: Reader, node: ast.expr, names: Names) -> Known:
    reader.tick()
    match node:
        case ast.Constant(value=bool()):
            return None
        case ast.Constant(value=int(value)):
            return Size(number(value))
        case ast.Name(id=name):
            return names.get(name)
        case ast.Attribute():
            return _attribute(reader, node, names)
        case ast.Subscript():
            return _subscript(reader, node, names)
        case ast.UnaryOp(op=op, operand=operand):
            return _unary(op, evaluate(reader, operand, names))
        case ast.BinOp(left=left, op=op, right=right):
            a, b = evaluate(reader, left, names), evaluate(reader, right, names)
            return _binary(reader, node, op, a, b)
        case ast.Compare(left=left, comparators=[other]):
            return _compared(node, evaluate(reader, left, names), evaluate(reader, other, names))
        case ast.IfExp(test=ast.Attribute(attr="training"), orelse=orelse):
            return evaluate(reader, orelse, names)
        case ast.IfExp(body=body, orelse=orelse):
            return _either(evaluate(reader, body, names), evaluate(reader, orelse, names))
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            return Parts(tuple(evaluate(reader, part, names) for part in parts))
        case (
            ast.GeneratorExp(elt=element, generators=[one])
            | ast.ListComp(elt=element, generators=[one])
        ):
            inner = dict(names)
            _bind(reader, one.target, _element(evaluate(reader, one.iter, names)), inner)
            return Parts(each=evaluate(reader, element, inner))
        case ast.NamedExpr(target=target, value=value):
            names[target.id] = evaluate(reader, value, names)
            return names[target.id]
        case ast.Call():
            return calls.call(reader, node, names)
    return None


def _attribute(reader: Reader, node: ast.Attribute, names: Names) -> Known:
    text = f"self.{node.attr}" if isinstance(node.value, ast.Name) else ""
    if isinstance(node.value, ast.Name) and node.value.id == "self":
        if text in names:
            return names[text]
        made = reader.parts.get(node.attr)
        if (layer := calls.layer_of(reader, made)) is not None:
            return layer
        if not isinstance(made, ast.Call) or text in reader.active:
            return None
        reader.active.append(text)
        found = evaluate(reader, made, {})
        reader.active.pop()
        return found if isinstance(found, Mask) else None
    base = evaluate(reader, node.value, names)
    if isinstance(base, Layer):
        inner = reader.prepare(reader.classes[base.cls], reader)
        return calls.layer_of(reader, inner.parts.get(node.attr))
    if node.attr in ("mT", "T") and isinstance(base, Seq):
        return ops.swapped(base, -1, -2)
    return base if node.attr in ("data", "values", "real") else None


def _subscript(reader: Reader, node: ast.Subscript, names: Names) -> Known:
    if (shape := calls.size_of(reader, node, names)) is not None:
        return shape
    base = evaluate(reader, node.value, names)
    match base:
        case Layer():
            return base
        case Parts(items=items, each=each):
            place = ops.literal(node.slice)
            inside = isinstance(place, int) and -len(items) <= place < len(items)
            return items[place] if inside and isinstance(place, int) else each
        case Seq():
            look = reader.look(node, f"`{ast.unparse(node)}` begins at a later place")
            return ops.subscript(base, keys_of(reader, node.slice, names), look)
    return base


def keys_of(reader: Reader, node: ast.expr, names: Names) -> list[ops.Key]:
    parts = node.elts if isinstance(node, ast.Tuple) else [node]
    return [_key(reader, part, names) for part in parts]


def _key(reader: Reader, node: ast.expr, names: Names) -> ops.Key:
    match node:
        case ast.Constant(value=None):
            return ops.NewAxis()
        case ast.Constant() if node.value is Ellipsis:
            return ops.Rest()
        case ast.Slice(lower=lower, upper=upper, step=step):
            bounds = [
                evaluate(reader, bound, names) if bound is not None else None
                for bound in (lower, upper)
            ]
            first, last = (one.value if isinstance(one, Size) else None for one in bounds)
            known = all(
                bound is None or isinstance(one, Size)
                for bound, one in zip((lower, upper), bounds, strict=True)
            )
            return ops.Slice(first, last, known and step is None)
    value = evaluate(reader, node, names)
    if isinstance(value, Size):
        place = value.value
        return ops.At(END + number(place.places + 1) if place < number(0) else place)
    return None


def _unary(op: ast.unaryop, value: Known) -> Known:
    match op, value:
        case ast.USub(), Size(value=size):
            return Size(number(0) - size)
        case ((ast.Invert() | ast.Not()), Mask()):
            return replace(value, opens=not value.opens)
    return value


def _binary(reader: Reader, node: ast.BinOp, op: ast.operator, a: Known, b: Known) -> Known:
    if isinstance(a, Loss) or isinstance(b, Loss):
        return _share(reader, node, a, b)
    if isinstance(a, Waves) or isinstance(b, Waves):
        waves, factor = (a, node.right) if isinstance(a, Waves) else (b, node.left)
        assert isinstance(waves, Waves)
        free = isinstance(op, ast.Mult) and _is_parameter(reader, factor)
        return replace(waves, free=waves.free or free)
    match op, a, b:
        case ast.Add(), Size(value=x), Size(value=y):
            return Size(x + y)
        case ast.Sub(), Size(value=x), Size(value=y):
            return Size(x - y)
        case ast.MatMult(), _, _:
            return ops.product(a, b, reader.look(node, "attention without a mask"))
        case ast.Add(), Scores(), Mask():
            return ops.hidden(a, b, fills_true=True)
        case ast.Add(), Scores(), None:
            return replace(a, masked=True)  # a bias, or a mask that is not understood
        case ast.Mult(), Scores(), None if not _is_scale(node.right):
            return replace(a, masked=True)
        case ast.Mult(), None, Scores() if not _is_scale(node.left):
            return replace(b, masked=True)
        case _, Scores(), Mask():
            return replace(a, masked=True)
        case _, Mask(), _ if not isinstance(b, Seq):
            return a
    return together([a, b])


def _is_scale(node: ast.expr) -> bool:
    """A number, as far as it is written or called one; anything else may be a mask."""
    match node:
        case ast.Constant():
            return True
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return _SCALES.search(name.lower()) is not None
        case ast.BinOp(left=left, right=right):
            return _is_scale(left) and _is_scale(right)
        case ast.UnaryOp(operand=inner) | ast.Call(args=[inner]):
            return _is_scale(inner)
        case (
            ast.Call(func=ast.Attribute(attr="size"))
            | ast.Subscript(value=ast.Attribute(attr="shape"))
        ):
            return True
    return False


def _is_parameter(reader: Reader, node: ast.expr) -> bool:
    """`self.response`, as it is or as complex numbers: an `nn.Parameter` of the class."""
    while isinstance(node, ast.Call):
        called = reader.called(node.func)
        if called in ("view_as_complex", "complex") and node.args:
            node = node.args[0]
        elif called in ("contiguous", "to", "float") and isinstance(node.func, ast.Attribute):
            node = node.func.value
        else:
            return False
    match node:
        case ast.Attribute(value=ast.Name(id="self"), attr=name):
            made = reader.parts.get(name)
            return isinstance(made, ast.Call) and reader.called(made.func) == "Parameter"
    return False


def _share(reader: Reader, node: ast.BinOp, a: Known, b: Known) -> Known:
    """`0.9 * loss`, `loss / 1.1`, and the sum of two losses."""
    if isinstance(a, Loss) and isinstance(b, Loss):
        if not isinstance(node.op, ast.Add):
            return None
        return Loss(a.share + b.share, a.look or b.look)
    loss, other = (a, node.right) if isinstance(a, Loss) else (b, node.left)
    by = ops.literal(other)
    assert isinstance(loss, Loss)
    if not isinstance(by, int | float) or by <= 0:
        return None
    match node.op:
        case ast.Mult():
            share = loss.share * by
        case ast.Div() if loss is a:
            share = loss.share / by
        case _:
            return None
    return Loss(share, reader.look(node, f"`{ast.unparse(node)[-40:]}`"))


def _compared(node: ast.Compare, a: Known, b: Known) -> Known:
    if isinstance(a, Mask):
        turns = isinstance(node.ops[0], ast.Eq) and b == Size(number(0))
        return replace(a, opens=not a.opens) if turns else a
    return None  # a mask of places, such as that of padding
