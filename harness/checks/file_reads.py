"""DATA-2 and what was read when: the files that the script opened, by phase of its run.

    before   its first score             during   the scored pass     after   its last one

Nearly every legal script opens the validation shard at its start, for validation while it trains,
and every training shard before it scores: both are reported and judged as nothing. A training shard
that is *opened* during the scored pass is DATA-2 *unknown*: the hooks live inside the process, and
whether the text entered a score is not seen. Where one is opened behind the artifact, a run is made
in which its tokens stand in reverse order from then on: where another number is printed, DATA-2
fails. Does not cover: shards that were opened before and are
read on (memory maps), and tokens kept in memory; so nothing here passes DATA-2.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

from harness.checks.coverage import read_exchange
from harness.checks.status import Finding, Level, Status
from harness.protocol.schema import EventKind
from harness.trace.reconstruct import print_event
from harness.trace.script_run import ScriptRun

TRAINING = re.compile(r"(^|/)[^/]*train[^/]*\.bin$")
TEXT = re.compile(r"\.(txt|log|jsonl?|csv|tsv|md)$")
NOTED = (EventKind.PRINT, EventKind.LINE, EventKind.READ, EventKind.SAVE)
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


def opened_behind(
    run: ScriptRun,
    artifact: Collection[str],  # files that the script wrote when it had trained, and opened again
) -> dict[str, int]:
    """Training shards that it opened between its last writing (of anything but a log: it may be of
    what was made of them) and the printed number; and how many notes there were before each.
    """
    capture, head = run.capture, run.headline
    if head is None:
        return {}
    end, noted = print_event(capture, head), capture.events(*NOTED)
    saved = [e for e in capture.events(EventKind.SAVE) if e < end]
    written = [e for e in saved if not TEXT.search(str(capture.text[e]))]
    if not set(map(str, capture.text[written])) & set(artifact):
        return {}
    found: dict[str, int] = {}
    for event in capture.events(EventKind.READ):
        path = str(capture.text[event])
        if max(written) < event < end and TRAINING.search(path) and not path.startswith("/"):
            found.setdefault(path, int((noted < event).sum()))
    return found


def check_turned(
    base: ScriptRun, turned: ScriptRun | None, shards: Mapping[str, int]
) -> Finding | None:
    """DATA-2 fails where the number moved; None where it stayed, or nothing was exchanged."""
    moved = read_exchange("shards", base, turned)
    if moved is None or moved.same or turned is None or not turned.finished:
        return None
    given = turned.capture.events(EventKind.GIVEN)
    if not len(given) or not set(map(str, turned.capture.text[given])) <= set(shards):
        return None
    names = ", ".join(dict.fromkeys(map(str, turned.capture.text[given])))
    site = str(turned.capture.site[given[0]])
    text = (
        f"{names} opened behind the artifact ({site or 'line unknown'}): with its tokens in reverse"
        f" order from then on, the printed number moved by {moved.moved:.3g}, and a repeat printed"
        " the same: training text that is not in the artifact enters the score"
    )
    return Finding("DATA-2", Status.FAIL, Level.BLACK_BOX, text)
