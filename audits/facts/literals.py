"""Literals: constants of the code, and the names of the shards, where the streams begin.

Guarantees: a string that names validation shards, byte counts or training shards says so.
Does not cover: names of shards that are built from parts.
"""

from __future__ import annotations

from typing import Final

from audits.facts.labels import BYTES, SIDECAR, STREAM, TRAIN, Label
from audits.facts.values import BLANK, Value

VALIDATION_SHARDS: Final = "fineweb_val_"
SIDECAR_SHARDS: Final = "fineweb_val_bytes"
TRAINING_SHARDS: Final = "fineweb_train"


def literal(constant: object) -> Value:
    """A literal; the name of the validation shards is where the stream begins."""
    if isinstance(constant, str):
        if SIDECAR_SHARDS in constant:
            return Value(constant, frozenset({Label(STREAM, 0), Label(SIDECAR, 0)}))
        if VALIDATION_SHARDS in constant:
            return Value(constant, frozenset({Label(STREAM, 0)}))
        if TRAINING_SHARDS in constant:
            return Value(constant, frozenset({Label(TRAIN, 0)}))
        return Value(constant)
    if isinstance(constant, bytes):
        return Value(labels=frozenset({Label(BYTES, 0)}))
    plain = constant is None or isinstance(constant, bool | int | float)
    return Value(constant) if plain else BLANK
