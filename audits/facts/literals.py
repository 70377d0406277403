"""Literals: constants of the code, and the names of the shards, where the streams begin.

Guarantees: a string that names validation shards, byte counts or training shards says so.
A pattern that takes both in says both.
Does not cover: what a folder holds (`effects.shards`).
"""

from __future__ import annotations

from fnmatch import fnmatch
from typing import Final

from audits.facts.labels import BYTES, NOTHING, SIDECAR, STREAM, TRAIN, Label
from audits.facts.values import BLANK, Value

VALIDATION_SHARDS: Final = "fineweb_val"
SIDECAR_SHARDS: Final = "fineweb_val_bytes"
TRAINING_SHARDS: Final = "fineweb_train"
_EXAMPLES: Final = ("fineweb_train_000001.bin", "fineweb_val_000000.bin")
_WILD: Final = frozenset("*?[")


def literal(constant: object) -> Value:
    """A literal; the name of the validation shards is where the stream begins."""
    if isinstance(constant, str):
        return Value(constant, named(constant))
    if isinstance(constant, bytes):
        return Value(labels=frozenset({Label(BYTES, 0)}))
    plain = constant is None or isinstance(constant, bool | int | float)
    return Value(constant) if plain else BLANK


def named(text: object) -> frozenset[Label]:
    """The streams that a name or a pattern leads to."""
    if not isinstance(text, str):
        return NOTHING
    if SIDECAR_SHARDS in text:
        return frozenset({Label(STREAM, 0), Label(SIDECAR, 0)})
    if VALIDATION_SHARDS in text:
        return frozenset({Label(STREAM, 0)})
    if TRAINING_SHARDS in text:
        return frozenset({Label(TRAIN, 0)})
    last = text.rsplit("/", 1)[-1]
    wild = not _WILD.isdisjoint(last) and (last.endswith(".bin") or "fineweb" in last)
    if wild and all(fnmatch(example, last) for example in _EXAMPLES):
        return frozenset({Label(STREAM, 0), Label(TRAIN, 0)})
    return NOTHING


def rewritten(before: object, after: object, labels: frozenset[Label]) -> frozenset[Label]:
    """Labels of a name that was made of another: those of the name, as it is now."""
    return (labels - named(before)) | named(after)
