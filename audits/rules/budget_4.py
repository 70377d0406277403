"""BUDGET-4: the evaluation, everything included, takes at most 600 seconds.

Catches: a clock that lets a loop of scores go on for longer. It may end earlier, so it warns.
Does not cover: loops that watch no clock, work done before a timer starts; the harness measures
the process.
"""

from __future__ import annotations

from collections.abc import Iterator

from audits.facts.events import Accumulation, Deadline
from audits.facts.trace import Trace
from audits.flow import cut_by, scores
from audits.match import Match
from audits.phases import another_budget
from audits.rules.cases import script

RULE = "BUDGET-4"
SURE = False


def check(trace: Trace) -> Iterator[Match]:
    for limit in trace.deadlines:
        if not another_budget(limit):
            continue
        for score in scores(trace):
            if _times(trace, limit, score):
                yield Match.at(
                    limit.site,
                    f"the clock lets the scores of line {score.site.line} go on for "
                    f"{limit.seconds:,.0f} s",
                    (limit.moment, score.moment),
                    ("timed here", limit.site),
                    ("scored here", score.site),
                    sure=False,
                )
                break


def _times(trace: Trace, limit: Deadline, score: Accumulation) -> bool:
    """Whether the clock is looked at in the loop that goes through what is scored.

    A training loop that scores now and then has a clock of its own.
    """
    loop = limit.moment.loops[-1:]
    return bool(loop) and (
        loop == score.moment.loops[-1:] or loop[0] in cut_by(trace, score.labels)
    )


def _timed(seconds: str) -> str:
    return "import time\n" + script(f"""
        began = time.perf_counter()
        for start in range(0, len(val_tokens), 512):
            if time.perf_counter() - began > {seconds}:
                break
            x, y = batch(val_tokens, start)
            add(model(x, y), y)
    """)


VALID = (_timed("600.0"), _timed("580.0"))
INVALID = (_timed("900.0"),)
