"""Vocabulary pieces and their lengths: what a table of bytes per token is made of.

A piece that begins a word carries a mark (U+2581) that stands for a space. A table may leave the
mark out and let the count add the space where it is printed, or it may count the space itself, but
not both.

Guarantees: a length keeps whether the mark was cut off and whether a space was added again.
Does not cover: tables read from files.
"""

from __future__ import annotations

import ast
from typing import Final

from audits.facts.events import Change, Site
from audits.facts.labels import (
    INFLATED,
    OUTPUT,
    PIECE,
    PIECE_FLAG,
    PIECE_LENGTH,
    SPACED,
    STRIPPED,
    Label,
    kinds,
)
from audits.facts.state import Interpreter
from audits.facts.trace import noted
from audits.facts.values import Value, kinds_of

BITS: Final = 8  # of a byte
READERS: Final = frozenset({"id_to_piece", "IdToPiece"})
# What a length counts of a marked piece; ids of PIECE_LENGTH labels.
AS_IT_IS, WITHOUT_SPACE, WITH_SPACE = range(3)


def piece() -> Value:
    return Value(labels=frozenset({Label(PIECE, 0)}))


def sliced(value: Value, node: ast.expr) -> Value:
    """`piece[1:]`: the mark is cut off."""
    match node:
        case ast.Slice(lower=ast.Constant(value=1)) if PIECE in kinds(value.labels):
            return Value(labels=value.labels | {Label(STRIPPED, 0)})
    return value


def replaced(value: Value, by: object) -> Value:
    """`piece.replace(mark, "")` or with a space."""
    held = kinds(value.labels)
    if PIECE not in held or STRIPPED in held:
        return value  # without its mark, what is replaced stands inside the piece
    return Value(labels=value.labels | {Label(SPACED if by == " " else STRIPPED, 0)})


def joined(left: Value, right: Value, made: frozenset[Label]) -> frozenset[Label]:
    """`" " + piece[1:]`, and a length plus one."""
    labels = set(made)
    for one, other in ((left, right), (right, left)):
        held = kinds_of(one)
        if other.const == " " and STRIPPED in held:
            labels = (labels - {Label(STRIPPED, 0)}) | {Label(SPACED, 0)}
        if other.const == 1 and Label(PIECE_LENGTH, WITHOUT_SPACE) in one.labels:
            labels.discard(Label(PIECE_LENGTH, WITHOUT_SPACE))
            labels.add(Label(PIECE_LENGTH, WITH_SPACE))
    return frozenset(labels)


def length(value: Value) -> Value:
    """`len(piece)`; other lengths carry nothing."""
    held = kinds_of(value)
    if PIECE not in held:
        return Value(switches=value.switches)
    code = WITH_SPACE if SPACED in held else WITHOUT_SPACE if STRIPPED in held else AS_IT_IS
    return Value(labels=frozenset({Label(PIECE_LENGTH, code)}), switches=value.switches)


def inflated(interp: Interpreter, one: Value, factor: Value, site: Site) -> set[Label]:
    """Bytes of pieces, or of their spaces, times a number above one; eight make bits of bytes."""
    by, held = factor.const, kinds_of(one)
    counts = held & {PIECE_LENGTH, PIECE_FLAG} and OUTPUT not in held
    if not counts or not isinstance(by, int | float) or by <= 1 or by == BITS or factor.switches:
        return set()
    change = Change(site, interp.moment(), f"times {by:g}")
    return {Label(INFLATED, noted(interp.trace.changes, change))}
