"""Forward hooks: what listens to a model while data passes through it.

Guarantees: a forward pass is a calibration only while a hook is registered.
Does not cover: what the hook stores; layers that keep statistics by themselves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from audits.facts.machine import Machine
from audits.facts.trace import Calibration
from audits.facts.values import (
    BLANK,
    OUTPUT,
    STREAM,
    TOKENS,
    TRAIN,
    Label,
    Obj,
    Value,
    ids,
    kinds,
)

if TYPE_CHECKING:
    from audits.facts.calls import Args


def listen(m: Machine, args: Args) -> Value:
    """`register_forward_hook`; the handle it returns can end it."""
    m.listeners += 1
    return Value(refs=frozenset({Obj("hook")}))


def silence(m: Machine) -> Value:
    m.listeners = 0
    return BLANK


def note_pass(m: Machine, given: frozenset[Label], returned: Value) -> None:
    """A forward pass over tokens; remembered while hooks listen."""
    if m.listeners and kinds(given) & {TOKENS, STREAM, TRAIN}:
        output = ids(returned.labels, OUTPUT)
        m.trace.calibrations.append(Calibration(m.here(), m.moment(), given, output))
