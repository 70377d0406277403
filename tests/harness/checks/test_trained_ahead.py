"""Tokens that a longer training comes to: what the hooks see there is open, and names a proof."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from simulated_coders import Scores

from harness.checks.status import Finding, Level, Status
from harness.checks.trained_ahead import check_trained_ahead, named_by_training
from harness.trace.uses import NEVER, Uses

T = 128
TARGETS = np.arange(1, T)
PROVED = Finding("CAUSAL-5", Status.FAIL, Level.BLACK_BOX, "127 scores moved")
OPEN = Finding("CAUSAL-5", Status.UNKNOWN, Level.BLACK_BOX, "127 scores moved")


def longer(used: int) -> Any:
    """One pass from event 1,000 on; every token is first used at `used`."""
    scored = Scores(TARGETS.astype(np.int32), np.full(T - 1, 3.0), 1_000 + TARGETS // 16)
    first = np.full(T, NEVER)
    first[1:] = used
    return SimpleNamespace(
        scored=scored,
        uses=Uses(first),
        source=SimpleNamespace(targets=TARGETS),
        earlier=(),
        capture=SimpleNamespace(site=np.full(2_000, "train.py:7", object)),
    )


def test_what_is_trained_on_later_than_in_the_base_run_is_open():
    """It names no violation by itself; tokens learned from behind their scores are no finding."""
    assert check_trained_ahead([longer(NEVER), longer(1_500)]) is None
    found = check_trained_ahead([longer(500)])
    assert found is not None
    assert (found.rule, found.status) == ("ORDER-2", Status.UNKNOWN)
    assert [step.place for step in found.steps] == ["train.py:7", "train.py:7"]


@pytest.mark.parametrize(
    ("found", "used", "rule"),
    [(PROVED, 500, "ORDER-2"), (PROVED, NEVER, "CAUSAL-5"), (OPEN, 500, "CAUSAL-5")],
)
def test_training_names_what_other_futures_proved(found, used, rule):
    """And never what they left open."""
    named = named_by_training(found, longer(used))
    assert named is not None
    assert (named.rule, named.status) == (rule, found.status)
    assert named_by_training(None, longer(used)) is None
