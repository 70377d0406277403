"""ORDER-5: of a batch of windows, nothing is learned from before all of them are scored.

Catches: a loop that stores the windows' tokens in a table of counts, ahead of the look-ups, in the
same iteration, that score these very windows; training, after a chunk is scored, on a piece that
ends beyond it, whatever the sizes are.
Does not cover: training whose targets reach one token past the chunk.
"""

from __future__ import annotations

from collections.abc import Iterator

from audits.adaptation import steps_to
from audits.facts.events import Accumulation, TableRead, TableWrite, TokenRead, Update
from audits.facts.labels import TOKENS, ids
from audits.facts.trace import Trace
from audits.flow import common_loops, scores, with_ancestors
from audits.match import Match, settled
from audits.phases import reads_scored
from audits.places import reaches_past
from audits.rules.cases import script

RULE = "ORDER-5"


def check(trace: Trace) -> Iterator[Match]:
    yield from _stored_first(trace)
    for update in trace.updates:
        if (score := _scored_in_part(trace, update)) is not None:
            yield Match.at(
                update.backward,
                "what is trained on here ends beyond what this round scored, at line "
                f"{score.site.line}: the next round scores it afterwards",
                (update.moment, score.moment),
                *steps_to(trace, update, score),
                sure=settled(update.moment, score.moment),
            )


def _scored_in_part(trace: Trace, update: Update) -> Accumulation | None:
    """The score of a round that goes on, behind it, with more than all of its scores have seen."""
    before = [
        score
        for score in scores(trace)
        if common_loops(score.moment, update.moment)
        and score.moment.position < update.moment.position
    ]
    if not before:
        return None
    shared = common_loops(update.moment, *(score.moment for score in before))
    trained = _cuts(trace, ids(update.labels, TOKENS), shared)
    every = frozenset(one for score in before for one in ids(score.labels, TOKENS))
    scored = _cuts(trace, every, shared)
    of_one = {one.parents for one in (*trained, *scored)}
    past = trained and scored and len(of_one) == 1 and reaches_past(trained, scored)
    return before[0] if past else None


def _cuts(trace: Trace, reads: frozenset[int], loops: tuple[int, ...]) -> list[TokenRead]:
    """The pieces, cut by the variable of the innermost of these loops and by none inside it; where
    another cut of them is used too, nothing is told."""
    used = [trace.reads[one] for one in sorted(reads)]
    placed = [
        one for one in used if loops and loops[-1] in one.loops and max(one.loops) == loops[-1]
    ]
    return placed if len(placed) == len(used) else []


def _stored_first(trace: Trace) -> Iterator[Match]:
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


def _trained(begin: str, end: str) -> str:
    """Chunks that are scored, and then trained on from one place to another."""
    return script(f"""
        width = int(os.environ.get("ROWS", "4")) * 512
        for first in range(0, val_tokens.numel() - 1, width):
            last = min(first + width, val_tokens.numel() - 1)
            x, y = val_tokens[first:last], val_tokens[first + 1 : last + 1]
            add(model(x, y), y)
            begin = {begin}
            end = {end}
            model(val_tokens[begin:end], val_tokens[begin + 1 : end + 1]).backward()
            optimizer.step()
    """)


VALID = (
    script(_TABLE + _SCORE + _STORE),
    _trained("first", "last"),
    _trained("first + 256", "last"),
    _trained("max(first - 256, 0)", "max(last - 256, 0)"),
)
INVALID = (
    script(_TABLE + _STORE + _SCORE),
    # Rows that are cut half a row later than they were scored.
    _trained("first + 256", "min(last + 256, val_tokens.numel() - 1)"),
    _trained("first", "min(first + width + width // 2, val_tokens.numel() - 1)"),
)
