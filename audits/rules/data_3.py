"""DATA-3: what a quantiser is calibrated on, and when.

Catches: forward passes over training batches, with hooks that collect statistics, after a training
loop that uses the whole 600 seconds. The same over validation tokens is CAUSAL-5.
Does not cover: calibration in layers that keep statistics by themselves.
"""

from __future__ import annotations

from collections.abc import Iterator

from audits.facts.trace import Trace
from audits.match import Match, settled
from audits.phases import (
    TRAINING,
    another_budget,
    calibrations,
    deadline_before,
    scored_after,
)
from audits.rules.cases import script

RULE = "DATA-3"


def check(trace: Trace) -> Iterator[Match]:
    for one in calibrations(trace, TRAINING):
        limit, score = deadline_before(trace, one), scored_after(trace, one.moment.position)
        if limit is None or score is None:
            continue
        yield Match.at(
            one.site,
            f"training batches pass through the model here, for the quantiser's statistics, after "
            f"the loop that the clock ends at line {limit.site.line} after {limit.seconds:.0f} s: "
            f"nothing of the training time was kept for it; scored at line {score.site.line}",
            (one.moment, score.moment),
            ("training ended here", limit.site),
            ("calibrated here", one.site),
            ("scored here", score.site),
            sure=not another_budget(limit) and settled(one.moment, limit.moment),
        )


TRAINED = """
limit_ms = 1000.0 * float(os.environ.get("MAX_WALLCLOCK_SECONDS", {budget}))
began = time.perf_counter()
for step in range(20000):
    x, y = batch(train_tokens, step)
    model(x, y).backward()
    optimizer.step()
    if 1000.0 * (time.perf_counter() - began) >= limit_ms{reserve}:
        break
"""
COLLECTED = """
moments, handles = {{}}, []


def hook(module, given, made):
    moments[module] = given[0].T @ given[0]


for layer in model.modules():
    handles.append(layer.register_forward_hook(hook))
with torch.no_grad():
    for number in range(16):
        model(*batch({stream}, number))
for handle in handles:
    handle.remove()
"""
SCORED = """
for start in range(0, len(val_tokens), 512):
    x, y = batch(val_tokens, start)
    add(model(x, y), y)
"""


def calibrated(stream: str, reserve: str = "", budget: float = 600.0) -> str:
    """A script that trains until the clock says so, collects statistics and scores."""
    trained = TRAINED.format(reserve=reserve, budget=budget)
    return "import time\n" + script(trained + COLLECTED.format(stream=stream) + SCORED)


VALID = (
    # Fourteen seconds of the training time are kept for it.
    calibrated("train_tokens", " - 14000.0"),
    # Outside the record track: twelve seconds are kept of twenty minutes.
    calibrated("train_tokens", " - 12000.0", 1200.0),
    # Text that the model writes itself, or noise.
    calibrated("torch.randint(0, 1024, (8192,))"),
)
INVALID = (calibrated("train_tokens"),)
