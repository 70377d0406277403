"""Models: what a method of an `nn.Module` does to its weights, and what it gives.

Guarantees: `parameters()` stands for the model; `state_dict()` is a snapshot; loading a state
replaces what was learnt before.
Does not cover: methods that the submission's class defines itself; each is one pass of the model,
but for those that are given nothing and give back parameters.
"""

from __future__ import annotations

import ast
from typing import Final

from audits.facts.call import Call
from audits.facts.effects import by_hand, statistics, tensors, weights
from audits.facts.effects.predictions import call_model
from audits.facts.objects import Function
from audits.facts.state import Interpreter
from audits.facts.values import BLANK, Obj, Value, derive

_GIVE: Final = frozenset({"parameters", "named_parameters"})
_MEASURE: Final = frozenset({"numel", "nelement", "sum", "len", "size", "norm"})


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
    if name in tensors.SAME or (not call.values and _gives_parameters(ref, name)):
        return me
    return _passed(interp, me, call)


def _gives_parameters(ref: Obj, name: str) -> bool:
    """`model.matrices()`, where what the class's method returns are parameters, not their sizes."""
    found = ref.cls.find(name) if ref.cls is not None else None
    methods = [one.node for one in found.refs if isinstance(one, Function)] if found else []
    given = [
        {one.attr if isinstance(one, ast.Attribute) else getattr(one, "id", "") for one in inside}
        for method in methods
        for node in ast.walk(method)
        if isinstance(node, ast.Return | ast.Yield | ast.YieldFrom) and node.value is not None
        for inside in [list(ast.walk(node.value))]
    ]
    return any(names & _GIVE for names in given) and not any(names & _MEASURE for names in given)


def _passed(interp: Interpreter, me: Value, call: Call) -> Value:
    return call_model(interp, [me, *call.values], call.written(interp.frames[-1].name))
