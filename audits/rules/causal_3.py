"""CAUSAL-3: nothing that scores a token may be fitted with a loss that includes that token.

Catches: a fresh tensor (an added vector, a logit bias) optimised on the scored positions of a
batch and then used to score that batch.
Does not cover: fitting on context positions only (CAUSAL-4); whether that is legal was never
ruled.
"""

from __future__ import annotations

from collections.abc import Iterator

from audits.adaptation import ambiguous, licensed, reaches, same_positions, steps_to
from audits.facts.events import Update
from audits.facts.trace import Trace
from audits.flow import same_tokens, scores, share_loop
from audits.match import Match
from audits.rules.cases import script

RULE = "CAUSAL-3"


def check(trace: Trace) -> Iterator[Match]:
    for number, update in enumerate(trace.updates):
        if licensed(trace, update) or not _fits_a_tensor(update):
            continue
        for score in scores(trace):
            if not share_loop(score.moment, update.moment) or not reaches(number, score):
                continue
            if not same_tokens(trace, update.labels, score.labels):
                continue
            if not same_positions(trace, update, score):
                continue
            fitted = ", ".join(str(target.line) for target in sorted(update.targets, key=_line))
            yield Match.at(
                update.backward,
                f"the tensor created at line {fitted} is optimised at line {update.backward.line} "
                f"(step at line {update.site.line}) on the very positions it then scores, at line "
                f"{score.site.line}",
                (update.moment, score.moment),
                *steps_to(trace, update, score),
                sure=not ambiguous(trace, update, score),
            )
            break


def _fits_a_tensor(update: Update) -> bool:
    return all(target.kind == "tensor" for target in update.targets)


def _line(target: object) -> int:
    return int(getattr(target, "line", 0))


VALID = (
    # Fitted on the context only, of which the first window has none.
    script("""
        bias = torch.zeros(1024, requires_grad=True)
        fit = torch.optim.AdamW([bias], lr=0.03)
        for start in range(0, len(val_tokens), 64):
            x, y = batch(val_tokens, start)
            first = 0 if start == 0 else max(len(x) - 64, 0)
            with torch.no_grad():
                logits = model(x)
            if first > 0:
                F.cross_entropy(logits[:first] + bias, y[:first]).backward()
                fit.step()
            nll = F.cross_entropy(logits + bias.detach(), y, reduction="none")
            add(nll[first:], y[first:])
    """),
    # Fitted on the context only.
    script("""
        for start in range(0, len(val_tokens), 64):
            x, y = batch(val_tokens, start)
            hidden = model(x)
            delta = torch.zeros(1, 1, 512, requires_grad=True)
            fit = torch.optim.AdamW([delta], lr=0.01)
            mask = torch.zeros(4, 512)
            for i in range(4):
                mask[i, :s] = 1.0
            loss = F.cross_entropy(hidden + delta, y, reduction="none")
            (loss * mask).sum().backward()
            fit.step()
            nll = F.cross_entropy(hidden + delta, y, reduction="none")
            add(nll[:, s:512], y)
    """),
    # The same, with a mask that leaves out the scored end, and one that nobody can read.
    *(
        script(f"""
            for start in range(0, len(val_tokens), 64):
                x, y = batch(val_tokens, start)
                hidden = model(x)
                delta = torch.zeros(1, 1, 512, requires_grad=True)
                fit = torch.optim.AdamW([delta], lr=0.01)
                loss = F.cross_entropy(hidden + delta, y, reduction="none")
                mask = torch.ones(4, 512)
                {mask}
                {loss}.sum().backward()
                fit.step()
                nll = F.cross_entropy(hidden + delta, y, reduction="none")
                add(nll[:, s:512], y)
        """)
        for mask, loss in (
            ("mask[:, s:512] = 0.0", "(loss * mask)"),
            ("mask.masked_fill_(places, 0.0)", "(loss * mask)"),
            ("mask = torch.arange(512) < s", "(loss * mask)"),
            ("mask = torch.cat([torch.ones(s), torch.zeros(512 - s)])", "(loss * mask)"),
            ("mask = torch.tensor([1.0 if j < s else 0.0 for j in range(512)])", "(loss * mask)"),
            ("mask = context_of(x)", "loss[mask]"),
            ("mask = context_of(x)", "loss.masked_select(mask)"),
            ("mask = context_of(x)", "torch.where(mask, loss, 0.0)"),
            ("loss = F.cross_entropy(model(x[:s]) + delta, x[1 : s + 1])", "loss"),
        )
    ),
    # All but the scored end, which is computed.
    script("""
        for start in range(0, len(val_tokens), 64):
            x, y = batch(val_tokens, start)
            hidden = model(x)
            delta = torch.zeros(1, 1, 512, requires_grad=True)
            fit = torch.optim.AdamW([delta], lr=0.01)
            loss = F.cross_entropy(hidden + delta, y, reduction="none")
            mask = torch.ones(4, 512)
            mask[:, max(512 - s, 0):512] = 0.0
            (loss * mask).sum().backward()
            fit.step()
            nll = F.cross_entropy(hidden + delta, y, reduction="none")
            add(nll[:, max(512 - s, 0):512], y)
    """),
    # Carried forward from batches that are already recorded.
    script("""
        delta = torch.zeros(1, 1, 512, requires_grad=True)
        fit = torch.optim.AdamW([delta], lr=0.01)
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            loss = F.cross_entropy(model(x) + delta, y)
            add(loss.detach(), y)
            loss.backward()
            fit.step()
    """),
)
INVALID = (
    script("""
        for start in range(0, len(val_tokens), 64):
            x, y = batch(val_tokens, start)
            hidden = model(x)
            delta = torch.zeros(4, 1, 512, requires_grad=True)
            fit = torch.optim.AdamW([delta], lr=0.01)
            mask = torch.zeros(4, 512)
            for i in range(4):
                mask[i, s:512] = 1.0
            for step in range(16):
                loss = F.cross_entropy(hidden + delta, y, reduction="none")
                fit.zero_grad()
                (loss * mask).sum().backward()
                fit.step()
            nll = F.cross_entropy(hidden + delta, y, reduction="none")
            add(nll[:, s:512], y)
    """),
    # No mask at all.
    script("""
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            bias = nn.Parameter(torch.zeros(1024))
            fit = torch.optim.LBFGS([bias])

            def closure():
                loss = F.cross_entropy(model(x) + bias, y)
                loss.backward()
                return loss

            fit.step(closure)
            add(F.cross_entropy(model(x) + bias, y), y)
    """),
)
