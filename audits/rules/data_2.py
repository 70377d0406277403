"""DATA-2: after training, the training shards are out of reach.

Catches: training batches read, for whatever statistics, after a training loop that uses the whole
600 seconds and before the score.
Does not cover: shards opened by name in an evaluation process of its own; the harness sees these.
"""

from __future__ import annotations

from collections.abc import Iterator

from audits.facts.trace import Trace
from audits.match import Match, settled
from audits.phases import (
    TRAINING,
    another_budget,
    calibrations,
    deadline_before,
    scored_after,
)
from audits.rules.data_3 import calibrated

RULE = "DATA-2"


def check(trace: Trace) -> Iterator[Match]:
    for one in calibrations(trace, TRAINING):
        limit, score = deadline_before(trace, one), scored_after(trace, one.moment.position)
        if limit is None or score is None:
            continue
        yield Match.at(
            one.site,
            f"training shards are read here, after the training time of {limit.seconds:.0f} s "
            f"ended at line {limit.site.line}, for what is scored at line {score.site.line}",
            (one.moment, score.moment),
            ("training ended here", limit.site),
            ("read here", one.site),
            ("scored here", score.site),
            sure=not another_budget(limit) and settled(one.moment),
        )


VALID = (
    calibrated("train_tokens", " - 14000.0"),
    calibrated("torch.randint(0, 1024, (8192,))"),
)
INVALID = (calibrated("train_tokens"),)
