"""Methods: what a call on an object does, by what the object may be.

Guarantees: every object that the receiver may be is asked, and the answers are joined.
Does not cover: the single operations; they stand in `effects`, by kind of object.
"""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import Final

from audits.facts import folding, literals
from audits.facts.attributes import attribute
from audits.facts.call import Call
from audits.facts.effects import (
    arguments,
    arithmetic,
    choices,
    containers,
    contract,
    coverage,
    cuts,
    disk,
    downloads,
    foreign,
    hooks,
    losses,
    messages,
    models,
    pieces,
    predictions,
    regions,
    shards,
    sifts,
    statistics,
    tensors,
    totals,
    weights,
    worths,
)
from audits.facts.interpreter import calls, library, stores
from audits.facts.labels import BYTES, OUTPUT, REALISED, TOKENS, Label, ids
from audits.facts.objects import Bound
from audits.facts.state import Interpreter
from audits.facts.values import (
    BLANK,
    ClassObj,
    Library,
    Obj,
    Value,
    derive,
    in_order,
    join,
    kinds_of,
    labels_of,
)

_MAKES_WORTH: Final = frozenset({"softmax", "log_softmax"}) | worths.REPEATS
_ROWS: Final = frozenset({"view", "reshape"})  # `tokens.view(n, width)`: rows that do not overlap
_LISTENS: Final = frozenset({"register_forward_hook", "register_forward_pre_hook"})


def call_method(interp: Interpreter, base: Value, name: str, call: Call) -> Value:
    """What it gives, and what that is worth of a score."""
    worth = worths.worth_of(base)
    made = _called(interp, base, name, call)
    if worth and name in sifts.SORTS | sifts.PICKS:
        made = sifts.ordered(interp, name, base, made, interp.site_of(call))
    if made.worth is None and (worth or name in _MAKES_WORTH):
        now = worths.of_call(interp, name, [base, *call.args], call)
        return made if now is None else replace(made, worth=now)
    return made


def _called(interp: Interpreter, base: Value, name: str, call: Call) -> Value:
    args = call.args
    if name == "backward":
        loss = args[0] if args and not labels_of(base) else base
        weights.backward(interp, loss, interp.site_of(call))
        return BLANK
    if name in pieces.ASKS:
        interp.trace.asks_for_bytes = True
    if name in pieces.READERS:
        return pieces.piece()
    if name == "gather" and args and TOKENS in kinds_of(args[-1]):
        interp.trace.targets |= ids(labels_of(args[-1]), TOKENS)
        picked = predictions.realised(derive(base, *args))
        return losses.of_target(interp, base, args[-1], picked, interp.site_of(call))
    if name in _LISTENS:
        return hooks.listen(interp)
    if isinstance(base.const, str) and not base.refs:
        return _on_text(interp, base, name, call)
    if not base.refs:
        cuts.unknown_object(interp, base, call)
        made = _on_value(interp, base, name, call)
    else:
        made = join([_on(interp, ref, base, name, call) for ref in in_order(base.refs)])
        if any(isinstance(ref, Library) for ref in base.refs):
            return made
    return statistics.taken(interp, made, name, len(args), call)


def _on_text(interp: Interpreter, base: Value, name: str, call: Call) -> Value:
    """A method of a known string, which may be a path."""
    args = call.args
    made = derive(base, *args)
    if name == "format":
        messages.formatted(interp, str(base.const), call.values, interp.site_of(call))
    if name in ("open", "read_text", "read_bytes"):
        return disk.opened(interp, base)
    if name in shards.COPIES and len(args) == 1:  # `replace` of a text takes two
        shards.copied(interp, base, args[0], interp.here())
        return BLANK
    if name in shards.LISTS:
        return shards.listed(interp, made)
    if name in ("write_text", "write_bytes"):
        disk.save(interp, [*args, base])
        return BLANK
    if all(value.known for value in args):
        assert isinstance(base.const, str)
        const = folding.string_method(base.const, name, [value.const for value in args])
        labels = made.labels
        if isinstance(const, str):
            labels = literals.rewritten(base.const, const, labels)
        return Value(const, labels, switches=made.switches)
    return made


def _on_value(interp: Interpreter, base: Value, name: str, call: Call) -> Value:
    """A method of what is no object of the submission: a number, or something made of labels."""
    args = call.args
    if name in tensors.MEASURES:
        return coverage.size(interp, base, BLANK)
    if name in shards.LISTS:  # of a path that is not known
        return shards.listed(interp, derive(base, *args))
    if name in ("parse_args", "parse_known_args"):
        flags = Obj("flags", call.node.lineno)
        flags.attrs |= interp.flags
        parsed = Value(refs=frozenset({flags}))
        return parsed if name == "parse_args" else Value(items=(parsed, BLANK))
    if name == "add_argument":
        arguments.defined(interp, call)
        return BLANK
    if name in ("minimum", "fmin") and args:
        return choices.minimum(interp, base, args[0], interp.site_of(call))
    adds = name in tensors.ADDS_IN_PLACE
    if not adds and (made := arithmetic.called(interp, name, [base, *args], call)) is not None:
        if name.endswith("_") and isinstance(call.node.func, ast.Attribute):
            stores.bind(interp, call.node.func.value, made, call.scope)
        return made
    whole = OUTPUT in kinds_of(base) and REALISED not in kinds_of(base)
    if name in tensors.PUTS and len(args) > 1 and whole:
        return _put_by_key(interp, base, name, call)
    if adds:
        stores.add_in_place(interp, base, call)
    if name == "data_as":
        return base
    if name in ("clamp", "clip", "nan_to_num"):
        return losses.patched(interp, derive(base, *call.values), name, call)
    if name in ("replace", "lstrip", "removeprefix", "strip"):
        by = args[1].const if name == "replace" and len(args) > 1 else ""
        made = pieces.replaced(derive(base), by)
        return shards.renamed(made, *args) if name == "replace" and len(args) == 2 else made
    if name == "startswith":
        interp.trace.asks_for_bytes |= any(str(one.const).startswith("<0x") for one in args)
        return pieces.marked(derive(base, *args), [base])
    if name == "encode":
        return Value(labels=labels_of(base) | {Label(BYTES, 0)}, switches=base.switches)
    if name in ("softmax", "log_softmax"):
        return predictions.predicted(interp, predictions.normalised(base))
    if name in _ROWS and len(args) == 2 and OUTPUT not in kinds_of(base):
        interp.trace.side_by_side |= ids(labels_of(base), TOKENS)
    made = derive(base, *call.values)
    if name == "exp":
        return replace(made, labels=made.labels | losses.mixed_by_byte(made))
    if name == "log2":
        marks = totals.note_bits(interp, base, interp.site_of(call))
        return replace(made, labels=made.labels | marks)
    return regions.selected(interp, made, call.node) if name in tensors.SELECTS else made


def _put_by_key(interp: Interpreter, base: Value, name: str, call: Call) -> Value:
    """`logits.scatter_add(-1, y, ones)`: the keys say where."""
    keys = call.args[0] if name.startswith("index_put") else call.args[1]
    made = derive(base, *call.args)
    made = losses.at_places(interp, base, keys, made, interp.site_of(call))
    if name.endswith("_") and isinstance(call.node.func, ast.Attribute):
        stores.bind(interp, call.node.func.value, made, call.scope)
    return made


def _on(interp: Interpreter, ref: Obj, base: Value, name: str, call: Call) -> Value:
    if isinstance(ref, Library):
        return library.call_library(interp, f"{ref.path}.{name}", call)
    me = Value(labels=base.labels, refs=frozenset({ref}), switches=base.switches)
    if isinstance(ref, ClassObj):
        return calls.call_on_class(interp, ref, name, call)
    if isinstance(ref, Bound) or name in ref.attrs or ref.kind == "instance":
        found = attribute(me, name)
        return calls.call_value(interp, found, call) if found.refs else call.after(me).result()
    match ref.kind:
        case "program":
            return contract.on_program(interp, name, call)
        case "native":
            return foreign.run(interp, name, call)
        case "hook":
            return hooks.silence(interp) if name == "remove" else BLANK
        case "optimizer":
            return _on_optimizer(interp, me, name, call)
        case "module":
            return models.on_model(interp, ref, me, name, call)
        case "list" | "dict":
            return containers.on_container(interp, ref, me, name, call)
        case "socket":
            downloads.on_socket(interp, ref, name, call)
            return me if name == "__enter__" else BLANK
        case "file":
            return _on_file(interp, ref, me, name, call)
    return tensors.on_tensor(interp, ref, me, name, call)


def _on_optimizer(interp: Interpreter, me: Value, name: str, call: Call) -> Value:
    if name == "step":
        for value in call.args[:1]:
            calls.call_value(interp, value, call.given([]))  # a closure computes the loss
        weights.step(interp, me, interp.site_of(call))
    elif name == "zero_grad":
        weights.zero(interp)
    return BLANK


def _on_file(interp: Interpreter, ref: Obj, me: Value, name: str, call: Call) -> Value:
    if name == "write" and call.args:
        disk.save(interp, [call.args[0], ref.attrs.get("path", BLANK)])
        return BLANK
    return me if name in ("read", "__enter__") else derive(me)
