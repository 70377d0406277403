"""Calls into native code: what comes back, and into which arrays.

Guarantees: everything the function is given may be in everything it can write; outputs that its
text gates on the very token are marked.
Does not cover: objects that native code keeps between calls.
"""

from __future__ import annotations

from typing import Final

from audits.facts.call import Call
from audits.facts.effects import cuts
from audits.facts.events import Gate, Helper, NativeCall
from audits.facts.labels import GATED, STREAM, TOKENS, Label, kinds
from audits.facts.state import Interpreter
from audits.facts.trace import noted
from audits.facts.values import Obj, Value

LOADERS: Final = frozenset({"CDLL", "LoadLibrary", "load_inline", "PyDLL"})


def library(interp: Interpreter, call: Call) -> Value:
    """A library that is opened; one with a path, rather than a name, came with the script."""
    path = call.args[0].const if call.args else None
    if isinstance(path, str) and "/" in path and not path.startswith("/usr"):
        file = path.rsplit("/", 1)[-1]
        interp.trace.helpers.append(Helper(interp.site_of(call), interp.moment(), file))
    return Value(refs=frozenset({Obj("native")}))


def run(interp: Interpreter, name: str, call: Call) -> Value:
    """What comes back of a native function, and what it may have written."""
    given = call.result()
    arrays = [[ref for ref in value.refs if ref.kind == "tensor"] for value in call.args]
    for refs in arrays:
        for ref in refs:
            ref.labels |= given.labels
    if (function := interp.natives.function(name, interp.trees.values())) is not None:
        if function.spreads:
            site, moment = interp.site_of(call), interp.moment()
            interp.trace.native_calls.append(NativeCall(site, moment, name, given.labels))
        if function.gated and kinds(given.labels) & {TOKENS, STREAM}:
            places = [place for place in function.gated if place < len(arrays)]
            gated = [ref for place in places for ref in arrays[place]]
            _mark_gated(interp, name, gated, call)
    else:
        cuts.native(interp, name, call)
    return Value(labels=given.labels)


def _mark_gated(interp: Interpreter, name: str, arrays: list[Obj], call: Call) -> None:
    """Outputs at a position that hang on the token at that very position."""
    number = noted(interp.trace.gates, Gate(interp.site_of(call), interp.moment(), name))
    mark = Label(GATED, number)
    for ref in arrays:
        ref.labels.add(mark)
