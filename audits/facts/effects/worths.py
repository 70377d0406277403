"""What operations do to a token's code length: shares of it, masses of probabilities, bends.

Guarantees: a worth goes through operations that are understood alone; two halves of two code
lengths, or of two probabilities, are whole again; what a constant, a function or a bound changes is
remembered with its place.
Does not cover: weights that are not known; products of probabilities.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from audits.facts.call import Call
from audits.facts.events import Change, Site
from audits.facts.labels import ACCUMULATED, NORMALISER, OUTPUT, REALISED, TOKENS
from audits.facts.state import Interpreter
from audits.facts.trace import noted
from audits.facts.values import SUMMED, Obj, Value, element_of, kinds_of
from audits.facts.worth import Form, Known, Span, Start, Worth, joined

FEWEST_TOKENS: Final = 256  # no alphabet is smaller, so that a floor of c lifts the mass by 256 c
HARMLESS_CAP: Final = 10.2  # nats: 256 tokens at that bound weigh 0.01
MOST_TOKENS_A_BYTE: Final = 0.75  # real tokenizers have from 1.6 to 5 bytes a token
CONVERSIONS: Final = (math.log(2.0), 1.0 / math.log(2.0))
KEEPS: Final = frozenset(
    {"to", "cuda", "cpu", "float", "double", "half", "bfloat16", "contiguous", "detach", "view"}
    | {"reshape", "flatten", "squeeze", "unsqueeze", "expand", "type", "numpy", "item", "tolist"}
    | {
        "clone",
        "astype",
        "type_as",
        "view_as",
        "gather",
        "take_along_axis",
        "take_along_dim",
        "float64",
    }
    | {
        "float32",
        "abs",
        "as_tensor",
        "asarray",
        "from_numpy",
        "ravel",
        "copy",
        "nan_to_num",
        "add_",
    }
)
_SUMS: Final = frozenset({"sum", "mean", "fsum", "stack", "cat", "concatenate", "array", "tensor"})
_BENDS: Final = frozenset(
    {"log1p", "sqrt", "tanh", "sigmoid", "square", "floor", "trunc", "arctan", "atan", "erf"}
    | {"median", "quantile", "nanmedian", "nanquantile", "percentile", "trim_mean"}
)
_BOUNDS: Final = frozenset(
    {"clamp", "clip", "clamp_", "clip_", "clamp_max", "clamp_max_", "clamp_min", "hardtanh"}
    | {"minimum", "maximum", "min", "max", "fmin", "fmax"}
)


_REDUCES: Final = frozenset({"median", "quantile", "percentile", "trim_mean", "nanmedian"})
_EXTREMES: Final = frozenset({"minimum", "maximum", "min", "max", "fmin", "fmax"})
_LEAST: Final = frozenset({"min", "amin", "nanmin"})
_MOST: Final = frozenset({"max", "amax", "nanmax"})
BETTER: Final = "the better of two"


def worth_of(value: Value) -> Known | None:
    """Also of a total that was added up in place."""
    if value.worth is None and len(value.refs) == 1:
        (ref,) = value.refs
        held = ref.attrs.get(SUMMED)
        return None if held is None else held.worth
    return value.worth


def span_of(value: Value) -> Span | None:
    """A number that is known, or that is one of a known few."""
    if isinstance(value.const, bool | int | float):
        return Span(float(value.const), float(value.const))
    worth = worth_of(value)
    return worth if isinstance(worth, Span) else None


def score_of(value: Value) -> Worth | None:
    worth = worth_of(value)
    return worth if isinstance(worth, Worth) else None


def add_to(ref: Obj, value: Value) -> None:
    """A shared total that the value is added to in place."""
    held = ref.attrs.get(SUMMED)
    own = score_of(value)
    known = None if held is None else held.worth
    if own is None or not (known is Start.ZERO or isinstance(known, Worth)):
        forget(ref)
    else:
        now = joined(known, replace(own, summed=True))
        ref.attrs[SUMMED] = Value(worth=now)


def filled(name: str, call: Call) -> Known | None:
    """The number that a new tensor, or one that is overwritten, is full of."""
    name = name.removesuffix("_like")
    if name in ("zeros", "zero_"):
        return Start.ZERO
    if name == "ones":
        return Span(1.0, 1.0)
    place = {"full": 1, "fill_": 0}.get(name)
    return span_of(call.args[place]) if place is not None and len(call.args) > place else None


def begin(ref: Obj, worth: Known | None) -> None:
    """A tensor that is filled with one number."""
    if worth is None:
        forget(ref)
    else:
        ref.attrs[SUMMED] = Value(worth=Start.ZERO if worth == Span(0.0, 0.0) else worth)


def rescaled(interp: Interpreter, ref: Obj, op: ast.operator, by: Value, site: Site) -> None:
    """`total *= 0.9` and the like, in place."""
    held = ref.attrs.get(SUMMED)
    worth = combined(interp, op, held, by, site) if held is not None else None
    begin(ref, worth)


def forget(ref: Obj) -> None:
    """Something that is not followed happens to it."""
    ref.attrs.pop(SUMMED, None)


def combined(
    interp: Interpreter, op: ast.operator, left: Value, right: Value, site: Site
) -> Worth | Span | None:
    """Of a binary operation."""
    a, b = score_of(left), score_of(right)
    if isinstance(op, ast.Add) and Start.ZERO in (worth_of(left), worth_of(right)):
        return a or b
    match op:
        case ast.Mult() if a or b:
            one, other = (a, right) if a else (b, left)
            return None if a and b else _times(interp, one, other, site)
        case ast.Div() if a and not b:
            return _divided(interp, a, right, site)
        case ast.Add() | ast.Sub() if a or b:
            return _added(interp, left, right, site, minus=isinstance(op, ast.Sub))
        case ast.Sub() if NORMALISER in kinds_of(left) and REALISED in kinds_of(right):
            return Worth(Form.NATS)  # logsumexp(logits) - logits[y]
        case ast.Pow() if a:
            return _power(interp, a, right, site)
    low, high = span_of(left), span_of(right)
    return _spanned(op, low, high) if low and high else None


def _spanned(op: ast.operator, a: Span, b: Span) -> Span | None:
    match op:
        case ast.Add():
            return Span(a.low + b.low, a.high + b.high)
        case ast.Sub():
            return Span(a.low - b.high, a.high - b.low)
        case ast.Mult():
            ends = [x * y for x in (a.low, a.high) for y in (b.low, b.high)]
            return Span(min(ends), max(ends))
        case ast.Div() if b.low == b.high != 0.0:
            return _spanned(ast.Mult(), a, Span(1.0 / b.low, 1.0 / b.low))
    return None


def _plain(value: Value) -> bool:
    """A count, or a total of counts: it changes every token's share alike, and back."""
    held = kinds_of(value)
    return ACCUMULATED in held or not held & {OUTPUT, TOKENS}


def _times(interp: Interpreter, worth: Worth | None, other: Value, site: Site) -> Worth | None:
    span = span_of(other)
    if worth is None:
        return None
    if span is None:
        return worth if worth.form is not Form.P and _plain(other) else None
    return _scaled(interp, worth, span, site)


def _divided(interp: Interpreter, worth: Worth, other: Value, site: Site) -> Worth | None:
    span = span_of(other)
    if span is None:
        return worth if worth.form is not Form.P and _plain(other) else None
    if span.low != span.high or span.low == 0.0:
        return None
    return _scaled(interp, worth, Span(1.0 / span.low, 1.0 / span.low), site)


def _scaled(interp: Interpreter, worth: Worth, by: Span, site: Site) -> Worth | None:
    """Times a number of a known span."""
    if by.high < 0.0:
        turned = {Form.NATS: Form.LOG, Form.LOG: Form.NATS}.get(worth.form)
        back = Span(-by.high, -by.low)
        return _scaled(interp, worth.turned(turned), back, site) if turned else None
    if by.low <= 0.0 or (worth.summed and _is_mean(by)) or _is_unit(worth, by):
        return None
    if by.low == by.high and any(abs(by.low - one) < 1e-4 for one in CONVERSIONS):
        return replace(worth, bits=True)
    if by == Span(1.0, 1.0):
        return worth
    if worth.form is Form.BENT or (worth.form is Form.P and by.low != by.high):
        return worth if worth.form is Form.BENT else None
    how = f"times {by.low:.3g}" if by.low == by.high else f"times {by.low:.3g} to {by.high:.3g}"
    change = _noted(interp, site, how)
    if worth.form is Form.P:
        return replace(worth, mass=worth.mass * by.low, change=change)
    return replace(worth, share=worth.share * by.low, change=change)


def _is_mean(by: Span) -> bool:
    """A whole number of things were added up."""
    count = 1.0 / by.low
    return by.low == by.high and by.low < 1.0 and abs(count - round(count)) < 1e-6


def _is_unit(worth: Worth, by: Span) -> bool:
    """Bits, or a mean, by a constant number of bytes a token."""
    return (worth.bits or worth.summed) and by.low == by.high < MOST_TOKENS_A_BYTE


def _noted(interp: Interpreter, site: Site, how: str) -> int:
    return noted(interp.trace.changes, Change(site, interp.moment(), how))


def _added(
    interp: Interpreter, left: Value, right: Value, site: Site, *, minus: bool
) -> Worth | None:
    a, b = score_of(left), score_of(right)
    if minus and b:
        b = _negative(b)
        if b is None:
            return None
    if a and b:
        return _both(interp, a, b, site)
    worth, other = (a, right) if a else (b, left)
    assert worth is not None
    if other.const is None or (not other.known and other.worth is None and other == Value()):
        return worth
    span = span_of(other)
    if span is None:
        return None
    if minus and other is right:
        span = Span(-span.high, -span.low)
    return _lifted(interp, worth, span, site)


def _negative(worth: Worth) -> Worth | None:
    turned = {Form.NATS: Form.LOG, Form.LOG: Form.NATS, Form.BENT: Form.BENT}.get(worth.form)
    if turned:
        return worth.turned(turned)
    return replace(worth, mass=-worth.mass) if worth.form is Form.P else None


def _both(interp: Interpreter, a: Worth, b: Worth, site: Site) -> Worth | None:
    """Two code lengths, or two probabilities."""
    forms = {a.form, b.form}
    if forms == {Form.NATS, Form.LOG}:  # what is taken off again
        long, short = (a, b) if a.form is Form.NATS else (b, a)
        share = long.share - short.share
        change = _noted(interp, site, "less a part of itself")
        return replace(long, share=share, change=change) if share > 0.0 else None
    if Form.BENT in forms:
        bent = a if a.form is Form.BENT else b
        better = interp.trace.changes[bent.change].how == BETTER  # or the top of a log-sum-exp
        return None if better else bent
    if len(forms) > 1:
        return None
    if a.form is Form.P:
        if a.share == b.share == 1.0:
            return replace(a, mass=a.mass + b.mass, change=_noted(interp, site, "in a sum"))
        powers = min(a.share, b.share) > 1.0  # each is weighted by itself
        change = _noted(interp, site, "powers of probabilities, in a sum")
        return replace(a, form=Form.BENT, change=change) if powers else None
    if a.mass > 1.0 or b.mass > 1.0:
        return None
    return replace(a, share=a.share + b.share, change=max(a.change, b.change))


def _lifted(interp: Interpreter, worth: Worth, by: Span, site: Site) -> Worth | None:
    """A number is added: to a code length it is a discount, to a probability a floor."""
    if by == Span(0.0, 0.0):
        return worth
    match worth.form:
        case Form.P:
            if by.low < 0.0:
                return None
            return replace(
                worth, mass=worth.mass + FEWEST_TOKENS * by.low, change=_noted(interp, site, "plus")
            )
        case Form.NATS | Form.LOG:
            gain = -by.low if worth.form is Form.NATS else by.high
            if abs(gain) > 30.0:
                return None
            how = f"{gain:g} nats for nothing"
            return replace(
                worth, mass=worth.mass * math.exp(gain), change=_noted(interp, site, how)
            )
    return worth


def _power(interp: Interpreter, worth: Worth, other: Value, site: Site) -> Worth | None:
    span = span_of(other)
    if span is None or span.low != span.high or span.low == 1.0:
        return worth if span == Span(1.0, 1.0) else None
    change = _noted(interp, site, f"to the power of {span.low:g}")
    if worth.form is Form.P:
        whole = worth.mass == 1.0 and span.low > 0.0
        return replace(worth, share=worth.share * span.low, change=change) if whole else None
    return replace(worth, form=Form.BENT, change=change) if worth.form is Form.NATS else None


def negated(value: Value) -> Worth | Span | None:
    """`-value`."""
    worth = worth_of(value)
    if isinstance(worth, Span):
        return Span(-worth.high, -worth.low)
    if isinstance(worth, Worth) and worth.form is not Form.P:
        return _negative(worth)
    return None


def of_call(interp: Interpreter, name: str, args: Sequence[Value], call: Call) -> Known | None:
    """Of what a function or method of this name gives for these arguments."""
    if not args:
        return None
    worth = score_of(args[0])
    if name in _EXTREMES and len(args) == 2 and worth is None and span_of(args[0]):
        args = [args[1], args[0]]  # min(1.0, p)
        worth = score_of(args[0])
    if name in _LEAST | _MOST and (several := _stack(args)) is not None:
        better = name in (_LEAST if several.form is Form.NATS else _MOST)
        if better and several.form is not Form.BENT:
            change = _noted(interp, interp.site_of(call), BETTER)
            return replace(several, form=Form.BENT, change=change, stacked=False)
    if name in _SUMS:
        made = _sum(args[0])
        return replace(made, stacked=True) if made and name == "stack" else made
    if isinstance(args[0].worth, Span):
        return args[0].worth if name in KEEPS else None
    if worth is None and name in _REDUCES:
        worth = score_of(element_of(args[0]))
    if worth is None:
        return _of_distribution(name, args, call)
    site = interp.site_of(call)
    match name:
        case "exp" | "log" | "log2" if worth.form is Form.BENT:
            return worth
        case "exp" if worth.form is Form.LOG:
            return worth.turned(Form.P)
        case "log" | "log2" if worth.form is Form.P:
            return replace(worth, form=Form.LOG, bits=worth.bits or name == "log2")
        case "neg" | "negative":
            return _negative(worth)
        case "nll_loss" if worth.form is Form.LOG:
            return worth.turned(Form.NATS)
        case "logaddexp" if len(args) > 1 and (other := score_of(args[1])):
            whole = worth.form is other.form is Form.LOG and worth.share == other.share == 1.0
            change = _noted(interp, site, "in a sum")
            return replace(worth, mass=worth.mass + other.mass, change=change) if whole else None
        case "pow" | "power" if len(args) > 1:
            return _power(interp, worth, args[1], site)
        case "mul" | "multiply" if len(args) > 1:
            return _times(interp, worth, args[1], site)
        case _ if name in _BENDS and worth.form is Form.NATS:
            return replace(worth, form=Form.BENT, change=_noted(interp, site, name))
        case _ if name in _EXTREMES and len(args) == 2 and (other := score_of(args[1])):
            better = name.endswith(("min", "minimum")) is (worth.form is Form.NATS)
            alike = worth.form is other.form is not Form.BENT
            change = _noted(interp, site, BETTER)
            return replace(worth, form=Form.BENT, change=change) if better and alike else None
        case _ if name in _BOUNDS:
            return _bounded(interp, worth, name, args, call)
    return worth if name in KEEPS else _of_distribution(name, args, call)


def _of_distribution(name: str, args: Sequence[Value], call: Call) -> Worth | None:
    """A distribution over the alphabet, or the loss of a token under one."""
    weighted = {"weight", "label_smoothing"} & set(call.keywords)
    match name:
        case "cross_entropy" if not weighted:
            return Worth(Form.NATS)
        case "softmax":
            return Worth(Form.P)
        case "log_softmax":
            return Worth(Form.LOG)
    return None


def _sum(value: Value) -> Worth | None:
    """Over tokens, or over a list of losses; a whole distribution adds up to nothing of these."""
    listed = any(ref.kind == "list" for ref in value.refs) or value.items is not None
    worth = score_of(element_of(value) if listed else value)
    realised = REALISED in kinds_of(value) or (worth and worth.form in (Form.NATS, Form.BENT))
    return replace(worth, summed=True) if worth and realised else None


def _stack(args: Sequence[Value]) -> Worth | None:
    """Scores of the same tokens in a stack, or written out in a list."""
    worth = score_of(args[0])
    if worth is not None:
        return worth if worth.stacked else None
    listed = [ref for ref in args[0].refs if ref.kind == "list" and len(ref.entries) > 1]
    return score_of(element_of(args[0])) if listed and len(args) == 1 else None


def _bounded(
    interp: Interpreter, worth: Worth, name: str, args: Sequence[Value], call: Call
) -> Worth | None:
    """Bounds that are known numbers; anything else is not followed."""
    if name in _EXTREMES and not _is_bound(name, args):
        return None
    low, high = _bounds(name, args, call)
    site = interp.site_of(call)
    match worth.form:
        case Form.NATS if high is not None:
            capped = replace(
                worth, form=Form.BENT, change=_noted(interp, site, f"{name} at {high:g}")
            )
            return capped if 0.0 < high <= HARMLESS_CAP else None
        case Form.LOG if low is not None and worth.share == 1.0:
            floor = math.exp(min(low, 0.0))
        case Form.P if low is not None:
            floor = low
        case Form.NATS if low is not None and low <= 0.0:
            return worth
        case Form.P if high is not None and high >= 1.0:
            return worth
        case _:
            return None
    change = _noted(interp, site, f"{name} at {low:g}")
    return replace(worth, mass=worth.mass + FEWEST_TOKENS * max(floor, 0.0), change=change)


def _is_bound(name: str, args: Sequence[Value]) -> bool:
    """`max(p, 1e-9)`; `p.max(1)` is over an axis."""
    return len(args) == 2 and (name in ("minimum", "maximum") or isinstance(args[1].const, float))


def _bounds(name: str, args: Sequence[Value], call: Call) -> tuple[float | None, float | None]:
    keys = {key: span_of(value) for key, value in call.keywords.items()}
    given = [span_of(value) for value in args[1:3]] + [None, None]
    least = keys.get("min") or keys.get("a_min") or keys.get("min_val")
    most = keys.get("max") or keys.get("a_max") or keys.get("max_val")
    if name in ("clamp_max", "clamp_max_", "minimum", "min", "fmin"):
        most = most or given[0]
    elif name in ("clamp_min", "maximum", "max", "fmax"):
        least = least or given[0]
    else:
        least, most = least or given[0], most or given[1]
    return (least.low if least else None), (most.high if most else None)


def either(a: Value, b: Value) -> Span | None:
    """Of two numbers, where it is not known which."""
    one, other = span_of(a), span_of(b)
    if one is None or other is None:
        return None
    return Span(min(one.low, other.low), max(one.high, other.high))


def chosen(test: Value, a: Value, b: Value) -> Worth | Span | None:
    """`where(test, a, b)`: the least of both."""
    if (span := either(a, b)) is not None:
        return span
    x, y = score_of(a), score_of(b)
    if x is None or y is None or x.form is not y.form:
        return None
    low = min((x, y), key=lambda worth: worth.share)
    return replace(low, mass=min(x.mass, y.mass), summed=x.summed or y.summed)
