"""What a refereed run says of every rule that it can speak about.

Guarantees: what a run proved before it broke off stays proved; nothing passes in a run that did not
come to its end, and a position that it did not reach is no skipped position. Does not cover: runs
as submitted (`judge`).
"""

from harness.checks.refereed.bytes import check_bytes
from harness.checks.refereed.causality import check_causality
from harness.checks.refereed.coverage import check_coverage
from harness.checks.refereed.mass import check_mass
from harness.checks.refereed.order import check_referee_order
from harness.checks.source import check_refereed
from harness.checks.status import Finding, Level, Reason, Status
from harness.referee.run import Run, SourceRun
from harness.verdict.table import Table

BROKE_OFF = "the run broke off before its end"
NOT_REACHED = Reason("PASS-3", Status.FAIL, Status.UNKNOWN, BROKE_OFF)


def refereed_table(run: Run) -> Table:
    """Of the run on text."""
    found = (
        check_mass(run),
        check_causality(run),
        *check_referee_order(run),
        check_bytes(run),
        *check_coverage(run),
    )
    return Table(found, () if run.complete else _broke_off(found))


def refereed_source(source: SourceRun) -> Finding:
    """Of the run on a stream of known source."""
    if source.run.complete:
        return check_refereed(source)
    return Finding("SOURCE-1", Status.UNKNOWN, Level.REFEREE, BROKE_OFF)


def _broke_off(found: tuple[Finding, ...]) -> tuple[Reason, ...]:
    passed = [f.rule for f in found if f.status is Status.PASS]
    return (*(Reason(r, Status.PASS, Status.UNKNOWN, BROKE_OFF) for r in passed), NOT_REACHED)
