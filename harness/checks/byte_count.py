"""BYTES-1 of a refereed run: the denominator, counted by the harness by the canonical rule."""

from harness.checks.status import Level, RuleStatus, Status
from harness.referee.run import Run


def check_bytes(run: Run) -> RuleStatus:
    """The submission prints no number that could disagree."""
    text = f"{run.n_bytes:,} UTF-8 bytes, counted by the harness"
    return RuleStatus("BYTES-1", Status.PASS, Level.REFEREE, text)
