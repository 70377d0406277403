"""Calls into native code: what comes back, and into which arrays.

Guarantees: everything the function is given may be in everything it can write; outputs that its
text gates on the very token are marked.
Does not cover: objects that native code keeps between calls.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Final

from audits.facts.machine import Machine
from audits.facts.scope import Scope
from audits.facts.trace import Gate, Helper, NativeCall
from audits.facts.values import GATED, STREAM, TOKENS, Label, Obj, Value, derive, kinds

if TYPE_CHECKING:
    from audits.facts.calls import Args, Keywords

LOADERS: Final = frozenset({"CDLL", "LoadLibrary", "load_inline", "PyDLL"})


def library(m: Machine, args: Args, node: ast.AST, scope: Scope) -> Value:
    """A library that is opened; one with a path, rather than a name, came with the script."""
    path = args[0].const if args else None
    if isinstance(path, str) and "/" in path and not path.startswith("/usr"):
        file = path.rsplit("/", 1)[-1]
        m.trace.helpers.append(Helper(m.site(node, scope), m.moment(), file))
    return Value(refs=frozenset({Obj("native")}))


def call(
    m: Machine, name: str, args: Args, keywords: Keywords, node: ast.AST, scope: Scope
) -> Value:
    given = derive(*args, *keywords.values())
    arrays = [[ref for ref in value.refs if ref.kind == "tensor"] for value in args]
    for refs in arrays:
        for ref in refs:
            ref.labels |= given.labels
    function = m.natives.function(name, m.trees.values())
    if function is None:
        return Value(labels=given.labels)
    if function.spreads:
        m.trace.native_calls.append(NativeCall(m.site(node, scope), m.moment(), name, given.labels))
    if function.gated and kinds(given.labels) & {TOKENS, STREAM}:
        m.trace.gates.append(Gate(m.site(node, scope), m.moment(), name))
        mark = Label(GATED, len(m.trace.gates) - 1)
        for place in function.gated:
            for ref in arrays[place] if place < len(arrays) else []:
                ref.labels.add(mark)
    return Value(labels=given.labels)
