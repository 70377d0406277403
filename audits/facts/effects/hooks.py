"""Forward hooks: what listens to a model while data passes through it.

Guarantees: a forward pass is a calibration only while a hook is registered.
Does not cover: what the hook stores; layers that keep statistics by themselves.
"""

from __future__ import annotations

from audits.facts.events import Calibration
from audits.facts.labels import OUTPUT, STREAM, TOKENS, TRAIN, Label, ids, kinds
from audits.facts.state import Interpreter
from audits.facts.values import BLANK, Obj, Value


def listen(interp: Interpreter) -> Value:
    """`register_forward_hook`; the handle it returns can end it."""
    interp.listeners += 1
    return Value(refs=frozenset({Obj("hook")}))


def silence(interp: Interpreter) -> Value:
    interp.listeners = 0
    return BLANK


def note_pass(interp: Interpreter, given: frozenset[Label], returned: Value) -> None:
    """A forward pass over tokens; remembered while hooks listen."""
    if interp.listeners and kinds(given) & {TOKENS, STREAM, TRAIN}:
        output = ids(returned.labels, OUTPUT)
        interp.trace.calibrations.append(Calibration(interp.here(), interp.moment(), given, output))
