"""BUDGET-3: training ends within 600 seconds.

Catches: a training loop that a clock ends later than that, in the configuration the folder shows.
The track without a time limit may do so, hence a warning.
Does not cover: how long a step takes; loops that only a number of steps ends.
"""

from __future__ import annotations

from collections.abc import Iterator

from audits.facts.trace import Trace
from audits.match import Match
from audits.phases import TRAINING_SECONDS
from audits.rules.cases import script
from audits.rules.data_3 import SCORED, TRAINED

RULE = "BUDGET-3"
SURE = False
TOLERATED = 1.0  # seconds; the check follows a synchronisation


def check(trace: Trace) -> Iterator[Match]:
    late = [one for one in trace.deadlines if one.seconds > TRAINING_SECONDS + TOLERATED]
    for one in late:
        if one.moment.loops:
            yield Match.at(
                one.site,
                f"the clock ends this loop after {one.seconds:,.0f} s",
                (one.moment,),
                ("timed here", one.site),
                sure=False,
            )


def _trained(seconds: str) -> str:
    return "import time\n" + script(TRAINED.format(reserve="", budget=seconds) + SCORED)


VALID = (_trained("600.0"), _trained("590.0"))
INVALID = (_trained("4800.0"),)
