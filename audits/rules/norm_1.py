"""NORM-1: what is recorded is minus the logarithm of one distribution's entry.

Catches: probabilities that weigh more than one together: a factor above one, weights of a mixture
with a sum above one, a floor under each, some nats taken off every token. As a warning: a count of
the very token, from a table that tokens fill, that shapes the recorded loss without ever being
divided or going through a softmax.
Does not cover: mixtures whose weights are not known; hashed tables (NORM-2, NORM-3); whether a
denominator is the right one, which the sum over the alphabet shows.
"""

from __future__ import annotations

from collections.abc import Iterator

from audits.facts.events import Change, TableRead
from audits.facts.labels import COUNT, HASHED, NORMALISER, REALISED, TOKENS, Label, kinds
from audits.facts.trace import Trace
from audits.facts.worth import FULL, Form
from audits.flow import changed, first_results, results, same_tokens
from audits.match import Match, settled
from audits.rules.cases import script

RULE = "NORM-1"


def check(trace: Trace) -> Iterator[Match]:
    yield from _heavy(trace)
    yield from _undivided(trace)


def _heavy(trace: Trace) -> Iterator[Match]:
    for score, worth, change in changed(trace):
        if worth.mass <= FULL or worth.form is Form.BENT:
            continue
        yield Match.at(
            change.site,
            f"after this ({change.how}) the probabilities of all tokens sum to more than one, "
            f"up to {worth.mass:.3g}; recorded at line {score.site.line}",
            (change.moment, score.moment),
            ("changed here", change.site),
            ("scored here", score.site),
            sure=settled(change.moment, score.moment) and not _paid_for(trace, change),
        )


def _paid_for(trace: Trace, change: Change) -> bool:
    """Whether what is taken off may be added elsewhere, as the logarithm of a sum."""
    lifted = "for nothing" in change.how
    return lifted and any(NORMALISER in kinds(one.labels) for one in trace.reports)


def _undivided(trace: Trace) -> Iterator[Match]:
    divided = trace.divided | {number for one in trace.quotients for number in one.below}
    found = [one for one in results(trace) if REALISED in kinds(one.labels)]
    for number, score in first_results(found, COUNT):
        if number in divided:
            continue
        read = trace.table_reads[number]
        if not _of_the_token(trace, read):
            continue
        yield Match.at(
            read.site,
            "a count of the token that is being scored is read here and shapes the loss "
            f"recorded at line {score.site.line}, but no sum divides it: nothing shows that "
            "the candidates add up to one",
            (read.moment, score.moment),
            ("looked up here", read.site),
            ("scored here", score.site),
            sure=False,
        )


def _of_the_token(trace: Trace, read: TableRead) -> bool:
    """Whether the key holds a target, and the table counts tokens."""
    targets = frozenset(Label(TOKENS, one) for one in trace.targets)
    counts = HASHED not in kinds(read.key) and read.tables & trace.written_tables
    return bool(counts) and same_tokens(trace, read.key, targets)


def _mixed(share: str) -> str:
    return script(f"""
        counts = torch.zeros(1024, 1024)
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            nll = F.cross_entropy(model(x), y, reduction="none")
            add(-torch.log(0.5 * torch.exp(-nll) + 0.5 * {share}), y)
            counts.index_put_((x, y), torch.ones(512), accumulate=True)
    """)


def _changed(change: str) -> str:
    return script(f"""
        other = Net()
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            p = torch.softmax(model(x), -1).gather(-1, y)
            q = torch.exp(-F.cross_entropy(other(x), y, reduction="none"))
            add({change}, y)
    """)


VALID = (
    # Each row is divided by its own sum.
    _mixed("counts[x, y] / counts[x].sum(-1)"),
    # All counts go through one softmax.
    _mixed("torch.softmax(counts[x], -1).gather(-1, y)"),
    # Weights that sum to one, and what keeps a logarithm finite.
    _changed("-torch.log(0.7 * p + 0.3 * q + 1e-9)"),
    _changed("-torch.logaddexp(math.log(0.5) + torch.log(p), math.log(0.5) + torch.log(q))"),
    # What a hint makes cheaper, paid for by the others.
    _changed("-torch.log(p) - 2.0 * (x.roll(1) == y) + torch.log1p(6.4 * q)"),
    # A uniform share, paid for.
    _changed("-torch.log(0.9 * p + 0.1 / 1024)"),
)
INVALID = (
    _changed("-torch.log(0.7 * p + 0.5 * q)"),
    _changed("-torch.log(1.2 * p)"),
    _changed("-(p + 0.01).log()"),
    _changed("-torch.log(p.clamp(min=0.01))"),
    _changed("-np.log(np.maximum(p.numpy(), 0.01))"),
    _changed("-torch.log(p) - 0.1"),
    # What a hint makes cheaper is not paid for by the others.
    _changed("-torch.log(p) - 2.0 * (x.roll(1) == y)"),
    _changed("-torch.log(torch.exp(torch.log(p) + 2.0 * (x.roll(1) == y)).clamp(max=1.0))"),
    _changed("-torch.logaddexp(torch.log(p), math.log(0.5) + torch.log(q))"),
)
DOUBTFUL = (_mixed("counts[x, y]"),)
