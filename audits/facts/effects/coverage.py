"""Coverage: loops that go through a part of what there is, as their own text says.

Guarantees: a bound counts as shortened when it is a plain fraction of a size, through whatever
names and functions it goes, or a list when every second entry, or a sample, is taken of it; where
another loop begins at that bound, nothing is left.
Does not cover: bounds that are numbers.
"""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from typing import Final

from audits.facts.events import Part, Site
from audits.facts.labels import (
    LIMITED,
    LOOP,
    NOTHING,
    PART,
    ROUND,
    ROUNDS,
    SHARE,
    SIZE,
    STREAM,
    TOKENS,
    Label,
    ids,
    kinds,
)
from audits.facts.scope import Scope
from audits.facts.state import Interpreter
from audits.facts.trace import noted
from audits.facts.values import Value, derive, labels_of

LARGEST_DIVISOR: Final = 16  # what is divided by more is counted in other units
SAMPLES: Final = frozenset({"random.sample", "random.choices", "numpy.random.choice"})
# Bytes of a file over bytes of a token, and a rank's own share.
LAUNCHED: Final = frozenset({"WORLD_SIZE", "RANK", "LOCAL_RANK", "LOCAL_WORLD_SIZE"})
_OTHER_UNITS: Final = re.compile(r"itemsize|nbytes|getsize|st_size|element_size|world|rank")
_DEPTH: Final = 3
SIZES: Final = frozenset({"shape", "size"})  # attributes that say how many there are


def size(interp: Interpreter, of: Value, made: Value) -> Value:
    """`len(starts)`, `tokens.numel()`: how many there are; of a piece of the stream that a loop
    cut, nothing."""
    held = labels_of(of)
    whole = any(one.kind == STREAM for one in held) or any(ref.kind == "list" for ref in of.refs)
    cut = [interp.trace.reads[number] for number in ids(held, TOKENS)]
    if made.known or any(read.loops or read.home for read in cut) or not (whole or cut):
        return made
    kept = frozenset(one for one in made.labels if one.kind not in (STREAM, TOKENS))
    return Value(labels=kept | {Label(SIZE, 0)}, switches=made.switches)


def share(
    interp: Interpreter, op: ast.operator, left: Value, right: Value, node: ast.AST, site: Site
) -> frozenset[Label]:
    """`0.5 * n`, `n // 2` of a size: less than there is."""
    for whole, by in ((left, right), (right, left)):
        if kinds(labels_of(whole)) != {SIZE} or by.switches & LAUNCHED:
            continue
        number, divides = by.const, whole is left and isinstance(op, ast.Div | ast.FloorDiv)
        less = isinstance(number, float) and 0.0 < number < 1.0 and isinstance(op, ast.Mult)
        less |= divides and isinstance(number, int) and 1 < number <= LARGEST_DIVISOR
        named = ast.unparse(node)
        if less and not _OTHER_UNITS.search(named):
            one = Part(site, f"up to {named}", named)
            return frozenset({Label(SHARE, noted(interp.trace.parts, one))})
    return NOTHING


def ranged(interp: Interpreter, args: list[Value]) -> Value:
    """`range(first, n // 2, step)`."""
    stop = args[0] if len(args) == 1 else args[1]
    if stop is not args[0]:
        begins(interp, args[0])
    labels = frozenset(Label(PART, number) for number in ids(labels_of(stop), SHARE))
    return Value(labels=labels, switches=derive(*args).switches)


def least(made: Value) -> Value:
    """`min(start + width, n // 2)`: an end; what begins there is not made so."""
    labels = frozenset(Label(LIMITED, one.id) if one.kind == SHARE else one for one in made.labels)
    return replace(made, labels=labels)


def ends(labels: frozenset[Label]) -> frozenset[int]:
    """The Parts at which a piece with such bounds ends."""
    return ids(labels, SHARE) | ids(labels, LIMITED)


def limited(interp: Interpreter, loop: int, test: Value) -> None:
    """`while start < n // 2`."""
    for number in ids(test.labels, SHARE):
        interp.trace.part_of[loop] = interp.trace.parts[number]


def compared(op: ast.cmpop, values: list[Value]) -> frozenset[Label]:
    """The marks of a bound that something stays below: `start < n // 2`."""
    below = {ast.Lt: 1, ast.LtE: 1, ast.Gt: 0, ast.GtE: 0}.get(type(op))
    if below is None or len(values) != 2:
        return NOTHING
    return frozenset(one for one in labels_of(values[below]) if one.kind == SHARE)


def begins(interp: Interpreter, value: Value) -> None:
    """Something begins here: the rest of what such a bound left."""
    interp.trace.begun |= {interp.trace.parts[number] for number in ids(labels_of(value), SHARE)}


def fraction(node: ast.expr | None, scope: Scope, depth: int = _DEPTH) -> str | None:
    """`(n + 1) // 2`, `int(0.5 * n)`, also by the name that it was given."""
    match node:
        case ast.Name() if depth and (made := scope.definitions.get(node.id)) is not None:
            return fraction(made, scope, depth - 1)
        case ast.Call(func=ast.Name(id="int" | "round"), args=[inside]):
            return _share(inside)
        case ast.Call(func=ast.Name(id="max" | "min"), args=[first, second]):
            return fraction(first, scope, depth) or fraction(second, scope, depth)
        case ast.Call(func=ast.Attribute(attr="floor" | "ceil"), args=[inside]):
            return _share(inside)
        case ast.BinOp(op=ast.Sub(), right=ast.BinOp() as rest):
            named = ast.unparse(node)
            return named if fraction(rest, scope, 0) else None
        case ast.BinOp(op=ast.FloorDiv(), left=whole, right=ast.Constant(value=int(by))):
            named = ast.unparse(node)
            small = 1 < by <= LARGEST_DIVISOR and not isinstance(whole, ast.Constant)
            return named if small and not _OTHER_UNITS.search(named) else None
    return None


def _share(node: ast.expr) -> str | None:
    named = ast.unparse(node)
    if _OTHER_UNITS.search(named):
        return None
    match node:
        case ast.BinOp(op=ast.Mult(), left=ast.Constant(value=float(by))):
            return named if 0.0 < by < 1.0 else None
        case ast.BinOp(op=ast.Mult(), right=ast.Constant(value=float(by))):
            return named if 0.0 < by < 1.0 else None
        case ast.BinOp(op=ast.Div(), right=ast.Constant(value=int(by))):
            return named if 1 < by <= LARGEST_DIVISOR else None
    return None


def of_range(interp: Interpreter, node: ast.expr, scope: Scope) -> Part | None:
    """`range(first, n // 2, step)`: the step is in the units of the bound, so half is left out."""
    if not isinstance(node, ast.Call) or not node.args:
        return None
    name = getattr(node.func, "id", "")
    if name in ("enumerate", "tqdm", "list", "reversed", "iter"):
        return of_range(interp, node.args[0], scope)
    if name != "range":
        return None
    if len(node.args) > 1:
        interp.trace.begins.add(ast.unparse(node.args[0]))
    if len(node.args) != 3:
        return None
    site, end = interp.site(node, scope), ast.unparse(node.args[1])
    if (named := fraction(node.args[1], scope)) is not None:
        return Part(site, f"up to {named}", end)
    return Part(site, f"up to {end}", end, sure=False) if _capped(node.args[1]) else None


def _capped(node: ast.expr) -> bool:
    """`min(n, 4000)`: it may be more than there is."""
    match node:
        case ast.Call(func=ast.Name(id="min"), args=[first, second]):
            return isinstance(first, ast.Constant) is not isinstance(second, ast.Constant)
    return False


def strides(interp: Interpreter, node: ast.Slice, loops: frozenset[int], scope: Scope) -> None:
    """`starts[i : i + width]` in a loop that goes on by twice the width."""
    width = _width(node, scope)
    for loop in loops:
        step = interp.trace.steps.get(loop)
        if width is None or step is None or loop in interp.trace.part_of:
            continue
        if (times := _times(step, width)) > 1:
            how = f"pieces of {ast.unparse(width)}, and on by {times} of them"
            interp.trace.part_of[loop] = Part(interp.site(node, scope), how)


def _width(node: ast.Slice, scope: Scope) -> ast.expr | None:
    """`width` of `[i : i + width]`, `[i : min(i + width, n)]`."""
    upper = node.upper
    if isinstance(upper, ast.Name):
        upper = scope.definitions.get(upper.id, upper)
    match upper:
        case ast.Call(func=ast.Name(id="min"), args=[ast.BinOp() as first, _]):
            upper = first
    match node.lower, upper:
        case ast.Name(id=one), ast.BinOp(left=ast.Name(id=other), op=ast.Add(), right=width):
            return width if one == other else None
    return None


def _times(step: ast.expr, width: ast.expr) -> int:
    """How many widths a step is, where both say so."""
    match step:
        case ast.BinOp(op=ast.Mult(), left=ast.Constant(value=int(by)), right=one):
            return by if ast.dump(one) == ast.dump(width) else 1
        case ast.BinOp(op=ast.Mult(), left=one, right=ast.Constant(value=int(by))):
            return by if ast.dump(one) == ast.dump(width) else 1
    return 1


def of_slice(interp: Interpreter, value: Value, key: Value, node: ast.expr, scope: Scope) -> Value:
    """`starts[: len(starts) // 2]`, `starts[::2]`; `starts[i : i + batch]` of a loop's variable."""
    if not isinstance(node, ast.Slice):
        return value
    if rounds := ids(labels_of(key), LOOP):
        strides(interp, node, rounds, scope)
        labels = value.labels | {Label(ROUND, loop) for loop in rounds}
        return Value(labels=labels, refs=value.refs, switches=value.switches)
    if node.lower is not None:
        interp.trace.begins.add(ast.unparse(node.lower))
    elif shares := ids(labels_of(key), SHARE):
        return replace(value, labels=value.labels | {Label(PART, one) for one in shares})
    match node.step:
        case ast.Constant(value=int(by)) if by > 1:
            return part(interp, value, f"every {by}th", interp.site(node, scope))
    named = fraction(node.upper, scope) if node.lower is None and node.upper is not None else None
    if named is None or node.upper is None:
        return value
    return part(interp, value, f"up to {named}", interp.site(node, scope), ast.unparse(node.upper))


def rounds(op: ast.cmpop, values: list[Value]) -> frozenset[Label]:
    """`i >= 100` of a loop's variable."""
    if len(values) != 2 or not isinstance(op, ast.GtE | ast.Gt | ast.Eq):
        return frozenset()
    count, limit = values
    known = isinstance(limit.const, int) and not isinstance(limit.const, bool) and limit.const > 1
    shares = frozenset(one for one in labels_of(limit) if one.kind == SHARE)
    loops = ids(labels_of(count), LOOP) if known or shares else frozenset()
    return shares | {Label(ROUNDS, loop) for loop in loops}


def left(interp: Interpreter, node: ast.If, test: Value, site: Site) -> None:
    """`if i >= 100: break`: there may be more than that. A share of all is less."""
    if not node.body or not isinstance(node.body[-1], ast.Break | ast.Continue):
        return
    sure = SHARE in kinds(test.labels)
    if isinstance(node.body[-1], ast.Break) or sure:
        for loop in ids(labels_of(test), ROUNDS):
            how = f"left where {ast.unparse(node.test)}"
            interp.trace.part_of.setdefault(loop, Part(site, how, sure=sure))


def part(interp: Interpreter, value: Value, how: str, site: Site, end: str = "") -> Value:
    """The value, as a part of what there was."""
    number = noted(interp.trace.parts, Part(site, how, end))
    labels = value.labels | {Label(PART, number)}
    return Value(labels=labels, refs=value.refs, switches=value.switches)


def enter(
    interp: Interpreter, loop: int, iterable: Value, own: Part | None, over: ast.expr
) -> None:
    """A loop that goes through such a part; the step of any other."""
    if isinstance(over, ast.Call) and getattr(over.func, "id", "") == "range" and over.args[2:]:
        interp.trace.steps[loop] = over.args[2]
    marks = sorted(ids(labels_of(iterable), PART))
    found = [interp.trace.parts[number] for number in marks]
    for one in [*found, *([own] if own else [])]:
        interp.trace.part_of[loop] = one
