"""What happened before what: calibration, tables filled ahead of their reads, second passes.

Guarantees: a table counts as filled ahead only when the write is over before the read begins; a
loop that reads and then writes, position by position, is never that.
Does not cover: how much of the stream an earlier loop went through.
"""

from __future__ import annotations

from collections.abc import Iterator

from audits.facts.events import Accumulation, Calibration, Deadline, TableRead, TableWrite
from audits.facts.labels import COUNT, OUTPUT, STREAM, TOKENS, TRAIN, ids, kinds
from audits.facts.trace import Trace
from audits.flow import common_loops, first_results, results

VALIDATION = frozenset({TOKENS, STREAM})
TRAINING = frozenset({TRAIN})
TRAINING_SECONDS = 600.0
TOLERANCE = 0.02  # runs of 602 s were rerun, not rejected (#1945)


def calibrations(trace: Trace, kind: frozenset[str]) -> Iterator[Calibration]:
    """Forward passes over such tokens whose statistics were kept and whose losses were not."""
    used = {
        number
        for record in (*trace.accumulations, *trace.reports)
        for number in ids(record.labels, OUTPUT)
    }
    for one in trace.calibrations:
        if kinds(one.labels) & kind and used.isdisjoint(one.output):
            yield one


def scored_after(trace: Trace, position: int) -> Accumulation | None:
    """The last score that comes after a position."""
    later = [one for one in results(trace) if one.moment.position > position]
    return max(later, key=lambda one: one.moment.position, default=None)


def another_budget(limit: Deadline) -> bool:
    """Whether the clock is not the record track's: what it leaves out is another question."""
    return limit.seconds > TRAINING_SECONDS * (1 + TOLERANCE)


def deadline_before(trace: Trace, one: Calibration) -> Deadline | None:
    """The clock that ended the training loop before it, when that left no time for it."""
    found = [
        limit
        for limit in trace.deadlines
        if limit.moment.loops
        and limit.moment.position < one.moment.position
        and not common_loops(limit.moment, one.moment)
    ]
    if not found or any(limit.seconds < TRAINING_SECONDS for limit in found):
        return None
    return found[-1]


def reads_scored(trace: Trace) -> Iterator[tuple[TableRead, Accumulation]]:
    """Look-ups by tokens that flow into a result."""
    latest_first = sorted(results(trace), key=lambda one: -one.moment.position)
    for number, record in first_results(latest_first, COUNT):
        yield trace.table_reads[number], record


def filled_ahead(trace: Trace, read: TableRead, kind: frozenset[str]) -> TableWrite | None:
    """A write, from tokens of that kind, that was over before this read of the table began."""
    for write in trace.table_writes:
        if not kinds(write.key) & kind or write.tables.isdisjoint(read.tables):
            continue
        earlier = write.moment.position < read.moment.position
        if earlier and not common_loops(write.moment, read.moment):
            return write
    return None


def goes_on_writing(trace: Trace, read: TableRead) -> bool:
    """Whether the loop that reads the table also writes it, afterwards: score first."""
    return any(
        not write.tables.isdisjoint(read.tables)
        and write.moment.position > read.moment.position
        and common_loops(write.moment, read.moment)
        for write in trace.table_writes
    )
