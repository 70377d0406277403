"""What the script did to the machine: DATA-6, DATA-7, BUDGET-3, PASS-4 and MISC-1.

    an address that its own line called     DATA-6: fails in the evaluation, where the network's
                                            own counters confirm it; unknown before
    a name or an address of a library       DATA-6, unknown
    files beside its folder, in its home    DATA-7, unknown: what lies there is not counted
    a clock of its own                      BUDGET-3, unknown: its times say nothing
    functions that turn numbers into a      PASS-4, unknown, where they give other numbers than what
    score                                   they replaced; NORM-6 where its number was refuted, too
    a function or a constant of a frozen    PASS-4, unknown
    file of the contest
    signals, other processes, one that it   MISC-1, unknown
    left running, a full disk; a recording
    or a recorder that was changed

No script of the contest's public lineage does any of it (1,344 were searched), but for addresses
and one copy of data in /dev/shm. Guarantees: a wrapper that gives what it wraps is nothing; caches,
temporary files and children are nothing. Does not cover: what is done in C.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from harness.arrays import Ints
from harness.checks.status import Finding, Level, Status, Step
from harness.protocol.confinement import IsolationPart
from harness.protocol.schema import EventKind
from harness.trace.script_run import ScriptRun

FULL_BYTES = 4 << 30  # real runs leave below 1 GB, and small ones less
SHOWN = 5


def check_conduct(runs: Sequence[ScriptRun], refuted: bool) -> Iterator[Finding]:
    """`runs`: the base run first; `refuted`: its number is better than any code can be."""
    yield from _network(runs)
    yield from _attempt(runs, EventKind.OUTSIDE, "DATA-7", "it wrote, or tried to write, {}")
    yield from _attempt(runs, EventKind.SIGNAL, "MISC-1", "it sent a signal: {}")
    yield from _attempt(runs, EventKind.PEEK, "MISC-1", "it read of other processes: {}")
    yield from _replaced(runs, refuted)
    yield from _frozen(runs)
    yield from _left(runs)
    yield from _touched(runs)


def _network(runs: Sequence[ScriptRun]) -> Iterator[Finding]:
    """An address that a library called by itself may be none that the script asked for."""
    for run in runs:
        called = _events(run, EventKind.SOCKET)
        late = called[called > _training_ended(run)]
        if len(late) and run.outcome.left.unreachable:
            text = f"while it evaluated, it called {_shown(run, late)}: {_end(run)}"
            steps = _steps(run, late, "called")
            yield Finding("DATA-6", Status.FAIL, Level.BLACK_BOX, text, steps=steps)
            return
    for run in runs:
        tried = _events(run, EventKind.SOCKET, EventKind.NETWORK)
        if len(tried):
            text = f"tried to reach {_shown(run, tried)}: {_end(run)}"
            steps = _steps(run, tried, "called")
            yield Finding("DATA-6", Status.UNKNOWN, Level.INSTRUMENTED, text, steps=steps)
            return


def _end(run: ScriptRun) -> str:
    if IsolationPart.NETWORK not in run.outcome.isolation:
        return "no isolation kept it from there"
    counted = run.outcome.left.unreachable
    seen = f", where {counted:,} packets found no way out" if counted else ""
    return f"the isolation refused it{seen}"


def _training_ended(run: ScriptRun) -> int:
    """The last step before the scored pass; later than any event where none was rebuilt."""
    if run.scored is None or not len(run.scored.event):
        return len(run.capture.kind)
    steps = run.capture.events(EventKind.STEP)
    return int(steps[steps < run.scored.event.min()].max(initial=-1))


def _attempt(
    runs: Sequence[ScriptRun], kind: EventKind, rule: str, sentence: str
) -> Iterator[Finding]:
    for run in runs:
        events = _events(run, kind)
        if len(events):
            text = sentence.format(_shown(run, events))
            steps = _steps(run, events, "tried")
            yield Finding(rule, Status.UNKNOWN, Level.INSTRUMENTED, text, steps=steps)
            return


def _replaced(runs: Sequence[ScriptRun], refuted: bool) -> Iterator[Finding]:
    for run in runs[:1]:
        events, distorted = _events(run, EventKind.REPLACED), _events(run, EventKind.DISTORTED)
        clocks = events[np.char.startswith(run.capture.text[events].astype(np.str_), "time.")]
        if len(clocks):
            text = f"it put functions of its own in place of {_shown(run, clocks)}"
            steps = _steps(run, clocks, "replaced")
            yield Finding("BUDGET-3", Status.UNKNOWN, Level.INSTRUMENTED, text, steps=steps)
        if not len(distorted):
            continue
        text = (
            f"it put functions of its own in place of {_shown(run, distorted)}, which give other"
            " numbers than those"
        )
        steps = _steps(run, distorted, "replaced")
        yield Finding("PASS-4", Status.UNKNOWN, Level.INSTRUMENTED, text, steps=steps)
        if refuted:
            text += ", and its number is better than any code can be"
            yield Finding("NORM-6", Status.FAIL, Level.BLACK_BOX, text, steps=steps)


def _frozen(runs: Sequence[ScriptRun]) -> Iterator[Finding]:
    """Honest ports do it to run elsewhere: for a person, beside what the numbers say."""
    for run in runs[:1]:
        events = _events(run, EventKind.FROZEN)
        if len(events):
            text = (
                "the evaluator is not the contest's own: while it ran, it put another in place of"
                f" {_shown(run, events)}"
            )
            steps = _steps(run, events, "replaced")
            yield Finding("PASS-4", Status.UNKNOWN, Level.INSTRUMENTED, text, steps=steps)


def _left(runs: Sequence[ScriptRun]) -> Iterator[Finding]:
    for run in runs:
        left = run.outcome.left
        if left.running:
            text = "it left a process running at its end"
            yield Finding("MISC-1", Status.UNKNOWN, Level.BLACK_BOX, text)
            return
        if left.most_bytes > FULL_BYTES:
            text = f"it filled its folders with {left.most_bytes:,} bytes"
            yield Finding("MISC-1", Status.UNKNOWN, Level.BLACK_BOX, text)
            return


def _touched(runs: Sequence[ScriptRun]) -> Iterator[Finding]:
    """What was seen inside such a run passes nothing."""
    for run in runs:
        if run.touched:
            text = f"{run.touched}: what was seen inside it passes nothing"
            yield Finding("MISC-1", Status.UNKNOWN, Level.BLACK_BOX, text)
            return


def _events(run: ScriptRun, *kinds: EventKind) -> Ints:
    return run.capture.events(*kinds)


def _shown(run: ScriptRun, events: Ints) -> str:
    return ", ".join(sorted({str(text) for text in run.capture.text[events]})[:SHOWN])


def _steps(run: ScriptRun, events: Ints, role: str) -> tuple[Step, ...]:
    sites = dict.fromkeys(str(site) for site in run.capture.site[events] if site)
    return tuple(Step(role, site) for site in list(sites)[:1])
