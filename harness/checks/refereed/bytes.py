"""BYTES-1 of a refereed run: the denominator, counted by the harness by the canonical rule."""

from harness.checks.status import Finding, Level, Status
from harness.referee.run import Run


def check_bytes(run: Run) -> Finding:
    """The submission prints no number that could disagree."""
    text = f"{run.n_bytes:,} UTF-8 bytes, counted by the harness"
    return Finding("BYTES-1", Status.PASS, Level.REFEREE, text)
