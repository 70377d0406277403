"""A pass needs a control that would have shown on this very script."""

import math

import numpy as np
from simulated_coders import BOS, ORDINARY, Scores, score, stream

from harness.checks.e_values import THRESHOLD_NATS
from harness.checks.power import (
    Power,
    adaptation_power,
    carries_nothing,
    require_power,
    table_power,
    without_effect,
    without_updates,
)
from harness.checks.status import Finding, Level, Status
from harness.streams.controls import adaptation_control
from harness.verdict.table import Table, verdict


def test_power():
    """A coder that learns shows it on copies; one that does not is unknown; load decides tables."""
    control = adaptation_control(2000, 64, 2, ORDINARY, BOS, 3)
    learns = adaptation_power(score(control), control, THRESHOLD_NATS)
    flat = Scores(np.arange(1, 1799, dtype=np.int32), np.full(1798, math.log(64)), np.arange(1798))
    fixed = adaptation_power(flat, control, THRESHOLD_NATS)
    passed = Finding("ORDER-1", Status.PASS, Level.INSTRUMENTED, "fine")

    def with_power(power: Power | None) -> Status:
        return verdict(Table([passed], [require_power("ORDER-1", power)]))["ORDER-1"].status

    assert learns.shown and not fixed.shown
    assert with_power(learns) is Status.PASS
    assert with_power(fixed) is Status.UNKNOWN
    assert with_power(None) is Status.UNKNOWN
    law = stream(1, n=2048)
    shown = [table_power(law, buckets, THRESHOLD_NATS).shown for buckets in (1 << 22, 128)]
    assert shown == [False, True]
    for nothing in (without_updates(THRESHOLD_NATS), without_effect(THRESHOLD_NATS)):
        assert not nothing.applies and "not applicable" in nothing.text


def test_only_what_moved_nothing_by_any_bit_carries_nothing():
    """Of many scores, in every control; one that moved faintly is a script that learns."""
    still, faint = np.zeros(80), np.zeros(80)
    faint[40] = 1e-7
    assert carries_nothing([still, still])
    assert not carries_nothing([still, faint])
    assert not carries_nothing([still, still[:40]])
