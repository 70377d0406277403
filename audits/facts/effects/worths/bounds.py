"""Bounds on a token's score: clamps, floors and caps.

Guarantees: a bound that is a known number lifts the mass, or bends the code length.
Does not cover: bounds that are not known.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from audits.facts.call import Call
from audits.facts.effects.worths.held import span_of
from audits.facts.effects.worths.steps import FEWEST_TOKENS, remembered
from audits.facts.state import Interpreter
from audits.facts.values import Value
from audits.facts.worth import Form, Worth

HARMLESS_CAP: Final = 10.2  # nats: 256 tokens at that bound weigh 0.01
BOUNDS: Final = frozenset(
    {"clamp", "clip", "clamp_", "clip_", "clamp_max", "clamp_max_", "clamp_min", "hardtanh"}
    | {"minimum", "maximum", "min", "max", "fmin", "fmax"}
)
EXTREMES: Final = frozenset({"minimum", "maximum", "min", "max", "fmin", "fmax"})


def bounded(
    interp: Interpreter, worth: Worth, name: str, args: Sequence[Value], call: Call
) -> Worth | None:
    """Bounds that are known numbers; anything else is not followed."""
    if name in EXTREMES and not _is_bound(name, args):
        return None
    low, high = _bounds(name, args, call)
    site = interp.site_of(call)
    match worth.form:
        case Form.NATS if high is not None:
            capped = replace(
                worth, form=Form.BENT, change=remembered(interp, site, f"{name} at {high:g}")
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
    change = remembered(interp, site, f"{name} at {low:g}")
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
