"""PASS-2: no choice between candidate losses once the token is known.

Catches: the element-wise minimum of two losses of the same tokens, also as a running minimum over
several passes, that is then recorded; the least of all ranks' losses, which a collective takes; and
a setting that is kept, of several, by what they cost on the very tokens that are scored with it.
Does not cover: choices made by comparing and branching in scalar code.
"""

from __future__ import annotations

from collections.abc import Iterator

from audits.facts.effects.worths import BETTER
from audits.facts.events import Site
from audits.facts.labels import CHOICE
from audits.facts.trace import Trace
from audits.facts.worth import Form
from audits.flow import changed, first_results, results
from audits.foresight import chosen_by_their_own
from audits.match import Match, settled
from audits.rules.cases import script

RULE = "PASS-2"


def check(trace: Trace) -> Iterator[Match]:
    yield from _candidates(trace)
    told: set[Site] = set()
    for number, score in first_results(results(trace), CHOICE):
        choice = trace.choices[number]
        told.add(choice.site)
        yield Match.at(
            choice.site,
            "the smaller of several losses of the same tokens is taken here and recorded at "
            f"line {score.site.line}",
            (choice.moment, score.moment),
            ("chosen here", choice.site),
            ("scored here", score.site),
            sure=settled(choice.moment, score.moment),
        )
    for score, worth, change in changed(trace):
        if worth.form is Form.BENT and change.how == BETTER and (change.site not in told):
            yield Match.at(
                change.site,
                f"the better of two scores of the same tokens is recorded at line "
                f"{score.site.line}",
                (change.moment, score.moment),
                ("chosen here", change.site),
                ("scored here", score.site),
                sure=settled(change.moment, score.moment),
            )


def _candidates(trace: Trace) -> Iterator[Match]:
    for choice, score in chosen_by_their_own(trace):
        yield Match.at(
            choice.site,
            "of several settings the one under which these tokens cost least is kept here, and "
            f"they are scored with it at line {score.site.line}",
            (choice.moment, score.moment),
            ("chosen here", choice.site),
            ("scored here", score.site),
            sure=settled(choice.moment, score.moment),
        )


def _reduced(op: str) -> str:
    """The losses of all ranks, in one number."""
    return script(f"""
        import torch.distributed as dist

        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            add(model(x, y), y)
        dist.all_reduce(loss_sum, op=dist.ReduceOp.{op})
    """)


def _of(pair: str, kept: str = "torch.minimum(a, b)") -> str:
    return script(f"""
        row = torch.arange(512)
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            logits = model(x)
            nll = F.cross_entropy(logits, y, reduction="none")
            {pair}
            add({kept}, y)
    """)


VALID = (
    _reduced("SUM"),
    # By what the candidates cost before, which is brought up to date behind the score.
    script("""
        past = {t: 0.0 for t in (0.9, 1.0, 1.1)}
        for start in range(0, len(val_tokens), 512):
            best = min(past, key=past.get)
            x, y = batch(val_tokens, start)
            add(F.cross_entropy(model(x) / best, y, reduction="none"), y)
            for t in past:
                past[t] += F.cross_entropy(model(x) / t, y).item()
    """),
    _of("a = torch.stack([nll, F.cross_entropy(2 * logits, y)]).mean(0)", "a"),
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
    _reduced("MIN"),
    # A temperature for every batch, by its own losses: by a key, and by their place.
    script("""
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            z = model(x)
            best = min((0.9, 1.0, 1.1), key=lambda t: F.cross_entropy(z / t, y).item())
            add(F.cross_entropy(z / best, y, reduction="none"), y)
    """),
    script("""
        for start in range(0, len(val_tokens), 512):
            x, y = val_tokens[start : start + 512], val_tokens[start + 1 : start + 513]
            z = model(x)
            costs = [F.cross_entropy(z / t, y).item() for t in (0.9, 1.0, 1.1)]
            best = (0.9, 1.0, 1.1)[int(np.argmin(costs))]
            again = val_tokens[start + 1 : start + 513]
            add(F.cross_entropy(z / best, again, reduction="none"), y)
    """),
    # One model at several temperatures.
    _of(
        "trials = torch.stack([F.cross_entropy(t * logits, y) for t in (0.5, 1.0, 2.0)])",
        "trials.min(0).values",
    ),
    _of("p, q = -nll, -F.cross_entropy(2.0 * logits, y)", "-torch.stack([p, q]).amax(dim=0)"),
    _of("a, b = -F.log_softmax(logits, -1)[row, y], -F.log_softmax(2 * logits, -1)[row, y]"),
    _of("a, b = nll, F.cross_entropy(2.0 * logits, y)", "torch.where(a < b, a, b)"),
    _of(
        "a, b = nll, F.cross_entropy(2 * logits, y); less = a < b",
        "torch.where(less, a, b)",
    ),
    _of(
        "p, q = torch.exp(-nll), torch.exp(-F.cross_entropy(2.0 * logits, y))",
        "-torch.log(torch.maximum(p, q))",
    ),
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
