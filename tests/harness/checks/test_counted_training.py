"""Training by a clock of the contest's own: what it has to count, and what looks alike."""

from dataclasses import replace

import numpy as np
import pytest
from test_replayed import capture, run

from harness.checks.counted_training import check_training
from harness.checks.status import Status
from harness.configure.run_spec import TrainingClock
from harness.protocol.schema import EventKind
from harness.trace.script_run import ScriptRun

CLOCK = TrainingClock(short_s=3, free_steps=11)
LONG_S = 40


def trained(gradients: int, steps: int) -> ScriptRun:
    """A run that took so many."""
    seen = capture([(EventKind.STEP, "")] * steps + [(EventKind.GRADIENTS, "")])
    tokens = np.array([0] * steps + [gradients])
    return replace(run([]), capture=replace(seen, tokens=tokens))


@pytest.mark.parametrize(
    ("short", "long", "status"),
    [
        ((14, 14), (48, 48), None),  # 11 free steps, then a second each, and looks
        ((14, 28), (48, 96), None),  # two optimisers step behind each gradient
        ((26, 13), (62, 31), None),  # two gradients a step, both timed
        ((48, 12), (84, 21), None),  # four are accumulated
        ((6_144, 12), (6_144, 12), None),  # 512 are: one step behind the free ones
        ((17, 14), (51, 48), None),  # three more, thrown away to warm a compiler up
        ((22, 22), (122, 122), Status.FAIL),  # a third of each second is counted
        ((28, 28), (102, 102), Status.FAIL),  # a step between the timed ones
        ((64, 64), (98, 98), Status.UNKNOWN),  # fifty steps in front of the clock
        ((50, 50), (100, 100), Status.UNKNOWN),  # it looks at its clock every fifty steps
        ((500, 500), (500, 500), Status.UNKNOWN),  # steps of its own, whatever the clock
    ],
)
def test_the_clock_has_to_count_what_is_trained(
    short: tuple[int, int], long: tuple[int, int], status: Status | None
) -> None:
    """By what more seconds let it take; what both runs took alike accuses nobody."""
    found = check_training(CLOCK, trained(*short), trained(*long), LONG_S)

    assert (found.status if found else None) == status
    assert check_training(None, trained(*short), trained(*long), LONG_S) is None
