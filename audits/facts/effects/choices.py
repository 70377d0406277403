"""Choices: the smaller of several losses of the same tokens, taken in hindsight.

Guarantees: only a minimum between two outputs of models, over tokens, counts; a running minimum
counts where it is kept by name or by position.
Does not cover: choices made by comparing and branching in scalar code.
"""

from __future__ import annotations

import ast
from typing import Final

from audits.facts.events import Choice, Site
from audits.facts.labels import (
    CHOICE,
    OUTPUT,
    REALISED,
    TOKENS,
    Label,
    ids,
    kinds,
)
from audits.facts.state import Interpreter
from audits.facts.trace import noted
from audits.facts.values import Value, derive, kinds_of, labels_of

MINIMA: Final = frozenset({"minimum", "fmin", "min"})


def minimum(interp: Interpreter, left: Value, right: Value, site: Site) -> Value:
    """The smaller of two losses of the same tokens is a choice in hindsight."""
    made = derive(left, right)
    a, b = labels_of(left), labels_of(right)
    several = ids(a, OUTPUT) != ids(b, OUTPUT)
    several |= REALISED in kinds(a) and REALISED in kinds(b)  # of one model, at two temperatures
    if not (ids(a, OUTPUT) and ids(b, OUTPUT) and several):
        return made
    if not (TOKENS in kinds(a) and TOKENS in kinds(b)):
        return made
    number = noted(interp.trace.choices, Choice(site, interp.moment()))
    return Value(labels=made.labels | {Label(CHOICE, number)})


def running_minimum(interp: Interpreter, held: Value | None, value: Value, site: Site) -> Value:
    """`best = minimum(best, loss)` in a loop: the smallest over all rounds."""
    labels = labels_of(value)
    if held is None or not interp.loops or OUTPUT in kinds_of(held):
        return value
    if OUTPUT not in kinds(labels) or TOKENS not in kinds(labels):
        return value
    number = noted(interp.trace.choices, Choice(site, interp.moment()))
    return Value(labels=labels | {Label(CHOICE, number)})


def stored_minimum(
    interp: Interpreter, target: ast.Subscript, source: ast.expr, value: Value, site: Site
) -> Value:
    """`best[places] = minimum(best[places], loss)`: the same, kept by position."""
    if not isinstance(source, ast.Call) or len(source.args) != 2 or not takes_minimum(source):
        return value
    if ast.unparse(target) not in map(ast.unparse, source.args):
        return value
    return running_minimum(interp, Value(), value, site)


def takes_minimum(node: ast.Call) -> bool:
    last = node.func.attr if isinstance(node.func, ast.Attribute) else ""
    return last in MINIMA or (isinstance(node.func, ast.Name) and node.func.id == "min")
