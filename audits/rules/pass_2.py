"""PASS-2: no choice between candidate losses once the token is known.

Catches: the element-wise minimum of two losses of the same tokens, also as a running minimum over
several passes, that is then recorded.
Does not cover: choices made by comparing and branching in scalar code.
"""

from __future__ import annotations

from collections.abc import Iterator

from audits.facts.labels import CHOICE
from audits.facts.trace import Trace
from audits.flow import first_results, results
from audits.match import Match, settled
from audits.rules.cases import script

RULE = "PASS-2"


def check(trace: Trace) -> Iterator[Match]:
    for number, score in first_results(results(trace), CHOICE):
        choice = trace.choices[number]
        yield Match.at(
            choice.site,
            "the smaller of several losses of the same tokens is taken here and recorded at "
            f"line {score.site.line}",
            (choice.moment, score.moment),
            ("chosen here", choice.site),
            ("scored here", score.site),
            sure=settled(choice.moment, score.moment),
        )


VALID = (
    # A minimum over batches' averages is a log line, not a score.
    script("""
        best = 1e9
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            loss = model(x, y)
            best = min(best, loss.item())
            add(loss, y)
    """),
    # Log-sum-exp of two experts with fixed weights.
    script("""
        other = Net()
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            a, b = -model(x, y), -other(x, y)
            top = torch.maximum(a, b)
            add(-(top + torch.log(0.5 * torch.exp(a - top) + 0.5 * torch.exp(b - top))), y)
    """),
)
INVALID = (
    script("""
        other = Net()
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            add(torch.minimum(model(x, y), other(x, y)), y)
    """),
    # A running minimum over passes.
    script("""
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            best = torch.full((512,), float("inf"))
            for trial in range(3):
                nll = model(x, y)
                best = torch.minimum(best, nll)
            add(best, y)
    """),
)
