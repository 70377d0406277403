"""Makers: new tensors, lists, dictionaries, optimisers, layers, and copies of them.

Guarantees: each is a new object with the line it is made at; only a container of layers shares the
weights of what it is given.
Does not cover: sizes, but for a leading dimension that is written out.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Final

from audits.facts.call import Call
from audits.facts.effects import weights, worths
from audits.facts.labels import BYTES, Label
from audits.facts.state import Interpreter
from audits.facts.values import BLANK, ROWS, Obj, Value, derive, element_of, join, labels_of

_DICTIONARIES: Final = frozenset({"dict", "collections.defaultdict", "collections.Counter"})


def new(interp: Interpreter, kind: str, node: ast.AST) -> Obj:
    """An object that remembers where, and in which loops, it was made."""
    made = Obj(kind, getattr(node, "lineno", 0))
    made.home = tuple(interp.loops)
    return made


def container(interp: Interpreter, kind: str, values: list[Value], node: ast.AST) -> Value:
    """A list or dictionary with elements like these."""
    made = new(interp, kind, node)
    if values:
        made.entries[None] = join(values)
    return Value(refs=frozenset({made}))


def listed(element: Value) -> Value:
    """A list whose elements are all like this one."""
    made = Obj("list")
    made.entries[None] = element
    return Value(refs=frozenset({made}))


def dictionary(entries: Mapping[str, Value], line: int) -> Value:
    made = Obj("dict", line)
    made.entries.update(entries)
    return Value(refs=frozenset({made}))


def converted(interp: Interpreter, path: str, call: Call) -> Value:
    """`list(x)`, `dict(x)`, `collections.deque(x)` and the like."""
    args = call.args
    made = new(interp, "dict" if path in _DICTIONARIES else "list", call.node)
    if path == "collections.defaultdict" or not args:
        return Value(refs=frozenset({made}))
    if args[0].items is not None and path in ("list", "tuple"):
        return args[0] if path == "tuple" else listed(join(args[0].items))
    element = element_of(args[0])
    if element is not BLANK:
        made.entries[None] = element
    return Value(refs=frozenset({made}))


def byte_string(last: str, call: Call) -> Value:
    made = call.result()
    labels = made.labels | {Label(BYTES, 0)}
    if last == "bytes":
        return Value(labels=labels, switches=made.switches)
    grown = Obj("list", call.node.lineno)  # a bytearray grows like a list
    grown.labels = set(labels)
    return Value(refs=frozenset({grown}))


def tensor(interp: Interpreter, name: str, call: Call) -> Value:
    made = new(interp, "tensor", call.node)
    worths.begin(made, worths.filled(name, call))
    given = call.args[1:] if name.endswith("_like") else call.args  # it takes the shape alone
    made.labels = set(derive(*given).labels)
    if (rows := _rows(call.args)) is not None:
        made.attrs[ROWS] = Value(rows)
    name = call.node.func.attr if isinstance(call.node.func, ast.Attribute) else ""
    if name == "Parameter" or call.keywords.get("requires_grad", BLANK).const is True:
        made.attrs["trainable"] = Value(True)
    return Value(refs=frozenset({made}))


def _rows(args: list[Value]) -> object:
    """The leading dimension of a new tensor, where it is written out."""
    if not args:
        return None
    if args[0].items:
        return args[0].items[0].const if args[0].items[0].known else None
    if args[0].known and len(args) > 1:
        return args[0].const
    kept = [ref.attrs[ROWS].const for ref in args[0].refs if ROWS in ref.attrs]
    return kept[0] if kept else None


def optimizer(call: Call) -> Value:
    made = Obj("optimizer", call.node.lineno)
    made.entries = dict(enumerate(call.values))
    return Value(refs=frozenset({made}))


def layer(interp: Interpreter, name: str, call: Call) -> Value:
    """A layer of its own; only a container shares the weights of what it is given."""
    made = new(interp, "module", call.node)
    shared = call.args if name in ("Sequential", "ModuleList", "ModuleDict") else []
    inside = frozenset(ref for value in shared for ref in weights.reachable(value))
    return Value(refs=frozenset({made}) | inside)


def copied(interp: Interpreter, value: Value, node: ast.AST) -> Value:
    """A copy keeps what its original had learnt, and learns nothing more with it."""
    if len(value.refs) != 1:
        return derive(value)
    (original,) = value.refs
    made = new(interp, original.kind, node)
    made.cls = original.cls
    made.labels = set(labels_of(value))
    made.attrs, made.entries = dict(original.attrs), dict(original.entries)
    return Value(labels=value.labels, refs=frozenset({made}))
