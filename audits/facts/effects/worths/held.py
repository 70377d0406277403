"""What a value is known to be worth, and what has been added up in a shared total.

Guarantees: a total that something unknown was added to is worth nothing any more.
Does not cover: what operations do to a worth; that is for the modules beside this one.
"""

from __future__ import annotations

from dataclasses import replace

from audits.facts.call import Call
from audits.facts.values import SUMMED, Obj, Value
from audits.facts.worth import Known, Span, Start, Worth, joined


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


def forget(ref: Obj) -> None:
    """Something that is not followed happens to it."""
    ref.attrs.pop(SUMMED, None)


def either(a: Value, b: Value) -> Span | None:
    """Of two numbers, where it is not known which."""
    one, other = span_of(a), span_of(b)
    if one is None or other is None:
        return None
    return Span(min(one.low, other.low), max(one.high, other.high))
