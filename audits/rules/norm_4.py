"""NORM-4: a tilt is divided by its normaliser.

Catches: a known number of nats taken off the loss where a test comes true, with no logarithm of a
sum that takes it back elsewhere; and, as a warning, something that is not known, taken off where a
hint comes true: `nll - b * (hint == y)` alone.
Does not cover: whether the normaliser is the right one, or counts several hints once; the sum over
the alphabet shows that.
"""

from __future__ import annotations

from collections.abc import Iterator

from audits.facts.effects.worths import TILTS
from audits.facts.events import Tilt
from audits.facts.labels import NORMALISER, TILTED, TOKENS, Label, kinds
from audits.facts.trace import Trace
from audits.facts.worth import FULL, Form
from audits.flow import changed, first_results, results, same_tokens
from audits.match import Match, settled
from audits.rules.cases import script

RULE = "NORM-4"


def check(trace: Trace) -> Iterator[Match]:
    yield from _lifted(trace)
    yield from _tilted_by_hints(trace)


def _lifted(trace: Trace) -> Iterator[Match]:
    for score, worth, change in changed(trace):
        if TILTS not in change.how or worth.mass <= FULL or worth.form is Form.BENT:
            continue
        paid = any(NORMALISER in kinds(one.labels) for one in trace.reports)
        yield Match.at(
            change.site,
            f"the loss is lowered here ({change.how}), and no normaliser raises the others; "
            f"recorded at line {score.site.line}",
            (change.moment, score.moment),
            ("lowered here", change.site),
            ("scored here", score.site),
            sure=settled(change.moment, score.moment) and not paid,
        )


def _tilted_by_hints(trace: Trace) -> Iterator[Match]:
    found = [one for one in results(trace) if NORMALISER not in kinds(one.labels)]
    for number, score in first_results(found, TILTED):
        tilt = trace.tilts[number]
        if not _by_the_target(trace, tilt):
            continue
        hit = trace.hits[min(tilt.hits)]
        yield Match.at(
            tilt.site,
            f"where the hint compared at line {hit.site.line} comes true, the loss is lowered "
            f"here, and recorded at line {score.site.line}; no normaliser raises the others",
            (tilt.moment, score.moment),
            ("compared here", hit.site),
            ("lowered here", tilt.site),
            ("scored here", score.site),
            sure=False,
        )


def _by_the_target(trace: Trace, tilt: Tilt) -> bool:
    targets = frozenset(Label(TOKENS, one) for one in trace.targets)
    return any(
        same_tokens(trace, frozenset(Label(TOKENS, one) for one in trace.hits[hit].tokens), targets)
        for hit in tilt.hits
    )


def _tilted(change: str) -> str:
    return script(f"""
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            hint = model(x).argmax(-1)
            nll = F.cross_entropy(model(x), y, reduction="none")
            p = torch.softmax(model(x), -1).gather(-1, hint)
            add({change}, y)
    """)


VALID = (
    _tilted("nll - 2.0 * (hint == y) + torch.log1p(p * 6.4)"),
    # A point mass at the hint, mixed in: a distribution as it stands.
    _tilted("-torch.log(0.9 * torch.exp(-nll) + 0.1 * (hint == y))"),
)
DOUBTFUL = (_tilted("nll - boost * (hint == y)"),)
INVALID = (
    _tilted("nll - 2.0 * (hint == y)"),
    # Tokens that came lately are raised, one by one.
    script("""
        recent, nats = [], 0.0
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            rows = F.log_softmax(model(x), dim=-1).tolist()
            for row, token in zip(rows, y.tolist()):
                nats -= row[token] + (2.0 if token in recent else 0.0)
                recent = (recent + [token])[-400:]
            token_count += y.numel()
            byte_count += byte_table[y].sum()
        loss_sum = nats
    """),
)
