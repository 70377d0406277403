"""What one understood step makes of a token's score: a share, a mass, a bend.

Guarantees: each step that changes a score is remembered with its place; a step that could be the
inverse of an earlier one, or a mean, is none.
Does not cover: which code takes such a step.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Final

from audits.facts.effects.worths.held import span_of
from audits.facts.events import Change, Site
from audits.facts.state import Interpreter
from audits.facts.trace import noted
from audits.facts.values import Value
from audits.facts.worth import Form, Span, Worth

FEWEST_TOKENS: Final = 256  # no alphabet is smaller, so that a floor of c lifts the mass by 256 c
MOST_TOKENS_A_BYTE: Final = 0.75  # real tokenizers have from 1.6 to 5 bytes a token
CONVERSIONS: Final = (math.log(2.0), 1.0 / math.log(2.0))
BETTER: Final = "the better of two"
TILTS: Final = "nats for nothing, where a test comes true"


def scaled(interp: Interpreter, worth: Worth, by: Span, site: Site) -> Worth | None:
    """Times a number of a known span."""
    if by.high < 0.0:
        turned = {Form.NATS: Form.LOG, Form.LOG: Form.NATS}.get(worth.form)
        back = Span(-by.high, -by.low)
        return scaled(interp, worth.turned(turned), back, site) if turned else None
    if by.low <= 0.0 or (worth.summed and _is_mean(by)) or _is_unit(worth, by):
        return None
    if by.low == by.high and any(abs(by.low - one) < 1e-4 for one in CONVERSIONS):
        return replace(worth, bits=True)
    if by == Span(1.0, 1.0):
        return worth
    if worth.form is Form.BENT or (worth.form is Form.P and by.low != by.high):
        return worth if worth.form is Form.BENT else None
    how = f"times {by.low:.3g}" if by.low == by.high else f"times {by.low:.3g} to {by.high:.3g}"
    change = remembered(interp, site, how)
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


def remembered(interp: Interpreter, site: Site, how: str) -> int:
    return noted(interp.trace.changes, Change(site, interp.moment(), how))


def negative(worth: Worth) -> Worth | None:
    turned = {Form.NATS: Form.LOG, Form.LOG: Form.NATS, Form.BENT: Form.BENT}.get(worth.form)
    if turned:
        return worth.turned(turned)
    return replace(worth, mass=-worth.mass) if worth.form is Form.P else None


def both(interp: Interpreter, a: Worth, b: Worth, site: Site) -> Worth | None:
    """Two code lengths, or two probabilities."""
    forms = {a.form, b.form}
    if forms == {Form.NATS, Form.LOG}:  # what is taken off again
        long, short = (a, b) if a.form is Form.NATS else (b, a)
        share = long.share - short.share
        change = remembered(interp, site, "less a part of itself")
        return replace(long, share=share, change=change) if share > 0.0 else None
    if Form.BENT in forms:
        bent = a if a.form is Form.BENT else b
        better = interp.trace.changes[bent.change].how == BETTER  # or the top of a log-sum-exp
        return None if better else bent
    if len(forms) > 1:
        return None
    if a.form is Form.P:
        if a.share == b.share == 1.0:
            return replace(a, mass=a.mass + b.mass, change=remembered(interp, site, "in a sum"))
        powers = min(a.share, b.share) > 1.0  # each is weighted by itself
        change = remembered(interp, site, "powers of probabilities, in a sum")
        return replace(a, form=Form.BENT, change=change) if powers else None
    if a.mass > 1.0 or b.mass > 1.0:
        return None
    return replace(a, share=a.share + b.share, change=max(a.change, b.change))


def lifted(interp: Interpreter, worth: Worth, by: Span, site: Site) -> Worth | None:
    """A number is added: to a code length it is a discount, to a probability a floor."""
    if by == Span(0.0, 0.0):
        return worth
    match worth.form:
        case Form.P:
            if by.low < 0.0:
                return None
            return replace(
                worth,
                mass=worth.mass + FEWEST_TOKENS * by.low,
                change=remembered(interp, site, "plus"),
            )
        case Form.NATS | Form.LOG:
            gain = -by.low if worth.form is Form.NATS else by.high
            if abs(gain) > 30.0:
                return None
            how = f"{gain:g} nats for nothing" if by.low == by.high else f"{gain:g} {TILTS}"
            return replace(
                worth, mass=worth.mass * math.exp(gain), change=remembered(interp, site, how)
            )
    return worth


def power(interp: Interpreter, worth: Worth, other: Value, site: Site) -> Worth | None:
    span = span_of(other)
    if span is None or span.low != span.high or span.low == 1.0:
        return worth if span == Span(1.0, 1.0) else None
    change = remembered(interp, site, f"to the power of {span.low:g}")
    if worth.form is Form.P:
        whole = worth.mass == 1.0 and span.low > 0.0
        return replace(worth, share=worth.share * span.low, change=change) if whole else None
    return replace(worth, form=Form.BENT, change=change) if worth.form is Form.NATS else None
