"""What `+`, `-`, `*`, `/` and `**` do to a token's score, and to plain numbers of a known span.

Guarantees: two halves of two code lengths, or of two probabilities, are whole again.
Does not cover: weights that are not known; products of probabilities.
"""

from __future__ import annotations

import ast

from audits.facts.effects.worths.held import begin, score_of, span_of, worth_of
from audits.facts.effects.worths.steps import both, lifted, negative, power, scaled
from audits.facts.events import Site
from audits.facts.labels import ACCUMULATED, NORMALISER, OUTPUT, REALISED, TOKENS
from audits.facts.state import Interpreter
from audits.facts.values import SUMMED, Obj, Value, kinds_of
from audits.facts.worth import Form, Span, Start, Worth


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
            return None if a and b else times(interp, one, other, site)
        case ast.Div() if a and not b:
            return _divided(interp, a, right, site)
        case ast.Add() | ast.Sub() if a or b:
            return _added(interp, left, right, site, minus=isinstance(op, ast.Sub))
        case ast.Sub() if NORMALISER in kinds_of(left) and REALISED in kinds_of(right):
            return Worth(Form.NATS)  # logsumexp(logits) - logits[y]
        case ast.Pow() if a:
            return power(interp, a, right, site)
    low, high = span_of(left), span_of(right)
    return _spanned(op, low, high) if low and high else None


def rescaled(interp: Interpreter, ref: Obj, op: ast.operator, by: Value, site: Site) -> None:
    """`total *= 0.9` and the like, in place."""
    held = ref.attrs.get(SUMMED)
    worth = combined(interp, op, held, by, site) if held is not None else None
    begin(ref, worth)


def negated(value: Value) -> Worth | Span | None:
    """`-value`."""
    worth = worth_of(value)
    if isinstance(worth, Span):
        return Span(-worth.high, -worth.low)
    if isinstance(worth, Worth) and worth.form is not Form.P:
        return negative(worth)
    return None


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


def times(interp: Interpreter, worth: Worth | None, other: Value, site: Site) -> Worth | None:
    span = span_of(other)
    if worth is None:
        return None
    if span is None:
        return worth if worth.form is not Form.P and _plain(other) else None
    return scaled(interp, worth, span, site)


def _divided(interp: Interpreter, worth: Worth, other: Value, site: Site) -> Worth | None:
    span = span_of(other)
    if span is None:
        return worth if worth.form is not Form.P and _plain(other) else None
    if span.low != span.high or span.low == 0.0:
        return None
    return scaled(interp, worth, Span(1.0 / span.low, 1.0 / span.low), site)


def _added(
    interp: Interpreter, left: Value, right: Value, site: Site, *, minus: bool
) -> Worth | None:
    a, b = score_of(left), score_of(right)
    if minus and b:
        b = negative(b)
        if b is None:
            return None
    if a and b:
        return both(interp, a, b, site)
    worth, other = (a, right) if a else (b, left)
    assert worth is not None
    if other.const is None or (not other.known and other.worth is None and other == Value()):
        return worth
    span = span_of(other)
    if span is None:
        return None
    if minus and other is right:
        span = Span(-span.high, -span.low)
    return lifted(interp, worth, span, site)
