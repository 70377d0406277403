"""Methods: what a call on an object does to it.

Guarantees: in-place operations change the shared object; `parameters()` stands for the model;
`state_dict()` is a snapshot.
Does not cover: views; a tensor method that is not named here returns a value made of its operands.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Final

from audits.facts import (
    calls,
    contract,
    expressions,
    folding,
    foreign,
    hooks,
    library,
    pieces,
    stores,
    subscripts,
    totals,
    weights,
)
from audits.facts.machine import Machine
from audits.facts.scope import Scope
from audits.facts.trace import Reset
from audits.facts.values import (
    BLANK,
    BYTES,
    TOKENS,
    Bound,
    ClassObj,
    Label,
    Library,
    Obj,
    Value,
    derive,
    join,
    kinds_of,
    labels_of,
)

if TYPE_CHECKING:
    from audits.facts.calls import Args, Keywords

_MEASURES: Final = frozenset({"numel", "size", "dim", "element_size", "stride", "nelement"})
_SAME: Final = frozenset(
    {"to", "cuda", "float", "half", "bfloat16", "double", "contiguous", "requires_grad_", "eval"}
    | {"train", "detach", "view", "reshape", "flatten", "squeeze", "unsqueeze", "expand", "type"}
    | {"numpy", "long", "int", "pin_memory", "values", "keys", "items", "parameters", "modules"}
    | {"named_parameters", "named_modules", "children", "named_children", "buffers", "module"}
    | {
        "data_as",
        "data_ptr",
        "named_buffers",
        "requires_grad",
        "compile",
        "share_memory_",
        "cpu",
        "set_",
        "apply",
    }
)
_GROWS: Final = frozenset({"append", "extend", "add", "appendleft", "insert", "put"})
_IN_PLACE_ADD: Final = frozenset({"add_", "sub_", "index_add_", "scatter_add_", "index_put_"})
_LISTENS: Final = frozenset({"register_forward_hook", "register_forward_pre_hook"})
_SELECTS: Final = frozenset(
    {"masked_select", "index_select", "take", "masked_fill", "masked_fill_", "index_fill_"}
    | {"masked_scatter_", "where"}
)


def call_method(
    m: Machine,
    base: Value,
    name: str,
    args: Args,
    keywords: Keywords,
    node: ast.Call,
    scope: Scope,
) -> Value:
    if name == "backward":
        weights.backward(m, args[0] if args and not labels_of(base) else base, node, scope)
        return BLANK
    if name in pieces.READERS:
        return pieces.piece()
    if name == "gather" and args and TOKENS in kinds_of(args[-1]):
        return library.realised(derive(base, *args))
    if name in _LISTENS:
        return hooks.listen(m, args)
    if base.known and isinstance(base.const, str) and not base.refs:
        return _text(m, base, name, args)
    if not base.refs:
        return _plain(m, base, name, args, keywords, node, scope)
    results = [
        _on(m, ref, base, name, args, keywords, node, scope)
        for ref in sorted(base.refs, key=lambda ref: (ref.line, ref.kind))
    ]
    return join(results)


def _text(m: Machine, base: Value, name: str, args: Args) -> Value:
    made = derive(base, *args)
    if name in ("open", "read_text", "read_bytes"):  # the text is a path
        return library.opened(m, [base])
    if name in ("write_text", "write_bytes"):
        library.save(m, [*args, base])
        return BLANK
    if all(value.known for value in args):
        assert isinstance(base.const, str)
        const = folding.string_method(base.const, name, [value.const for value in args])
        return Value(const, made.labels, switches=made.switches)
    return made


def _plain(
    m: Machine, base: Value, name: str, args: Args, keywords: Keywords, node: ast.Call, scope: Scope
) -> Value:
    if name in _MEASURES:
        return BLANK
    if name in ("parse_args", "parse_known_args"):
        flags = Value(refs=frozenset({Obj("flags", node.lineno)}))
        return flags if name == "parse_args" else Value(items=(flags, BLANK))
    if name in ("minimum", "fmin") and args:
        return totals.minimum(m, base, args[0], node, scope)
    if name in _IN_PLACE_ADD and isinstance(node.func, ast.Attribute):
        added = totals.accumulate(m, derive(*args), node, scope)
        stores.bind(m, node.func.value, derive(base, added), scope)
    if name == "data_as":
        return base
    if name in ("clamp", "clip", "nan_to_num"):
        return totals.patched(m, derive(base, *args), name, args, keywords, node, scope)
    if name in ("replace", "lstrip", "removeprefix", "strip"):
        by = args[1].const if name == "replace" and len(args) > 1 else ""
        return pieces.replaced(derive(base, *args), by)
    if name == "encode":
        return Value(labels=labels_of(base) | {Label(BYTES, 0)}, switches=base.switches)
    if name in ("softmax", "log_softmax"):
        return library.predicted(m, library.normalised(base))
    if name == "log2":
        totals.note_bits(m, base, node, scope)
    made = derive(base, *args)
    return library.selected(m, made, node) if name in _SELECTS else made


def _on(
    m: Machine,
    ref: Obj,
    base: Value,
    name: str,
    args: Args,
    keywords: Keywords,
    node: ast.Call,
    scope: Scope,
) -> Value:
    if isinstance(ref, Library):
        return library.call(m, f"{ref.path}.{name}", args, keywords, node, scope)
    me = Value(labels=base.labels, refs=frozenset({ref}), switches=base.switches)
    if isinstance(ref, ClassObj):
        return calls.call_on_class(m, ref, name, args, keywords, node, scope)
    if isinstance(ref, Bound) or name in ref.attrs or ref.kind == "instance":
        found = expressions.attribute(m, me, name)
        if found.refs:
            return calls.call_value(m, found, args, keywords, node, scope)
        return expressions.opaque([me, *args], keywords)
    match ref.kind:
        case "program":
            return contract.on_program(m, name, args, node, scope)
        case "native":
            return foreign.call(m, name, args, keywords, node, scope)
        case "hook":
            return hooks.silence(m) if name == "remove" else BLANK
        case "optimizer":
            return _on_optimizer(m, me, name, args, node, scope)
        case "module":
            return _on_module(m, ref, me, name, args, keywords)
        case "list" | "dict":
            return _on_container(m, ref, me, name, args, node, scope)
        case "file":
            return _on_file(m, ref, me, name, args)
    return _on_tensor(m, ref, me, name, args, node, scope)


def _on_optimizer(
    m: Machine, me: Value, name: str, args: Args, node: ast.Call, scope: Scope
) -> Value:
    if name == "step":
        for value in args[:1]:
            calls.call_value(m, value, [], {}, node, scope)  # a closure computes the loss
        weights.step(m, me, node, scope)
    elif name == "zero_grad":
        weights.zero(m)
    return BLANK


def _on_module(m: Machine, ref: Obj, me: Value, name: str, args: Args, keywords: Keywords) -> Value:
    if name == "zero_grad":
        weights.zero(m)
        return BLANK
    if name == "load_state_dict" and args:
        weights.overwrite(ref, Value(labels=weights.adaptations(args[0])))
        return BLANK
    if name in ("copy_", "set_") and args:
        weights.overwrite(ref, args[0])
        return me
    if name in ("state_dict", "clone"):
        return Value(labels=frozenset(ref.labels))
    if name in _MEASURES:
        return BLANK
    return me if name in _SAME else calls.call_model(m, [me, *args], keywords)


def _on_container(
    m: Machine, ref: Obj, me: Value, name: str, args: Args, node: ast.Call, scope: Scope
) -> Value:
    if name in _GROWS and args:
        value = args[-1]
        if name == "extend":
            value = expressions.element_of(value)
        if any(label.kind == "output" for label in labels_of(value)):
            value = totals.accumulate(m, value, node, scope)
        ref.entries[None] = join([value, *([ref.entries[None]] if None in ref.entries else [])])
        return BLANK
    if name == "items":
        keyed = [Value(items=(Value(), entry)) for entry in ref.entries.values()]
        return library.listed(join(keyed)) if keyed else BLANK
    if name in ("values", "keys", "copy"):
        return me
    if name == "get" and args:
        stored = subscripts.element(m, [ref], args[0], node, scope)
        return stored if len(args) < 2 else join((stored, args[1]))
    if name == "setdefault" and args:
        stores.note_write(m, frozenset({ref}), args[0], node, scope)
        if len(args) > 1:
            stores.store(m, me, args[0], args[1])
        return subscripts.element(m, [ref], args[0], node, scope)
    if name in ("pop", "popleft"):
        return expressions.element_of(me)
    if name == "update" and args:
        for other in args[0].refs:
            ref.entries |= other.entries
        return BLANK
    return derive(me, *args)


def _on_file(m: Machine, ref: Obj, me: Value, name: str, args: Args) -> Value:
    if name == "write" and args:
        library.save(m, [args[0], ref.attrs.get("path", BLANK)])
        return BLANK
    return me if name in ("read", "__enter__") else derive(me)


def _on_tensor(
    m: Machine, ref: Obj, me: Value, name: str, args: Args, node: ast.Call, scope: Scope
) -> Value:
    if name in _MEASURES:
        return BLANK
    if name in ("scatter_add_", "index_add_", "index_put_") and len(args) > 1:
        keys = args[1] if name != "index_put_" else args[0]
        stores.note_write(m, frozenset({ref}), keys, node, scope)
        stores.store(m, me, keys, derive(*args))
        return me
    if name == "add_" and args:
        added = totals.accumulate(m, derive(*args), node, scope, me.refs)
        ref.labels |= labels_of(added)
        return me
    if name in ("copy_", "set_", "zero_", "fill_"):
        weights.overwrite(ref, derive(*args))
        ref.labels |= labels_of(derive(*args))
        if name == "zero_" and m.loops:
            m.trace.resets.append(Reset(m.site(node, scope), m.moment(), ref))
        return me
    if name in ("minimum", "fmin") and args:
        return totals.minimum(m, me, args[0], node, scope)
    if name in _SELECTS:
        made = library.selected(m, derive(me, *args), node)
        ref.labels |= made.labels if name.endswith("_") else set()
        return made
    if name in _SAME:
        return me
    if name.endswith("_"):
        ref.labels |= derive(*args).labels
        return me
    return derive(me, *args)
