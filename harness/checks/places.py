"""Lines of the script behind positions of the stream: where an update used them, where they were
scored.

The lines come from hooks inside the script's process: they say where to look, and prove nothing.
Guarantees: a line that is not known is left out, never guessed.
"""

from collections import Counter

import numpy as np

from harness.arrays import Ints
from harness.checks.status import Step
from harness.trace.script_run import ScriptRun
from harness.trace.uses import NEVER


def used_then_scored(run: ScriptRun, positions: Ints) -> tuple[Step, ...]:
    """`positions`: (k,) that an update used before their score was fixed."""
    if run.uses is None:
        return scored_at(run, positions)
    used = run.uses.first_used[positions]
    used = used[used != NEVER]
    return (*_most(run, used, "learned from"), *scored_at(run, positions))


def scored_at(run: ScriptRun, positions: Ints) -> tuple[Step, ...]:
    """`positions`: (k,) of the scored pass."""
    if run.scored is None:
        return ()
    events = run.scored.event[np.isin(run.scored.position, positions)]
    return _most(run, events, "scored")


def _most(run: ScriptRun, events: Ints, role: str) -> tuple[Step, ...]:
    """The line of most of the events."""
    lines = Counter(str(site) for site in run.capture.site[events])
    del lines[""]
    return tuple(Step(role, line) for line, _ in lines.most_common(1))
