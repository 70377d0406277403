"""Facts: one reading of a submission, turned into an ordered trace of what happens to validation
tokens."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from audits.facts import expressions, statements  # noqa: F401 - loaded before calls, which needs both
from audits.facts.calls import run_file
from audits.facts.config import Configuration
from audits.facts.machine import Machine, OutOfSteps
from audits.facts.trace import Trace


def read(
    modules: Mapping[str, ast.Module], entry: str, config: Configuration, *, explore: bool
) -> Trace:
    """Reads the entry, and what it imports or starts, under the configuration."""
    machine = Machine(modules, config, explore=explore)
    try:
        run_file(machine, entry, "__main__")
    except OutOfSteps:
        machine.trace.notes.append("the reading was cut short: too many steps")
    machine.trace.files = set(machine.loaded)
    return machine.trace
