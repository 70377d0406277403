"""ORDER-4: a warm-up on real validation tokens discards everything it touched.

Catches: optimiser steps on validation losses whose weights reach no score at all. That is tolerated
and changes nothing, but random tokens would do as well; steps that do reach a score are ORDER-2.
Does not cover: forward passes without a step.
"""

from __future__ import annotations

from collections.abc import Iterator

from audits.adaptation import licensed, lines_read, reaches
from audits.facts.trace import Trace
from audits.flow import every_score
from audits.match import Match
from audits.rules.cases import script

RULE = "ORDER-4"


def check(trace: Trace) -> Iterator[Match]:
    found = [*every_score(trace), *trace.reports]
    for number, update in enumerate(trace.updates):
        if not found or licensed(trace, update):
            continue
        if any(reaches(number, score) for score in found):
            continue
        yield Match.at(
            update.backward,
            f"a step on validation tokens read at line {lines_read(trace, update)}, before they "
            "are scored; what it changed reaches no score",
            (update.moment,),
            ("trained here", update.backward),
            ("stepped here", update.site),
            sure=True,
        )


_SCORED = """
for start in range(0, len(val_tokens), 512):
    x, y = batch(val_tokens, start)
    add(model(x, y), y)
"""


def _warmed(tokens: str) -> str:
    return script(
        f"""
spare = nn.Linear(64, 64)
warm = torch.optim.AdamW(spare.parameters())
x, y = batch({tokens}, 0)
F.cross_entropy(spare(x), y).backward()
warm.step()
del spare, warm
"""
        + _SCORED
    )


VALID = (_warmed("torch.randint(0, 1024, (8192,))"),)
INVALID = (_warmed("val_tokens"),)
