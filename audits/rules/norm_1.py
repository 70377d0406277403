"""NORM-1: what is recorded is minus the logarithm of one distribution's entry.

Catches: a count of the very token, from a table that tokens fill, that shapes the recorded loss
without ever being divided or going through a softmax.
Does not cover: hashed tables (NORM-2, NORM-3); whether a denominator is the right one, which the
sum over the alphabet shows.
"""

from __future__ import annotations

from collections.abc import Iterator

from audits.facts.events import TableRead
from audits.facts.labels import COUNT, HASHED, REALISED, TOKENS, Label, kinds
from audits.facts.trace import Trace
from audits.flow import first_results, results, same_tokens
from audits.match import Match
from audits.rules.cases import script

RULE = "NORM-1"
SURE = False


def check(trace: Trace) -> Iterator[Match]:
    divided = trace.divided | {number for one in trace.quotients for number in one.below}
    found = [one for one in results(trace) if REALISED in kinds(one.labels)]
    for number, score in first_results(found, COUNT):
        if number in divided:
            continue
        read = trace.table_reads[number]
        if not _of_the_token(trace, read):
            continue
        yield Match.at(
            read.site,
            "a count of the token that is being scored is read here and shapes the loss "
            f"recorded at line {score.site.line}, but no sum divides it: nothing shows that "
            "the candidates add up to one",
            (read.moment, score.moment),
            ("looked up here", read.site),
            ("scored here", score.site),
            sure=False,
        )


def _of_the_token(trace: Trace, read: TableRead) -> bool:
    """Whether the key holds a target, and the table counts tokens."""
    targets = frozenset(Label(TOKENS, one) for one in trace.targets)
    counts = HASHED not in kinds(read.key) and read.tables & trace.written_tables
    return bool(counts) and same_tokens(trace, read.key, targets)


def _mixed(share: str) -> str:
    return script(f"""
        counts = torch.zeros(1024, 1024)
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            nll = F.cross_entropy(model(x), y, reduction="none")
            add(-torch.log(0.5 * torch.exp(-nll) + 0.5 * {share}), y)
            counts.index_put_((x, y), torch.ones(512), accumulate=True)
    """)


VALID = (
    # Each row is divided by its own sum.
    _mixed("counts[x, y] / counts[x].sum(-1)"),
    # All counts go through one softmax.
    _mixed("torch.softmax(counts[x], -1).gather(-1, y)"),
)
INVALID = (_mixed("counts[x, y]"),)
