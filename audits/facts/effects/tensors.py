"""Tensors: what a method of an array does to it.

Guarantees: in-place operations change the shared object; an array that is set back to zero in a
loop is remembered.
Does not cover: views; a method that is not named here returns a value made of its operands.
"""

from __future__ import annotations

from typing import Final

from audits.facts.call import Call
from audits.facts.effects import (
    arithmetic,
    by_hand,
    choices,
    coverage,
    regions,
    tables,
    totals,
    weights,
    worths,
)
from audits.facts.events import Reset
from audits.facts.state import Interpreter
from audits.facts.values import BLANK, Obj, Value, derive, labels_of

MEASURES: Final = frozenset({"numel", "size", "dim", "element_size", "stride", "nelement"})
SAME: Final = frozenset(
    {"to", "cuda", "float", "half", "bfloat16", "double", "contiguous", "requires_grad_", "eval"}
    | {"train", "detach", "view", "reshape", "flatten", "squeeze", "unsqueeze", "expand", "type"}
    | {"numpy", "long", "int", "pin_memory", "values", "keys", "items", "parameters", "modules"}
    | {"named_parameters", "named_modules", "children", "named_children", "buffers", "module"}
    | {"data_as", "data_ptr", "named_buffers", "requires_grad", "compile", "share_memory_", "cpu"}
    | {"set_", "apply"}
)
ADDS_IN_PLACE: Final = frozenset(
    {"add_", "sub_", "index_add_", "scatter_add_", "index_put_"} | {"lerp_"}
)
PUTS: Final = frozenset(
    {"scatter", "scatter_", "scatter_add", "scatter_add_", "index_add", "index_add_", "index_put"}
    | {"index_put_", "index_fill", "index_fill_", "scatter_reduce"}
)
SELECTS: Final = frozenset(
    {"masked_select", "index_select", "take", "masked_fill", "masked_fill_", "index_fill_"}
    | {"masked_scatter_", "where"}
)
_FILLS: Final = frozenset({"frombytes", "fromlist", "fromfile", "extend", "append", "frombuffer"})
_ADDS_BY_KEY: Final = frozenset({"scatter_add_", "index_add_", "index_put_"})
_OVERWRITES: Final = frozenset({"copy_", "set_", "zero_", "fill_"})


def on_tensor(interp: Interpreter, ref: Obj, me: Value, name: str, call: Call) -> Value:
    args = call.args
    if name in MEASURES:
        return coverage.size(interp, me, BLANK)
    if name in _ADDS_BY_KEY and len(args) > 1:
        keys = args[1] if name != "index_put_" else args[0]
        tables.note_write(interp, frozenset({ref}), keys, interp.site_of(call))
        tables.store(interp, me, keys, derive(*args))
        return me
    if by_hand.learns(ref) and name in ("add_", "sub_", "copy_") and args:
        by_hand.learnt(interp, ref, derive(*args), interp.site_of(call))
    if name == "add_" and args:
        given = args[0] if len(args) == 1 else derive(*args)
        added = totals.accumulate(interp, given, interp.site_of(call), me.refs)
        ref.labels |= labels_of(added)
        return me
    if name in _OVERWRITES:
        _overwrite(interp, ref, name, call)
        return me
    if name in ("minimum", "fmin") and args:
        return choices.minimum(interp, me, args[0], interp.site_of(call))
    if name in SELECTS:
        made = regions.selected(interp, derive(me, *args), call.node)
        ref.labels |= made.labels if name.endswith("_") else set()
        return made
    if name in SAME:
        return me
    if name in _FILLS:
        ref.labels |= derive(*args).labels
        worths.forget(ref)
        return BLANK
    if name in arithmetic.OPERATORS and len(args) == 1:
        return arithmetic.called(interp, name, [me, *args], call) or derive(me, *args)
    if name.endswith("_"):
        if name == "requires_grad_":
            ref.attrs["trainable"] = Value(True)
        if by_hand.learns(ref):
            by_hand.learnt(interp, ref, derive(*args), interp.site_of(call))
        ref.labels |= derive(*args).labels
        worths.forget(ref)
        return me
    return derive(me, *args)


def _overwrite(interp: Interpreter, ref: Obj, name: str, call: Call) -> None:
    value = derive(*call.args)
    worths.begin(ref, worths.filled(name, call))
    weights.overwrite(ref, value)
    ref.labels |= labels_of(value)
    if name == "zero_" and interp.loops:
        interp.trace.resets.append(Reset(interp.site_of(call), interp.moment(), ref))
