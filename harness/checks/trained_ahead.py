"""ORDER-2 where training goes on for longer than in the base run: some loaders come to the
validation tokens only then.

A pattern that takes in the validation shards lists them behind the training shards, and three steps
read no shard to its end; forty do. What it saves on tokens seen once, late in such a training, is
less than a model so small wastes (on 4,096 uniform ids 490 nats of 820), so that no number tells.
But the weights are others under every future.

Guarantees: what the hooks saw in a longer run leaves ORDER-2 *unknown*; it names what futures of
other kinds proved. Does not cover: loaders that forty steps do not lead there.
"""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from harness.checks.order import OrderBreak, order_view
from harness.checks.places import used_then_scored
from harness.checks.status import Finding, Level, Status
from harness.trace.script_run import ScriptRun

RULE = "ORDER-2"


def trained_ahead(run: ScriptRun) -> OrderBreak | None:
    """Tokens that training steps used before the counting began."""
    if run.scored is None or run.uses is None:
        return None
    order = order_view(run.scored, run.uses, run.source.targets, run.earlier)
    return next((b for b in order.breaks if b.rule == RULE and not b.secondary), None)


def check_trained_ahead(runs: Iterable[ScriptRun]) -> Finding | None:
    """Of runs with more training; None where nothing was seen."""
    for run in runs:
        if (early := trained_ahead(run)) is not None:
            text = (
                f"with more training steps, {len(early.positions):,} tokens were {early.what}; the"
                f" first is at position {early.first}"
            )
            numbers = {
                "positions": len(early.positions),
                "first_position": early.first,
                "counted": 0 if run.scored is None else len(np.unique(run.scored.position)),
                "expected": len(run.source.targets),
            }
            steps = used_then_scored(run, early.positions)
            return Finding(RULE, Status.UNKNOWN, Level.INSTRUMENTED, text, (numbers,), steps=steps)
    return None


def named_by_training(
    proved: Finding | None,  # by futures of other kinds
    run: ScriptRun | None,  # what they are compared with
) -> Finding | None:
    """The same under ORDER-2, where the hooks saw that the later tokens were trained on."""
    early = None if run is None else trained_ahead(run)
    if proved is None or proved.status is not Status.FAIL or early is None or run is None:
        return proved
    text = (
        f"{len(early.positions):,} tokens were {early.what}: with more training steps,"
        f" {proved.message}"
    )
    steps = used_then_scored(run, early.positions)
    return replace(proved, rule=RULE, message=text, steps=steps)
