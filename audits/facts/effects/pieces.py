"""Vocabulary pieces and their lengths: what a table of bytes per token is made of.

A piece that begins a word carries a mark (U+2581) that stands for a space. A table may leave the
mark out and let the count add the space where it is printed, or it may count the space itself, but
not both.

Guarantees: a length keeps whether the mark was cut off and whether a space was added again.
Does not cover: tables read from files.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from audits.facts.events import Change, Site
from audits.facts.labels import (
    ACCUMULATED,
    COUNT,
    INFLATED,
    OUTPUT,
    PIECE,
    PIECE_FLAG,
    PIECE_LENGTH,
    SPACED,
    STATISTIC,
    STRIPPED,
    TOKENS,
    Label,
    ids,
    kinds,
)
from audits.facts.state import Interpreter
from audits.facts.trace import noted
from audits.facts.values import Value, kinds_of, labels_of

_FLAGS: Final = frozenset({Label(PIECE_FLAG, 0), Label(PIECE, 0)})
# Not the bytes of single tokens alone: totals, and what may say whether a space stands before one.
_TOTALS: Final = frozenset({ACCUMULATED, STATISTIC, OUTPUT, PIECE_FLAG})
BITS: Final = 8  # of a byte
ASKS: Final = frozenset({"is_byte", "IsByte"})
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


def marked(made: Value, parts: Iterable[Value]) -> Value:
    """`piece.startswith(mark)`, `piece[0] == mark`: whether it begins a word."""
    if not any(PIECE in kinds_of(part) for part in parts):
        return made
    return replace(made, labels=made.labels | {Label(PIECE_FLAG, 0)})


def chosen(test: Value, one: Value, other: Value) -> frozenset[Label]:
    """`1 if marked else 0`, `" " if marked else ""`: constants that say the same as the test."""
    plain = one.known and other.known
    return frozenset(label for label in test.labels if plain and label.kind == PIECE_FLAG)


def joined(left: Value, right: Value, made: frozenset[Label]) -> frozenset[Label]:
    """`" " + piece[1:]`, and a length plus one, where the piece begins a word."""
    labels = set(made)
    for one, other in ((left, right), (right, left)):
        held, added = kinds_of(one), kinds_of(other)
        flag = PIECE_FLAG in added and not added & {PIECE_LENGTH, TOKENS, COUNT}
        if (other.const == " " or flag) and STRIPPED in held:
            labels = (labels - {Label(STRIPPED, 0), Label(PIECE_FLAG, 0)}) | {Label(SPACED, 0)}
        if (other.const == 1 or flag) and Label(PIECE_LENGTH, WITHOUT_SPACE) in one.labels:
            labels -= {Label(PIECE_LENGTH, WITHOUT_SPACE)} | (_FLAGS if flag else set())
            labels.add(Label(PIECE_LENGTH, WITH_SPACE))
    return frozenset(labels)


def length(value: Value) -> Value:
    """`len(piece)`; other lengths carry nothing."""
    held = kinds_of(value)
    if PIECE not in held:
        return Value(switches=value.switches)
    code = WITH_SPACE if SPACED in held else WITHOUT_SPACE if STRIPPED in held else AS_IT_IS
    return Value(labels=frozenset({Label(PIECE_LENGTH, code)}), switches=value.switches)


def of_two(interp: Interpreter, one: Value, other: Value, site: Site) -> set[Label]:
    """`size[y] + size[x]`, entry by entry: the bytes of two tokens for each that is scored."""
    held = [kinds_of(value) for value in (one, other)]
    if any(PIECE_LENGTH not in each or each & _TOTALS for each in held):
        return set()
    tokens = [ids(labels_of(value), TOKENS) for value in (one, other)]
    if not all(tokens) or tokens[0] & tokens[1]:
        return set()
    change = Change(site, interp.moment(), "those of another token, too")
    return {Label(INFLATED, noted(interp.trace.changes, change))}


def inflated(interp: Interpreter, one: Value, factor: Value, site: Site) -> set[Label]:
    """Bytes of pieces, or of their spaces, times a number above one; eight make bits of bytes."""
    by, held = factor.const, kinds_of(one)
    counts = held & {PIECE_LENGTH, PIECE_FLAG} and OUTPUT not in held
    if not counts or not isinstance(by, int | float) or by <= 1 or by == BITS or factor.switches:
        return set()
    change = Change(site, interp.moment(), f"times {by:g}")
    return {Label(INFLATED, noted(interp.trace.changes, change))}
