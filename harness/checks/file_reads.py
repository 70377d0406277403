"""DATA-2 and what was read when: the files that the script opened, by phase of its run.

    before   its first score             during   the scored pass     after   its last one

Nearly every legal script opens the validation shard at its start, for validation while it trains,
and every training shard before it scores: both are reported and judged as nothing. A training shard
that is *opened* during the scored pass is DATA-2 *unknown*: the hooks live inside the process, and
whether the text entered a score is not seen. Does not cover: shards that were opened before and are
read on (memory maps), and tokens kept in memory; so nothing here passes DATA-2.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from harness.checks.status import Finding, Level, Status
from harness.protocol.schema import EventKind
from harness.trace.script_run import ScriptRun

TRAINING = re.compile(r"(^|/)[^/]*train[^/]*\.bin$")
DATA = re.compile(r"\.(bin|npy|npz|pt|parquet|txt|jsonl?)$|\.model$")


class Phase(StrEnum):
    """When, by the scored pass; the values are those of report.json."""

    BEFORE = "before"
    DURING = "during"
    AFTER = "after"
    NOT_KNOWN = ""  # no pass was rebuilt


@dataclass(frozen=True)
class Read:
    """One file in one phase."""

    path: str  # relative to the stage
    phase: Phase
    times: int  # that it was opened
    event: int  # of the first opening


def reads_of(run: ScriptRun) -> list[Read]:
    """Every data file that was opened, in the order of its first opening in a phase."""
    found: dict[tuple[str, Phase], list[int]] = {}
    for event in run.capture.events(EventKind.READ).tolist():
        path = str(run.capture.text[event])
        if DATA.search(path):
            found.setdefault((path, _phase(run, event)), []).append(event)
    return [Read(path, phase, len(at), at[0]) for (path, phase), at in found.items()]


def _phase(run: ScriptRun, event: int) -> Phase:
    batches = run.batches
    if not len(batches):
        return Phase.NOT_KNOWN
    if event < batches[:, 0].min():
        return Phase.BEFORE
    return Phase.DURING if event < batches[:, 1].max() else Phase.AFTER


def check_reads(run: ScriptRun) -> list[Finding]:
    """DATA-2, only where a training shard was opened during the scored pass."""
    opened = [r for r in reads_of(run) if r.phase is Phase.DURING and TRAINING.search(r.path)]
    if not opened:
        return []
    site = str(run.capture.site[opened[0].event])
    text = (
        f"{', '.join(read.path for read in opened[:5])} opened between the first and the last"
        f" score that entered the number ({site or 'line unknown'})"
    )
    numbers = {"path": opened[0].path, "times": opened[0].times, "event": opened[0].event}
    found = Finding("DATA-2", Status.UNKNOWN, Level.INSTRUMENTED, text, evidence=(numbers,))
    return [found]
