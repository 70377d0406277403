"""What functions and methods do to a token's score.

Guarantees: a worth goes through calls that are understood alone.
Does not cover: functions of the submission; the interpreter goes into those.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from audits.facts.call import Call
from audits.facts.effects.worths.bounds import BOUNDS, EXTREMES, bounded
from audits.facts.effects.worths.held import either, score_of, span_of
from audits.facts.effects.worths.operators import times
from audits.facts.effects.worths.steps import BETTER, negative, power, remembered
from audits.facts.labels import NORMALISER, OUTPUT, RATIO, REALISED
from audits.facts.state import Interpreter
from audits.facts.values import Value, element_of, kinds_of
from audits.facts.worth import Form, Known, Span, Worth

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
_REDUCES: Final = frozenset({"median", "quantile", "percentile", "trim_mean", "nanmedian"})
REPEATS: Final = frozenset({"repeat_interleave", "repeat", "tile"})
_LEAST: Final = frozenset({"min", "amin", "nanmin"})
_MOST: Final = frozenset({"max", "amax", "nanmax"})


def of_call(interp: Interpreter, name: str, args: Sequence[Value], call: Call) -> Known | None:
    """Of what a function or method of this name gives for these arguments."""
    if not args:
        return None
    worth = score_of(args[0])
    if name in EXTREMES and len(args) == 2 and worth is None and span_of(args[0]):
        args = [args[1], args[0]]  # min(1.0, p)
        worth = score_of(args[0])
    if name in _LEAST | _MOST and (several := _stack(args)) is not None:
        better = name in (_LEAST if several.form is Form.NATS else _MOST)
        if better and several.form is not Form.BENT:
            change = remembered(interp, interp.site_of(call), BETTER)
            return replace(several, form=Form.BENT, change=change, stacked=False)
    if name in _SUMS:
        made = _sum(args[0])
        stacked = name == "stack" and _beside_counts(args[0]) is None
        return replace(made, stacked=True) if made and stacked else made
    if isinstance(args[0].worth, Span):
        return args[0].worth if name in KEEPS else None
    if worth is None and name in _REDUCES:
        worth = score_of(element_of(args[0]))
    if worth is None and name in REPEATS and {REALISED, NORMALISER} <= kinds_of(args[0]):
        change = remembered(interp, interp.site_of(call), "one sum of probabilities for several")
        return Worth(Form.BENT, change=change)
    if worth is None:
        return _of_counts(name, args[0]) or _of_distribution(name, args, call)
    site = interp.site_of(call)
    match name:
        case "exp" | "log" | "log2" if worth.form is Form.BENT:
            return worth
        case "exp" if worth.form is Form.LOG:
            return worth.turned(Form.P)
        case "log" | "log2" if worth.form is Form.P:
            return replace(worth, form=Form.LOG, bits=worth.bits or name == "log2")
        case "neg" | "negative":
            return negative(worth)
        case "nll_loss" if worth.form is Form.LOG:
            return worth.turned(Form.NATS)
        case "logaddexp" if len(args) > 1 and (other := score_of(args[1])):
            whole = worth.form is other.form is Form.LOG and worth.share == other.share == 1.0
            change = remembered(interp, site, "in a sum")
            return replace(worth, mass=worth.mass + other.mass, change=change) if whole else None
        case "pow" | "power" if len(args) > 1:
            return power(interp, worth, args[1], site)
        case "mul" | "multiply" if len(args) > 1:
            return times(interp, worth, args[1], site)
        case _ if name in _BENDS and worth.form is Form.NATS:
            return replace(worth, form=Form.BENT, change=remembered(interp, site, name))
        case _ if name in EXTREMES and len(args) == 2 and (other := score_of(args[1])):
            better = name.endswith(("min", "minimum")) is (worth.form is Form.NATS)
            alike = worth.form is other.form is not Form.BENT
            change = remembered(interp, site, BETTER)
            return replace(worth, form=Form.BENT, change=change) if better and alike else None
        case _ if name in BOUNDS:
            return bounded(interp, worth, name, args, call)
    return worth if name in KEEPS else _of_distribution(name, args, call)


def _of_counts(name: str, value: Value) -> Worth | None:
    """The logarithm of a quotient of counts: what a table says of a token, as a model does."""
    held = kinds_of(value)
    return Worth(Form.LOG) if name == "log" and RATIO in held and OUTPUT not in held else None


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
    worth = score_of(element_of(value) if listed else value) or _beside_counts(value)
    realised = REALISED in kinds_of(value) or (worth and worth.form in (Form.NATS, Form.BENT))
    return replace(worth, summed=True) if worth and realised else None


def _beside_counts(value: Value) -> Worth | None:
    """`[nll.sum(), count, size]`: the only score among the totals of one list."""
    entries = [one for ref in value.refs if ref.kind == "list" for one in ref.entries.values()]
    found = [one for one in entries if OUTPUT in kinds_of(one)]
    return score_of(found[0]) if len(found) == 1 and len(entries) > 1 else None


def _stack(args: Sequence[Value]) -> Worth | None:
    """Scores of the same tokens in a stack, or written out in a list."""
    worth = score_of(args[0])
    if worth is not None:
        return worth if worth.stacked else None
    listed = [ref for ref in args[0].refs if ref.kind == "list" and len(ref.entries) > 1]
    return score_of(element_of(args[0])) if listed and len(args) == 1 else None


def chosen(test: Value, a: Value, b: Value) -> Worth | Span | None:
    """`where(test, a, b)`: the least of both."""
    if (span := either(a, b)) is not None:
        return span
    x, y = score_of(a), score_of(b)
    if x is None or y is None or x.form is not y.form:
        return None
    low = min((x, y), key=lambda worth: worth.share)
    return replace(low, mass=min(x.mass, y.mass), summed=x.summed or y.summed)
