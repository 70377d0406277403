"""Facts: one reading of a submission, turned into an ordered trace.

Guarantees: no code of the submission runs; the trace depends on files and configuration only.
Does not cover: judging the trace; that is for `audits.flow` and `audits.rules`.
"""

from __future__ import annotations

from audits.facts import contract
from audits.facts.config import Configuration
from audits.facts.files import run_file
from audits.facts.machine import Machine, OutOfSteps, TreeOf
from audits.facts.native import Natives
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
    machine = run(tree_of, entry, config, explore=explore, natives=natives, factory=factory)
    trace = machine.trace
    if trace.shown:  # messages in a log show that a switch was on: read with it
        config = config.with_printed(trace.shown)
        machine = run(tree_of, entry, config, explore=explore, natives=natives, factory=factory)
        trace = machine.trace
    _describe_off(machine, trace)
    trace.last_is_headline = config.logs.last_is_headline()
    return trace


def _describe_off(machine: Machine, trace: Trace) -> None:
    """Settings of the script that are off in this run, by attribute name."""
    for scope in machine.loaded.values():
        for value in scope.names.values():
            for ref in value.refs:
                if isinstance(ref, ClassObj):
                    for name, held in ref.attrs.items():
                        if held.known and not held.const and held.switches:
                            switch = sorted(held.switches)[0]
                            trace.off_attributes[name] = machine.config.describe(switch)


def run(
    tree_of: TreeOf,
    entry: str,
    config: Configuration,
    *,
    explore: bool,
    natives: Natives | None = None,
    factory: str = "",
) -> Machine:
    """One reading; the machine holds the trace and what every name was at the end."""
    machine = Machine(tree_of, config, explore=explore, natives=natives)
    try:
        scope = run_file(machine, entry, "__main__")
        if scope is not None and (made := scope.lookup(factory)) is not None:
            contract.drive(machine, made, scope)
    except OutOfSteps:
        machine.trace.cut_short = True
    return machine
