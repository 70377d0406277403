"""Losses of single tokens: what they are taken of, and how they are tilted, weighted or patched.

Guarantees: a tilt, a weight or a bound counts only on the loss or probability of the very token.
Does not cover: the same done to whole distributions, which a softmax makes whole again.
"""

from __future__ import annotations

import ast

from audits.facts.call import Call
from audits.facts.events import Echo, Patch, Site, Tilt, Weighting
from audits.facts.labels import (
    HIT,
    NORMALISER,
    OUTPUT,
    PATCHED,
    REALISED,
    SELF_WEIGHTED,
    TILTED,
    TOKENS,
    Label,
    ids,
    kinds,
)
from audits.facts.state import Interpreter
from audits.facts.trace import noted
from audits.facts.values import Value, kinds_of, labels_of


def note_target(interp: Interpreter, logits: Value, aims: Value, site: Site) -> None:
    """The tokens that a loss is taken of; they may turn out to be what the model was given."""
    wanted = ids(labels_of(aims), TOKENS)
    interp.trace.targets |= wanted
    same = {
        number
        for number in ids(labels_of(logits), OUTPUT)
        if len(wanted) == 1 and interp.trace.inputs.get(number) == wanted
    }
    if same:
        interp.trace.echoes.append(Echo(site, interp.moment(), frozenset(same)))


def log_of_sum(name: str, made: Value, node: ast.Call) -> Value:
    """`log1p(p (e^b - 1))`, `log(1 + ...)` and log-sum-exps are normalisers."""
    adds_one = any(
        isinstance(one, ast.BinOp)
        and isinstance(one.op, ast.Add)
        and any(isinstance(side, ast.Constant) for side in (one.left, one.right))
        for one in ast.walk(node.args[0])
    )
    if name == "log" and not adds_one:
        return made
    return Value(labels=made.labels | {Label(NORMALISER, 0)}, switches=made.switches)


def tilt(interp: Interpreter, left: Value, right: Value, site: Site) -> set[Label]:
    """`loss - b * (hint == y)`: what comes true costs less."""
    hits = ids(labels_of(right), HIT)
    if not hits or HIT in kinds_of(left) or REALISED not in kinds_of(left):
        return set()
    number = noted(interp.trace.tilts, Tilt(site, interp.moment(), hits))
    return {Label(TILTED, number)}


def self_weighting(interp: Interpreter, left: Value, right: Value, site: Site) -> set[Label]:
    """A token's probability times a weight that was made of that very probability."""
    a, b = (ids(labels_of(value), REALISED) for value in (left, right))
    if not a & b:
        return set()
    number = noted(interp.trace.weightings, Weighting(site, interp.moment()))
    return {Label(SELF_WEIGHTED, number)}


def patched(interp: Interpreter, value: Value, name: str, call: Call) -> Value:
    """An upper bound above one, which can only concern losses, or a replacement of bad values."""
    args = call.args
    most = call.keywords.get("max", args[1] if len(args) > 1 else Value()).const
    bounds = isinstance(most, int | float) and most > 1.0
    if REALISED not in kinds(value.labels) or not (bounds or name == "nan_to_num"):
        return value
    number = noted(interp.trace.patches, Patch(interp.site_of(call), interp.moment(), name))
    mark = Label(PATCHED, number)
    return Value(labels=value.labels | {mark}, switches=value.switches)
