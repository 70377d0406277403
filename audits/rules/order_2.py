"""ORDER-2: no adaptation on validation tokens before the evaluation that reports the number.

Catches: an optimiser step on a validation loss, with nothing scored before it in its loops, whose
weights reach a later score, also through quantisation, a file and another model.
Does not cover: weights changed without an optimiser.
"""

from __future__ import annotations

from collections.abc import Iterator

from audits.adaptation import (
    ambiguous,
    in_its_loop,
    is_headline,
    licensed,
    lines_read,
    reaches,
    steps_to,
)
from audits.facts.trace import Trace
from audits.flow import scores, share_loop
from audits.match import Match
from audits.rules.cases import script

RULE = "ORDER-2"


def check(trace: Trace) -> Iterator[Match]:
    for number, update in enumerate(trace.updates):
        if licensed(trace, update):
            continue
        for score in scores(trace):
            later = not share_loop(score.moment, update.moment)
            if later and reaches(number, score):
                sure = is_headline(trace, number) and not in_its_loop(trace, update)
                sure = sure and not ambiguous(trace, update, score)
                yield Match.at(
                    update.backward,
                    f"validation tokens read at line {lines_read(trace, update)} are trained on "
                    f"at line {update.backward.line} (step at line {update.site.line}) and scored "
                    f"with the adapted weights only afterwards, at line {score.site.line}",
                    (update.moment, score.moment),
                    *steps_to(trace, update, score),
                    sure=sure,
                )
                break


VALID = (
    # Score first: each chunk is recorded before the model trains on it.
    script("""
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            with torch.inference_mode():
                add(model(x, y), y)
            model(x, y).backward()
            optimizer.step()
    """),
    # The same optimiser, fed with training shards.
    script("""
        for step in range(10):
            x, y = batch(train_tokens, step)
            model(x, y).backward()
            optimizer.step()
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            add(model(x, y), y)
    """),
    # A warm-up on validation tokens that is undone before anything is scored.
    script("""
        saved = copy.deepcopy(model.state_dict())
        x, y = batch(val_tokens, 0)
        model(x, y).backward()
        optimizer.step()
        model.load_state_dict(saved)
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            add(model(x, y), y)
    """),
    # A probe fitted beside the model, which scores nothing.
    script("""
        x, y = batch(val_tokens, 0)
        probe = nn.Linear(64, model.vocab_size)
        fit = torch.optim.Adam(probe.parameters())
        F.cross_entropy(probe(model.encode(x)), y).backward()
        fit.step()
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            add(model(x, y), y)
    """),
    # Score first, written with the training at the top of the loop, and an evaluation afterwards.
    script("""
        for start in range(512, len(val_tokens), 512):
            x, y = batch(val_tokens, start - 512)
            if start > 512:
                model(x, y).backward()
                optimizer.step()
            x, y = batch(val_tokens, start)
            add(model(x, y), y)
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            add(model(x, y), y)
    """),
)
INVALID = (
    script("""
        for epoch in range(3):
            for start in range(0, len(val_tokens), 512):
                x, y = batch(val_tokens, start)
                model(x, y).backward()
                optimizer.step()
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            add(model(x, y), y)
    """),
    # Through a file and into another model: adaptation baked into the artifact.
    script("""
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            model(x, y).backward()
            optimizer.step()
        torch.save({k: v.half() for k, v in model.state_dict().items()}, "model.pt")
        fresh = Net()
        fresh.load_state_dict(torch.load("model.pt"))
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            add(fresh(x, y), y)
    """),
)
