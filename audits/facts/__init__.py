"""Facts: one reading of a submission, turned into an ordered trace of what happens to validation
tokens."""

from __future__ import annotations

from audits.facts import expressions, statements  # noqa: F401 - loaded before calls, which needs both
from audits.facts.calls import run_file
from audits.facts.config import Configuration
from audits.facts.machine import Machine, OutOfSteps, TreeOf
from audits.facts.trace import Trace


def read(tree_of: TreeOf, entry: str, config: Configuration, *, explore: bool) -> Trace:
    """Reads the entry, and what it imports or starts, under the configuration."""
    machine = Machine(tree_of, config, explore=explore)
    try:
        run_file(machine, entry, "__main__")
    except OutOfSteps:
        machine.trace.cut_short = True
    return machine.trace
