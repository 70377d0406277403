"""BYTES-7: does the number come from a forward pass behind the artifact, or was it remembered?

A script that scores its float model, and repeats those losses behind the round trip, prints one
number twice, and between the two its weights were loaded or written. In a run of its own noise is
added to all weights behind the first print: a number that is evaluated then moves.

Decides, where every number behind the first print stayed to the last digit: scores were made there
and their kept rows moved; or nothing at all was scored there, the recorded scores were fixed
before, and the first print is by its own words of another model.
Guarantees: a model whose copy loses nothing is evaluated again, and moves; a number that a summary
repeats has others printed beside it that move, or nothing was scored behind it. Does not cover:
other processes, where no noise is; a first evaluation of which nothing was printed, which the
record leaves *unknown*.
"""

import re
from dataclasses import dataclass

import numpy as np

from audits.facts.documented.printed_scores import Printed
from harness.arrays import Ints
from harness.checks.status import Finding, Level, Status
from harness.protocol.schema import EventKind
from harness.trace.reader import Capture
from harness.trace.reconstruct import print_event
from harness.trace.script_run import ScriptRun

RULE = "BYTES-7"
FINE = 5e-6  # half a unit of a number that two evaluations do not share by chance
LINES = (EventKind.PRINT, EventKind.LINE)
NOTED = (*LINES, EventKind.READ, EventKind.SAVE)
CHANGES = (EventKind.WRITE, EventKind.READ, EventKind.STEP)  # of the weights, perhaps
MOVED_NATS = 1e-3  # of an entry of a row
FLOAT = re.compile(r"\d+\.\d{5,}")


@dataclass(frozen=True)
class Repeated:
    """A number that was printed, and printed again behind another state of the weights."""

    first: str  # the line
    again: Printed
    noted: int  # lines and files up to the first print
    of_another: bool  # the first is a diagnostic by its words


def repeated(run: ScriptRun) -> Repeated | None:
    """The first print of the headline in another line, where weights changed behind it."""
    head, capture = run.headline, run.capture
    if head is None or head.half_unit > FINE or not run.finished:
        return None
    end, lines = print_event(capture, head), capture.events(*LINES)
    begin = next((e for e in lines if e < end and _holds(str(capture.text[e]), head)), None)
    if begin is None:
        return None
    changed = capture.events(*CHANGES)
    if not ((changed > begin) & (changed < end)).any():
        return None
    line = str(capture.text[begin]).strip()
    diagnostic = any(number.text == line and number.diagnostic for number in run.numbers)
    noted = int((capture.events(*NOTED) <= begin).sum())
    return Repeated(line, head, noted, diagnostic)


def _holds(line: str, head: Printed) -> bool:
    """Every figure of the headline, to its last place."""
    figures = [float(text) for text in FLOAT.findall(line)]
    wanted = [v for v in (head.nats_per_token, head.bits_per_byte) if v is not None]
    return all(any(abs(one - v) <= 1.01 * FINE for one in figures) for v in wanted)


def check_repeated(found: Repeated, base: ScriptRun, noisy: ScriptRun | None) -> Finding | None:
    """None where a number moved, or nothing can be said."""
    if noisy is None or noisy.headline is None or not noisy.finished:
        return None
    one, two = _Behind.of(base.capture, found), _Behind.of(noisy.capture, found)
    if two is None or one is None or one.lines != two.lines or two.has(EventKind.CHILD):
        return None
    if not two.scores:
        scored = base.scored
        if not found.of_another or scored is None or scored.event.max() >= one.events[0]:
            return None
        how = "nothing was scored behind it any more"
    else:
        moved = _moved_rows(one, two)
        if not moved:
            return None
        how = f"{moved:,} distributions that were computed behind it moved"
    text = (
        f"{found.again.tag} repeats a number that was printed before: noise was added to all"
        " weights behind the first of the two, and the second is the same to the last digit;"
        f" {how}: the number was remembered, and no forward pass behind the artifact made it"
    )
    return Finding(
        RULE, Status.FAIL, Level.BLACK_BOX, text, detail=f"{found.first}; {found.again.text}"
    )


@dataclass(frozen=True)
class _Behind:
    """What happened in one run behind the first print."""

    capture: Capture
    events: Ints  # (k,)

    @classmethod
    def of(cls, capture: Capture, found: Repeated) -> "_Behind | None":
        """None where it never came so far, or printed something else there."""
        noted = capture.events(*NOTED)
        if len(noted) < found.noted or str(capture.text[noted[found.noted - 1]]).strip() != (
            found.first
        ):
            return None
        return cls(capture, np.arange(noted[found.noted - 1] + 1, len(capture.kind)))

    def has(self, *kinds: EventKind) -> bool:
        """Events of these kinds."""
        return bool(np.isin(self.capture.kind[self.events], kinds).any())

    @property
    def scores(self) -> bool:
        """Whether any number was made that could be a score."""
        return self.has(EventKind.LOSS, EventKind.SUM) or bool(
            len(_fractions(self.capture, self.events))
        )

    @property
    def lines(self) -> list[str]:
        """Numbers of many places, as printed."""
        lines = self.events[np.isin(self.capture.kind[self.events], LINES)]
        return [figure for e in lines for figure in FLOAT.findall(str(self.capture.text[e]))]

    @property
    def rows(self) -> Ints:
        """Of the kept distributions."""
        return np.flatnonzero(np.isin(self.capture.rows.event, self.events))


def _fractions(capture: Capture, events: Ints) -> Ints:
    """Places in the scores of kept plain numbers that no count of bytes or tokens is."""
    kept = events[capture.kind[events] == EventKind.VALUE]
    there = np.flatnonzero(np.isin(capture.score_event, kept))
    broken: Ints = there[capture.nats[there] % 1.0 != 0.0]
    return broken


def _moved_rows(one: _Behind, two: _Behind) -> int:
    """Kept rows that were made in both, in the same order, and differ."""
    a, b = one.capture.rows, two.capture.rows
    return sum(
        a.position[i] == b.position[j]
        and len(a.log_p[i]) == len(b.log_p[j])
        and bool(np.abs(a.log_p[i] - b.log_p[j]).max() > MOVED_NATS)
        for i, j in zip(one.rows, two.rows, strict=False)
    )


def check_read_later(run: ScriptRun) -> Finding | None:
    """By the record: the artifact was opened behind the last forward that the number comes from,
    and nothing was scored after that.
    """
    scored, capture, head = run.scored, run.capture, run.headline
    if scored is None or head is None or not run.finished:
        return None
    end, last = print_event(capture, head), int(scored.event.max())
    saved = set(capture.text[capture.events(EventKind.SAVE)])
    opened = [e for e in capture.events(EventKind.READ) if capture.text[e] in saved]
    later = [e for e in opened if last < e < end]
    if len(later) < len(opened) or not later:
        return None
    behind = np.arange(later[0], end)
    if (capture.kind[behind] == EventKind.LOSS).any() or len(_fractions(capture, behind)):
        return None
    text = (
        f"the scores behind {head.tag} were fixed before {capture.text[later[0]]}, which the script"
        " had written, was opened, and none was made after that: they are not those of what is"
        " shipped, or the file was only looked at"
    )
    return Finding(RULE, Status.UNKNOWN, Level.INSTRUMENTED, text)
