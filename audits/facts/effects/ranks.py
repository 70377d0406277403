"""Ranks: what they share, and when.

Guarantees: losses and totals that are added up are no exchange of tokens, the smallest rank's loss
for all is a choice; what comes back from a collective is in what it was given.
Does not cover: files, stores and queues between processes.
"""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import Final

from audits.facts.call import Call
from audits.facts.events import Choice, Exchange
from audits.facts.labels import CHOICE, GRADIENT, OUTPUT, SHARED, TOKENS, Label, ids, kinds
from audits.facts.state import Interpreter
from audits.facts.trace import noted
from audits.facts.values import Value, derive, labels_of

COLLECTIVES: Final = frozenset(
    {"all_reduce", "all_gather", "all_gather_into_tensor", "all_gather_object", "broadcast"}
    | {"reduce_scatter", "reduce_scatter_tensor", "all_to_all", "all_to_all_single", "reduce"}
    | {"broadcast_object_list", "gather_object", "_all_gather_base", "all_reduce_coalesced"}
)


def exchanged(interp: Interpreter, call: Call) -> Value:
    """A collective: its first arguments hold what all ranks gave."""
    given = derive(*call.values)
    held = kinds(given.labels)
    if GRADIENT in held:
        interp.pending = [replace(one, shared=True) for one in interp.pending]
        return given
    marks: frozenset[Label] = frozenset()
    if TOKENS in held and OUTPUT not in held:
        one = Exchange(interp.site_of(call), interp.moment(), ids(given.labels, TOKENS))
        marks = frozenset({Label(SHARED, noted(interp.trace.exchanges, one))})
    if TOKENS in held and OUTPUT in held and _takes_the_least(call):
        least = Choice(interp.site_of(call), interp.moment())
        marks = frozenset({Label(CHOICE, noted(interp.trace.choices, least))})
    for value, node in zip(call.args[:2], call.node.args[:2], strict=False):
        _fill(value, node, given, marks, call)
    return replace(given, labels=given.labels | marks)


def _takes_the_least(call: Call) -> bool:
    """`all_reduce(loss, op=ReduceOp.MIN)`."""
    given = [one.value for one in call.node.keywords if one.arg == "op"]
    return any(getattr(one, "attr", "") == "MIN" for one in (*call.node.args[1:2], *given))


def _fill(value: Value, node: ast.expr, given: Value, marks: frozenset[Label], call: Call) -> None:
    for ref in value.refs:
        if ref.kind in ("tensor", "list"):
            ref.labels |= given.labels | marks
    if not value.refs and marks and isinstance(node, ast.Name) and labels_of(value):
        call.scope.bind(node.id, replace(value, labels=value.labels | marks))
