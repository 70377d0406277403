"""ORDER-7: no weight changes between taking a batch and recording its scores.

Catches: inside one block that promises to keep no gradients, weights that learn from validation
tokens before what they change is scored: `inference_mode` with training hidden in it.
Does not cover: writes through hooks and `.data` (the harness compares fingerprints of the weights);
gradients that are kept while scoring, which may be thrown away.
"""

from __future__ import annotations

from collections.abc import Iterator

from audits.adaptation import ambiguous, licensed, reaches, steps_to
from audits.facts.events import Accumulation, Update
from audits.facts.trace import Trace
from audits.flow import same_tokens, scores
from audits.match import Match
from audits.rules.cases import script

RULE = "ORDER-7"


def check(trace: Trace) -> Iterator[Match]:
    for number, update in enumerate(trace.updates):
        if licensed(trace, update):
            continue
        for score in scores(trace):
            if not _in_one_block(update, score) or not reaches(number, score):
                continue
            same = same_tokens(trace, update.labels, score.labels)
            yield Match.at(
                update.backward,
                f"weights are trained at line {update.backward.line}, inside a block that promises "
                f"to keep no gradients, before what they change is scored at line "
                f"{score.site.line}",
                (update.moment, score.moment),
                *steps_to(trace, update, score),
                sure=same and not ambiguous(trace, update, score),
            )
            break


def _in_one_block(update: Update, score: Accumulation) -> bool:
    shared = set(update.moment.no_grad_blocks) & set(score.moment.no_grad_blocks)
    return bool(shared) and update.moment.position < score.moment.position


def _chunk(before: str, after: str) -> str:
    return script(f"""
        with torch.inference_mode():
            for start in range(0, len(val_tokens), 512):
                x, y = batch(val_tokens, start)
                {before}
                add(model(x, y), y)
                {after}
    """)


_TRAIN = "model(x.clone(), y.clone()).backward(), optimizer.step()"
VALID = (
    _chunk("pass", "pass"),
    # Switched on again, but after the score.
    _chunk("pass", _TRAIN),
)
INVALID = (_chunk(_TRAIN, "pass"),)
