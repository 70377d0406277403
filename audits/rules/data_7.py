"""DATA-7: nothing but the counted bytes passes from training to evaluation.

Catches: tables that training tokens have filled, still in memory, read by validation tokens while
these are scored. Half a gigabyte of counts is no part of a 16 MB artifact.
Does not cover: weights kept in memory instead of being reloaded; the harness's own process does.
"""

from __future__ import annotations

from collections.abc import Iterator

from audits.facts.trace import Trace
from audits.match import Match, settled
from audits.phases import TRAINING, filled_ahead, reads_scored
from audits.rules.cases import script

RULE = "DATA-7"


def check(trace: Trace) -> Iterator[Match]:
    for read, score in reads_scored(trace):
        if (write := filled_ahead(trace, read, TRAINING)) is None:
            continue
        yield Match.at(
            read.site,
            f"the table read here was filled from training tokens at line {write.site.line} and "
            f"never left memory; it shapes what is scored at line {score.site.line}",
            (read.moment, write.moment, score.moment),
            ("filled here", write.site),
            ("looked up here", read.site),
            ("scored here", score.site),
            sure=settled(read.moment, write.moment),
        )


_FILLED = """
counts = np.zeros((4096, 1024))
ids_np, train_np = val_tokens.numpy(), train_tokens.numpy()
for place in range(len(train_np) - 1):
    np.add.at(counts, (train_np[place] & 4095, train_np[place + 1]), 1)
"""
_READ = """
for start in range(0, len(val_tokens), 512):
    x, y = batch(val_tokens, start)
    row = counts[ids_np[start] & 4095]
    add(-torch.log(0.5 * torch.exp(-model(x, y)) + 0.5 * row[y] / row.sum()), y)
"""
VALID = (
    # Stored in the artifact and read back from it.
    script(
        _FILLED + 'torch.save(counts, "artifact.pt")\ncounts = torch.load("artifact.pt")\n' + _READ
    ),
    # Built by the evaluation itself, after each score.
    script(
        _FILLED.split("for place")[0]
        + _READ
        + "    np.add.at(counts, (ids_np[start] & 4095, ids_np[start + 1]), 1)\n"
    ),
)
INVALID = (script(_FILLED + _READ),)
