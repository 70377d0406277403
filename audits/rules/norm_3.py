"""NORM-3: the key of a look-up that shapes p(x_t) may not be made of x_t.

Catches: a read, under a hash that folds in the very tokens the loss is taken of, from a table that
validation tokens fill, flowing into a recorded loss; the target may be cut a second time.
Does not cover: a second cut whose bounds are computed otherwise; NORM-2 sees those by their
quotient.
"""

from __future__ import annotations

from collections.abc import Iterator

from audits.facts.events import TableRead
from audits.facts.labels import COUNT, HASHED, TOKENS, Label, ids, kinds
from audits.facts.trace import Trace
from audits.flow import first_results, results, same_tokens
from audits.foresight import targets_of
from audits.match import Match, settled
from audits.rules.cases import script

RULE = "NORM-3"


def check(trace: Trace) -> Iterator[Match]:
    for number, score in first_results(results(trace), COUNT):
        read = trace.table_reads[number]
        wanted = trace.targets | targets_of(trace, score)
        if not _keyed_by_target(trace, read, frozenset(Label(TOKENS, one) for one in wanted)):
            continue
        yield Match.at(
            read.site,
            "the key of this look-up folds in the token that is being scored, and the count "
            f"flows into the loss recorded at line {score.site.line}",
            (score.moment,),
            ("looked up here", read.site),
            ("scored here", score.site),
            sure=settled(score.moment),
        )


def _keyed_by_target(trace: Trace, read: TableRead, targets: frozenset[Label]) -> bool:
    counts = HASHED in kinds(read.key) and read.tables & trace.written_tables
    mixes = len(ids(read.key, TOKENS)) > 1  # the context and the target
    return bool(counts) and mixes and same_tokens(trace, read.key, targets)


VALID = (
    # Words of 16 bits are read without their sign: nothing is folded, and the pairs are exact.
    script("""
        words = torch.from_file("data/fineweb_val_000000.bin", dtype=torch.int16, size=9000)
        stream = words[512:].long() % 65536
        counts = torch.zeros(1024, 1024)
        for start in range(0, 8192, 512):
            x, y = stream[start : start + 512], stream[start + 1 : start + 513]
            share = (counts[x, y] + 1) / (counts[x].sum(1) + 1024)
            logp = F.log_softmax(model(x), dim=-1)[torch.arange(512), y]
            add(-torch.log(0.5 * logp.exp() + 0.5 * share), y)
            counts[x, y] += 1
    """),
    # The same key, used only to fill the table after the score.
    script("""
        table = torch.zeros(4096)
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            nll = F.cross_entropy(model(x), y, reduction="none")
            add(nll, y)
            table.scatter_add_(0, ((x * 36313) ^ (y * 27191)) & 4095, torch.ones(512))
    """),
    # The key is made of the context; the row is normalised over all candidates.
    script("""
        table = torch.zeros(4096, 1024)
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            nll = F.cross_entropy(model(x) + torch.log(table[(x * 36313) & 4095]), y)
            add(nll, y)
            table[(x * 36313) & 4095, y] += 1
    """),
)
INVALID = (
    script("""
        table = torch.zeros(4096)
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            nll = F.cross_entropy(model(x), y, reduction="none")
            seen = table[((x * 36313) ^ (y * 27191)) & 4095]
            add(nll - 0.5 * seen, y)
            table.scatter_add_(0, ((x * 36313) ^ (y * 27191)) & 4095, torch.ones(512))
    """),
)
