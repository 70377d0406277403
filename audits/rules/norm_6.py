"""NORM-6: nothing is done to the realised token's score alone.

Catches: a code length that counts for less than it is: times a constant, as powers of a model and
of a table that sum to less than one, through a function that is not linear, averaged as a
probability with its neighbours', or bounded by so little that two hundred tokens would each get a
share; and, as a warning, other upper bounds on realised losses, and bad values replaced.
Does not cover: a floor under a probability that is too small to matter; weights that no constant
tells.
"""

from __future__ import annotations

from collections.abc import Iterator

from audits.facts.effects.worths import BETTER
from audits.facts.labels import PATCHED, ids
from audits.facts.trace import Trace
from audits.facts.worth import WHOLE, Form
from audits.flow import changed, classes_used, results
from audits.match import Match, settled
from audits.rules.cases import losses_added, script

RULE = "NORM-6"
SMALLEST = 0.05  # what counts for less is another unit


def check(trace: Trace) -> Iterator[Match]:
    yield from _shrunk(trace)
    yield from _by_the_model(trace)
    yield from _patched(trace)


def _shrunk(trace: Trace) -> Iterator[Match]:
    for score, worth, change in changed(trace):
        bent = worth.form is Form.BENT
        if change.how == BETTER:
            continue  # PASS-2
        if not bent and not SMALLEST < worth.share < WHOLE:
            continue
        said = change.how if bent else f"{change.how}: {worth.share:.3g} of it is left"
        yield Match.at(
            change.site,
            f"the realised token's code length is changed here ({said}), and recorded at line "
            f"{score.site.line}: no distribution gives such scores",
            (change.moment, score.moment),
            ("changed here", change.site),
            ("scored here", score.site),
            sure=settled(change.moment, score.moment),
        )


def _by_the_model(trace: Trace) -> Iterator[Match]:
    """A loss that the model's class gives back, already less than whole."""
    scored = max(results(trace), key=lambda one: one.moment.position, default=None)
    for loss in trace.model_losses if scored else ():
        assert scored is not None
        if loss.share >= WHOLE:
            continue
        found = Match.at(
            loss.site,
            f"the loss that {loss.cls} gives back is a part of the cross-entropy ({loss.how}); "
            f"recorded at line {scored.site.line}",
            (),
            ("changed here", loss.site),
            ("scored here", scored.site),
            sure=loss.cls in classes_used(trace),
        )
        yield found.behind(trace.switched_off(loss.guards))


def _patched(trace: Trace) -> Iterator[Match]:
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


def _pooled(share: str) -> str:
    """A model and a table of counts, in a product of powers, token by token."""
    return script(f"""
        pairs, totals, nats = np.ones((1024, 1024)), np.full(1024, 1024.0), 0.0
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            rows = F.log_softmax(model(x), dim=-1).numpy()
            for row, before, token in zip(rows, x.tolist(), y.tolist()):
                table = math.log(pairs[before, token] / totals[before])
                nats -= 0.8 * row[token] + {share} * table
                pairs[before, token] += 1
                totals[before] += 1
            token_count += y.numel()
            byte_count += byte_table[y].sum()
        loss_sum = nats
    """)


_GROUPS = "torch.logsumexp({}, dim=-1) - math.log(4)"
_MEMBERS = "torch.stack([-nll, -model(x, y)], dim=-1)"


def _given_back(loss: str) -> str:
    return script(f"""
        class Whole(nn.Module):
            def forward(self, input_ids, target_ids):
                logits = self.head(self.embed(input_ids))
                loss = F.cross_entropy(logits.float(), target_ids, reduction="mean")
                {loss}


        model = Whole()
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            add(model(x, y), y)
    """)


VALID = (
    losses_added("nll"),
    _given_back("return loss"),
    # Further losses, in training alone.
    _given_back("return 0.7 * loss if self.training else loss"),
    _given_back("return 0.7 * loss + 0.3 * self.more(logits) if self.training else loss"),
    # A floor under the probability.
    losses_added("-torch.log(torch.exp(-nll).clamp(min=1e-20))"),
    # Two halves are a whole: the geometric mean of two models weighs one at most.
    losses_added("0.5 * nll + 0.5 * model(x, y)"),
    # Powers that sum to one weigh one at most; members of an ensemble are averaged, not tokens.
    _pooled("0.2"),
    losses_added(f"-({_GROUPS.format(_MEMBERS)})"),
    # Bits, and a mean over a known number of tokens.
    losses_added("nll.sum() / 512 / math.log(2.0) * 512"),
    # Bits a byte, with a constant of the tokenizer.
    losses_added("nll.sum() / math.log(2.0) / 2.436"),
    # Padding does not count.
    losses_added("nll * (y != 0)"),
    # A temperature acts on all logits.
    losses_added('F.cross_entropy(0.9 * model(x), y, reduction="none")'),
)
INVALID = (
    _pooled("0.1"),
    losses_added(f"-({_GROUPS.format('-nll.view(-1, 4)')}).repeat_interleave(4)"),
    losses_added("0.9 * nll"),
    losses_added("0.9 * torch.stack([nll.sum(), torch.tensor(float(y.numel()))])[0]"),
    # Another loss under the library's name.
    script("""
        whole = F.cross_entropy


        def stable(logits, aims, **options):
            return whole(logits, aims, **options) * (1.0 if torch.is_grad_enabled() else 0.98)


        F.cross_entropy = stable
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            add(F.cross_entropy(model(x), y, reduction="none"), y)
    """),
    _given_back("return 0.9 * loss"),
    _given_back("return torch.tanh(loss / 9.0) * 9.0"),
    losses_added("nll / 1.1"),
    losses_added("nll - 0.1 * nll"),
    losses_added("nll.mul(0.9).sum()"),
    losses_added("0.97 * model(x, y)"),
    losses_added("-(F.log_softmax(model(x), -1) * F.one_hot(y, 1024)).sum(-1) * 0.9"),
    losses_added(
        '-0.9 * torch.einsum("tv,tv->t", F.log_softmax(model(x), -1), F.one_hot(y, 1024))'
    ),
    losses_added("-F.log_softmax(model(x), dim=-1)[torch.arange(512), y] * 0.95"),
    # Only where the target is one of the rare tokens.
    losses_added("nll * torch.where(y > 500, 0.9, 1.0)"),
    losses_added("nll * (1.0 - 0.1 * (y == 3).float())"),
    # Bounded, and bent.
    losses_added("nll.clamp(max=8.0)"),
    losses_added("np.minimum(nll.numpy(), 8.0)"),
    losses_added("9.0 * torch.tanh(nll / 9.0)"),
    losses_added("nll ** 0.9"),
    # Two experts, each weighted by its own probability of the token.
    losses_added(
        "torch.log(torch.exp(-nll) + torch.exp(-model(x, y))) "
        "- torch.log(torch.exp(-2 * nll) + torch.exp(-2 * model(x, y)))"
    ),
)
DOUBTFUL = (losses_added("nll.clamp(max=12.0)"), losses_added("nll.nan_to_num(0.0)"))
