"""Facts: one reading of a submission, turned into an ordered trace.

Guarantees: no code of the submission runs; the trace depends on files and configuration only.
Does not cover: judging the trace; that is for `audits.flow` and `audits.rules`.
"""

from __future__ import annotations

from audits.facts import predictor
from audits.facts.documented.configuration import Configuration
from audits.facts.interpreter.statements import run_block
from audits.facts.siblings import Siblings
from audits.facts.state import Interpreter, OutOfSteps, TreeOf
from audits.facts.submitted import labels_of_submitted
from audits.facts.texts.native import Natives
from audits.facts.trace import Trace
from audits.facts.values import ClassObj


def read(
    tree_of: TreeOf,
    entry: str,
    config: Configuration,
    *,
    explore: bool,
    natives: Natives | None = None,
    factory: str = "",
) -> Trace:
    """Reads the entry, and what it imports or starts, under the configuration."""
    interp = run(tree_of, entry, config, explore=explore, natives=natives, factory=factory)
    trace = interp.trace
    if trace.shown:  # messages in a log show that a switch was on: read with it
        config = config.with_printed(trace.shown)
        interp = run(tree_of, entry, config, explore=explore, natives=natives, factory=factory)
        trace = interp.trace
    _describe_off(interp, trace)
    trace.last_is_headline = config.logs.last_is_headline
    trace.submitted = labels_of_submitted(trace, config.logs)
    return trace


def _describe_off(interp: Interpreter, trace: Trace) -> None:
    """Settings of the script that are off in this run, by attribute name."""
    for scope in interp.loaded.values():
        for value in scope.names.values():
            for ref in value.refs:
                if isinstance(ref, ClassObj):
                    for name, held in ref.attrs.items():
                        if held.known and not held.const and held.switches:
                            switch = sorted(held.switches)[0]
                            trace.off_attributes[name] = interp.config.describe(switch)


def run(
    tree_of: TreeOf,
    entry: str,
    config: Configuration,
    *,
    explore: bool,
    natives: Natives | None = None,
    factory: str = "",
) -> Interpreter:
    """One reading; the interpreter holds the trace and what every name was at the end."""
    interp = Interpreter(tree_of, config, explore=explore, natives=natives)
    try:
        scope = Siblings(interp, run_block).run(entry, "__main__")
        if scope is not None and (made := scope.lookup(factory)) is not None:
            predictor.drive(interp, made, scope)
    except OutOfSteps:
        interp.trace.cut_short = True
    return interp
