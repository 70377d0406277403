"""The harness's own contract: programs and predictors written for it.

Guarantees: a program's tokens are the validation stream, and its headline is a score.
Does not cover: how a predictor is called (`audits.facts.predictor`); declared engines, since such a
submission has no code to read.
"""

from __future__ import annotations

import ast
from typing import Final

from audits.facts.call import Call
from audits.facts.effects import messages
from audits.facts.events import Accumulation
from audits.facts.labels import ACCUMULATED, OUTPUT, STREAM, Label, ids, kinds
from audits.facts.scope import Scope
from audits.facts.state import Interpreter
from audits.facts.values import BLANK, Obj, Value, derive, labels_of

PROGRAM: Final = "harness.program.Program.from_environment"
MODEL: Final = "reference_model.artifact.load_artifact"


def program() -> Value:
    made = Obj("program")
    made.attrs["tokens"] = stream()
    return Value(refs=frozenset({made}))


def model(node: ast.AST) -> Value:
    made = Obj("module", getattr(node, "lineno", 0))
    return Value(items=(Value(refs=frozenset({made})), BLANK))


def on_program(interp: Interpreter, name: str, call: Call) -> Value:
    if name == "print_headline" and call.args:
        headline(interp, call.args[0], call.node, call.scope)
    return BLANK


def headline(interp: Interpreter, nats: Value, node: ast.AST, scope: Scope) -> None:
    """The code length of the stream: what the submission reports."""
    interp.trace.native = True
    messages.worded(interp, [Value("the headline: "), derive(nats)], interp.site(node, scope))
    labels = labels_of(nats)
    totals = {
        one
        for one in ids(labels, ACCUMULATED)
        if OUTPUT in kinds(interp.trace.accumulations[one].labels)
    }
    interp.trace.converted |= totals
    interp.trace.reported |= totals
    interp.trace.reports.append(Accumulation(interp.site(node, scope), interp.moment(), labels))


def stream() -> Value:
    made = Obj("tensor")
    made.labels = {Label(STREAM, 0)}
    return Value(labels=frozenset({Label(STREAM, 0)}), refs=frozenset({made}))
