"""The harness's own contract: programs and predictors written for it.

Guarantees: a program's tokens are the validation stream, and its headline is a score; a predictor
is driven as the harness drives it: a chunk's distributions first, then `adapt` with its tokens.
Does not cover: declared engines; such a submission has no code to read.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Final

from audits.facts import calls, statements
from audits.facts.machine import Machine
from audits.facts.scope import Scope
from audits.facts.trace import Accumulation
from audits.facts.values import (
    ACCUMULATED,
    BLANK,
    OUTPUT,
    STREAM,
    Label,
    Library,
    Obj,
    Value,
    ids,
    kinds,
    labels_of,
)

if TYPE_CHECKING:
    from audits.facts.calls import Args

PROGRAM: Final = "harness.program.Program.from_environment"
MODEL: Final = "reference_model.artifact.load_artifact"
# How the harness drives a predictor; names that no submission uses.
_DRIVER: Final = """
_total_ = _zeros_
for _start_ in range(0, len(_stream_), 512):
    _piece_ = _stream_[_start_ : _start_ + 513]
    _x_, _y_ = _piece_[:-1], _piece_[1:]
    _logp_ = _predictor_.log_probs(_x_, 512)
    _total_ += -_softmax_(_logp_, -1).gather(-1, _y_)
    _predictor_.adapt(_y_)
"""


def program() -> Value:
    made = Obj("program")
    made.attrs["tokens"] = _stream()
    return Value(refs=frozenset({made}))


def model(node: ast.AST) -> Value:
    made = Obj("module", getattr(node, "lineno", 0))
    return Value(items=(Value(refs=frozenset({made})), BLANK))


def on_program(m: Machine, name: str, args: Args, node: ast.AST, scope: Scope) -> Value:
    if name == "print_headline" and args:
        headline(m, args[0], node, scope)
    return BLANK


def headline(m: Machine, nats: Value, node: ast.AST, scope: Scope) -> None:
    """The code length of the stream: what the submission reports."""
    m.trace.native = True
    labels = labels_of(nats)
    totals = {
        one
        for one in ids(labels, ACCUMULATED)
        if OUTPUT in kinds(m.trace.accumulations[one].labels)
    }
    m.trace.converted |= totals
    m.trace.reported |= totals
    m.trace.reports.append(Accumulation(m.site(node, scope), m.moment(), labels))


def drive(m: Machine, factory: Value, scope: Scope) -> None:
    """Reads what the harness would do with the predictor that the factory gives."""
    tree = ast.parse(_DRIVER)
    call = ast.Call(ast.Name("_factory_", ast.Load()), [], [])
    ast.copy_location(call, tree.body[0])
    inner = Scope(scope)
    context = Obj("context")
    inner.names |= {
        "_predictor_": calls.call_value(
            m, factory, [Value(refs=frozenset({context}))], {}, call, scope
        ),
        "_stream_": _stream(),
        "_zeros_": Value(refs=frozenset({Obj("tensor")})),
        "_softmax_": Value(refs=frozenset({Library("torch.log_softmax")})),
    }
    statements.run_block(m, tree.body, inner)
    headline(m, inner.names["_total_"], tree.body[-1], inner)


def _stream() -> Value:
    made = Obj("tensor")
    made.labels = {Label(STREAM, 0)}
    return Value(labels=frozenset({Label(STREAM, 0)}), refs=frozenset({made}))
