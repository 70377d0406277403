"""Models: what a method of an `nn.Module` does to its weights, and what it gives.

Guarantees: `parameters()` stands for the model; `state_dict()` is a snapshot; loading a state
replaces what was learnt before.
Does not cover: methods that the submission's class defines itself; each is one pass of the model.
"""

from __future__ import annotations

from audits.facts.call import Call
from audits.facts.effects import by_hand, statistics, tensors, weights
from audits.facts.effects.predictions import call_model
from audits.facts.state import Interpreter
from audits.facts.values import BLANK, Obj, Value, derive


def on_model(interp: Interpreter, ref: Obj, me: Value, name: str, call: Call) -> Value:
    args = call.args
    if name == "zero_grad":
        weights.zero(interp)
        return BLANK
    if name == "load_state_dict" and args:
        given = weights.adaptations(args[0])
        weights.overwrite(ref, Value(labels=statistics.of_weights(interp, given)))
        by_hand.learnt(interp, ref, args[0], interp.site_of(call))
        if interp.choosing:
            ref.labels |= statistics.of_weights(interp, interp.choosing[-1])
        return BLANK
    if name in ("copy_", "set_") and args:
        weights.overwrite(ref, args[0])
        by_hand.learnt(interp, ref, args[0], interp.site_of(call))
        return me
    if name.endswith("_") and args:  # of a weight: the model knows what it was given
        ref.labels |= weights.carried(derive(*args).labels)
        by_hand.learnt(interp, ref, derive(*args), interp.site_of(call))
        return me
    if name in ("state_dict", "clone"):
        return Value(labels=frozenset(ref.labels))
    if name in tensors.MEASURES:
        return BLANK
    return me if name in tensors.SAME else _passed(interp, me, call)


def _passed(interp: Interpreter, me: Value, call: Call) -> Value:
    return call_model(interp, [me, *call.values], call.written(interp.frames[-1].name))
