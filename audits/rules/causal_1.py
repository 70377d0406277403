"""CAUSAL-1: p_t is a function of what came before t.

Catches: a loss whose targets are the very tokens that the model was given, by the same name, so
that each position may copy its own answer; where they go by other names, or were changed on the
way, it warns: a model that is given noise instead of some of its targets looks the same.
Does not cover: later tokens that reach a model in another way (CAUSAL-2, CAUSAL-8).
"""

from __future__ import annotations

from collections.abc import Iterator

from audits.facts.labels import OUTPUT, ids
from audits.facts.trace import Trace
from audits.flow import results
from audits.match import Match, settled
from audits.rules.cases import script

RULE = "CAUSAL-1"


def check(trace: Trace) -> Iterator[Match]:
    scored = list(results(trace))
    for echo in trace.echoes:
        for score in scored:
            if echo.outputs.isdisjoint(ids(score.labels, OUTPUT)):
                continue
            yield Match.at(
                echo.site,
                "the loss is taken of the very tokens that the model was given, and is recorded "
                f"at line {score.site.line}",
                (echo.moment, score.moment),
                ("compared here", echo.site),
                ("scored here", score.site),
                sure=echo.bare and settled(echo.moment, score.moment),
            )
            break


def _scored(given: str) -> str:
    return script(f"""
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            add(F.cross_entropy(model({given}), y, reduction="none"), y)
    """)


VALID = (
    _scored("x"),
    # The baseline's signature: the target goes along for the loss.
    script("""
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            add(model(x, y), y)
    """),
)
INVALID = (
    _scored("y"),
    _scored("x) + 0.1 * model(y"),
    _scored("y").replace("model(y), y,", "model(y).view(-1, 1024), y.reshape(-1),"),
)
DOUBTFUL = (
    script("""
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            noisy = torch.where(torch.rand(512) < 0.5, 1023, y)
            add(F.cross_entropy(model(noisy), y, reduction="none"), y)
    """),
)
