"""BYTES-1: the denominator. Counted by the harness from the stream itself, by the canonical rule.

A program also prints bits per byte; what denominator that implies is compared with ours. A larger
one would lower the claim without lowering the loss.
"""

import math

from harness.checks.status import Level, RuleStatus, Status
from harness.referee.run import Run

AGREEMENT = (
    1e-3  # relative; printed numbers are rounded, and 0.1 % moves a score by less than a seed does
)


def check_bytes(run: Run) -> RuleStatus:
    """The status of BYTES-1."""
    ours = run.stream.n_bytes
    if run.claim is None:
        text = f"{ours:,} UTF-8 bytes, counted by the harness"
        return RuleStatus("BYTES-1", Status.PASS, Level.REFEREE, text)
    implied = run.nats / math.log(2) / run.claim.bits_per_byte if run.claim.bits_per_byte else 0.0
    numbers = {"implied_bytes": implied, "counted_bytes": ours}
    if abs(implied - ours) <= AGREEMENT * ours:
        text = f"the printed numbers imply the {ours:,} bytes that the harness counted"
        return RuleStatus("BYTES-1", Status.PASS, Level.BLACK_BOX, text, findings=(numbers,))
    text = f"the printed numbers imply {implied:,.0f} bytes; the harness counts {ours:,}"
    if implied < ours:
        text += " (a smaller denominator only hurts its author)"
    status = Status.FAIL if implied > ours else Status.PASS
    return RuleStatus("BYTES-1", status, Level.BLACK_BOX, text, findings=(numbers,))
