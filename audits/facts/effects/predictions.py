"""Predictions: distributions that a model gave, losses of the very tokens, and its whole passes.

Guarantees: what comes out of a softmax or a loss over tokens counts as a model's output, also where
the model was not recognised.
Does not cover: the inside of a model; a call of an `nn.Module` is one step.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from audits.facts.effects import by_hand, hooks
from audits.facts.effects.weights import adaptations
from audits.facts.events import SidecarInput
from audits.facts.labels import (
    COUNT,
    FITTED,
    OUTPUT,
    PIECE,
    PIECE_FLAG,
    PIECE_LENGTH,
    RATIO,
    REALISED,
    REGION,
    SIDECAR,
    STATISTIC,
    STREAM,
    TOKENS,
    Label,
    ids,
    kinds,
)
from audits.facts.state import Interpreter
from audits.facts.values import Value, derive, labels_of
from audits.facts.worth import Form, Worth

_PIECES: Final = frozenset({PIECE, PIECE_FLAG, PIECE_LENGTH})


def call_model(interp: Interpreter, values: list[Value], written: str = "") -> Value:
    """A model's output: made of its inputs and of whatever its weights have learnt."""
    values = [by_hand.stepped(interp, value, interp.here()) for value in values]
    plain = [value for value in values if not any(ref.kind == "module" for ref in value.refs)]
    labels = derive(*plain).labels
    learnt = frozenset(label for value in values for label in adaptations(value)) | _settings(
        values
    )
    returned = Value(labels=labels | learnt)
    if kinds(labels) & {TOKENS, STREAM}:
        number = interp.fresh_id()
        given = [value for value in plain if TOKENS in kinds(labels_of(value))]
        loss = Worth(Form.NATS) if len(given) > 1 else None  # the inputs, and the targets
        returned = Value(labels=returned.labels | {Label(OUTPUT, number)}, worth=loss)
        _note_inputs(interp, plain, labels, number, written)
        models = (ref for value in values for ref in value.refs if ref.kind == "module")
        interp.trace.passes[number] = frozenset(ref.cls.name for ref in models if ref.cls)
    hooks.note_pass(interp, labels, returned)
    return returned


def _note_inputs(
    interp: Interpreter, given: list[Value], labels: frozenset[Label], number: int, written: str
) -> None:
    """What the pass was made from: its first argument of tokens, and counts of bytes."""
    tokens = [read for value in given if (read := ids(labels_of(value), TOKENS))]
    interp.trace.inputs[number] = tokens[0] if tokens else frozenset()
    first = next((value for value in given if TOKENS in kinds(labels_of(value))), None)
    if first is not None and REGION in kinds(labels_of(first)):
        interp.trace.altered.add(number)
    interp.trace.given_to[number] = ids(labels, TOKENS)
    of_pieces = [one for one in map(labels_of, given) if kinds(one) & _PIECES]
    if of_pieces:
        interp.trace.told_of[number] = ids(frozenset().union(*of_pieces), TOKENS)
    interp.trace.input_names[number] = written
    if SIDECAR in kinds(labels):
        one = SidecarInput(interp.here(), interp.moment(), frozenset({number}))
        interp.trace.sidecar_inputs.append(one)


def _settings(values: list[Value]) -> frozenset[Label]:
    """What a model was given as an attribute: a temperature, a cap, a bias."""
    models = [ref for value in values for ref in value.refs if ref.kind == "module"]
    return frozenset(
        label for ref in models for held in ref.attrs.values() for label in adaptations(held)
    )


def realised(value: Value) -> Value:
    """Losses and probabilities of the very tokens, told from whole distributions."""
    marks = frozenset(Label(REALISED, number) for number in ids(value.labels, OUTPUT))
    marks |= {Label(FITTED, number) for number in ids(value.labels, STATISTIC)}
    return replace(value, labels=value.labels | marks)


def normalised(logits: Value) -> Value:
    """Counts that went into logits are part of one distribution after the softmax."""
    labels = frozenset(one for one in labels_of(logits) if one.kind not in (COUNT, RATIO))
    return Value(labels=labels, switches=logits.switches)


def predicted(interp: Interpreter, value: Value) -> Value:
    """Probabilities or losses of tokens came out of a model, also where it was not recognised."""
    held = kinds(value.labels)
    if OUTPUT in held or not held & {TOKENS, STREAM}:
        return value
    mark = Label(OUTPUT, interp.fresh_id())
    return replace(value, labels=value.labels | {mark}, refs=frozenset())
