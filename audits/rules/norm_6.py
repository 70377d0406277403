"""NORM-6: nothing is done to the realised token's score alone.

Catches: an upper bound on realised losses, or bad values replaced, before they are added up.
Does not cover: a floor under a probability before the logarithm, which is harmless.
"""

from __future__ import annotations

from collections.abc import Iterator

from audits.facts.labels import PATCHED, ids
from audits.facts.trace import Trace
from audits.flow import results
from audits.match import Match
from audits.rules.cases import script

RULE = "NORM-6"
SURE = False


def check(trace: Trace) -> Iterator[Match]:
    seen: set[int] = set()
    for score in results(trace):
        for number in sorted(ids(score.labels, PATCHED) - seen):
            seen.add(number)
            patch = trace.patches[number]
            yield Match.at(
                patch.site,
                f"{patch.name} is applied to the realised losses before they are recorded at line "
                f"{score.site.line}: large or bad ones count for less than they are",
                (patch.moment, score.moment),
                ("changed here", patch.site),
                ("scored here", score.site),
                sure=False,
            )


def _scored(change: str) -> str:
    return script(f"""
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            nll = F.cross_entropy(model(x), y, reduction="none")
            add({change}, y)
    """)


VALID = (
    _scored("nll"),
    # A floor under the probability.
    _scored("-torch.log(torch.exp(-nll).clamp(min=1e-20))"),
)
INVALID = (_scored("nll.clamp(max=12.0)"), _scored("nll.nan_to_num(0.0)"))
