"""ORDER-5: of a batch of windows, nothing enters a table before all of them are scored.

Catches: a loop that stores the windows' tokens in a table of counts, ahead of the look-ups, in the
same iteration, that score these very windows.
Does not cover: training whose targets reach one token past the chunk; that needs index arithmetic.
"""

from __future__ import annotations

from collections.abc import Iterator

from audits.facts.events import Accumulation, TableRead, TableWrite
from audits.facts.labels import TOKENS, ids
from audits.facts.trace import Trace
from audits.flow import common_loops, with_ancestors
from audits.match import Match, settled
from audits.phases import reads_scored
from audits.rules.cases import script

RULE = "ORDER-5"


def check(trace: Trace) -> Iterator[Match]:
    for read, score in reads_scored(trace):
        if (write := _stored_before(trace, read)) is None:
            continue
        yield Match.at(
            write.site,
            f"the tokens of the batch are stored here before they are looked up, at line "
            f"{read.site.line}, for the score at line {score.site.line}",
            (write.moment, read.moment, score.moment),
            ("stored here", write.site),
            ("looked up here", read.site),
            ("scored here", score.site),
            sure=_of_targets(trace, write, read, score)
            and settled(write.moment, read.moment, score.moment),
        )


def _stored_before(trace: Trace, read: TableRead) -> TableWrite | None:
    for write in trace.table_writes:
        earlier = write.moment.position < read.moment.position
        if not earlier or write.tables.isdisjoint(read.tables):
            continue
        if common_loops(write.moment, read.moment) and _of_one_batch(trace, write, read):
            return write
    return None


def _of_targets(trace: Trace, write: TableWrite, read: TableRead, score: Accumulation) -> bool:
    """Whether all that is to be predicted was stored when the whole batch is looked up."""
    if not set(read.moment.loops) <= set(write.moment.loops):
        return False  # looked up one by one: what is stored may lag behind
    wanted = trace.targets & ids(score.labels, TOKENS)
    inside = set(write.moment.loops) - set(read.moment.loops)
    for stored in ids(write.key, TOKENS):
        if stored in wanted or (
            trace.reads[stored].loops & inside and trace.reads[stored].parents & wanted
        ):
            return True
    return False


def _of_one_batch(trace: Trace, write: TableWrite, read: TableRead) -> bool:
    """Whether what was stored is what is looked up, or was cut out of it."""
    stored, wanted = ids(write.key, TOKENS), ids(read.key, TOKENS)
    return not with_ancestors(trace, stored).isdisjoint(wanted)


_TABLE = """
    counts = torch.zeros(1024, 1024)
    for start in range(0, len(val_tokens), 512):
        x, y = batch(val_tokens, start)
"""
_SCORE = """
        row = counts[x]
        share = torch.softmax(row, -1).gather(-1, y) + counts[x, y] / row.sum(-1)
        add(-torch.log(0.5 * torch.exp(-model(x, y)) + 0.5 * share), y)
"""
_STORE = """
        for place in range(512):
            counts[x[place], y[place]] += 1
"""
VALID = (script(_TABLE + _SCORE + _STORE),)
INVALID = (script(_TABLE + _STORE + _SCORE),)
