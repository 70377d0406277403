"""From a table of findings, and the reasons beside them, to one status a rule.

First each reason is applied, in its order, to the findings that it concerns, and quoted behind
their text. Then several findings of one rule become one status, whatever order they come in:

    proof     a failure from outside (black box, referee) stands, whatever else was seen
    settled   else a refereed pass silences what reading and hooks suspect: the submission never
              held the token, so the rule holds by construction
    fail      else a failure by reading or by hooks stands, unless a powered pass contradicts a
              failure by reading: then the rule is *unknown*, with both sides
    unknown   else anything undecided leaves the rule undecided. A warning by reading stays one
              beside a pass of a run: what a small run did not do may still be in the code
    pass      else

An unknown contradicts nothing and settles nothing. Of the findings that agree with the result the
strongest level speaks first and lends its level; weaker ones are quoted behind it, with their
numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from harness.checks.status import Evidence, Finding, Level, Reason, Status

BADNESS = {Status.NOT_APPLICABLE: 0, Status.PASS: 1, Status.UNKNOWN: 2, Status.FAIL: 3}
STRENGTH = {level: place for place, level in enumerate(Level)}  # declared weakest first
SAID_BY = {
    Level.READ: "reading",
    Level.INSTRUMENTED: "hooks",
    Level.BLACK_BOX: "black box",
    Level.REFEREE: "referee",
}


@dataclass(frozen=True)
class RuleStatus:
    """One rule, judged."""

    rule: str
    status: Status
    level: Level  # that it rests on
    message: str
    findings: Evidence = ()


@dataclass(frozen=True)
class Table:
    """Findings, and the reasons that may concern them in their order; they concern no others."""

    findings: Sequence[Finding]
    reasons: Sequence[Reason] = ()

    @property
    def weighed(self) -> list[Finding]:
        """What is left of each."""
        return [_weighed(finding, self.reasons) for finding in self.findings]


def verdict(*tables: Table) -> dict[str, RuleStatus]:
    """One status per rule, sorted by rule."""
    by_rule: dict[str, list[Finding]] = {}
    for finding in (finding for table in tables for finding in table.weighed):
        known = by_rule.setdefault(finding.rule, [])
        if finding not in known:
            known.append(finding)
    return {rule: _one(sorted(known, key=_place)) for rule, known in sorted(by_rule.items())}


def _weighed(finding: Finding, reasons: Sequence[Reason]) -> Finding:
    """What is left of a finding, with every reason that concerned it."""
    for reason in reasons:
        if reason.concerns(finding):
            finding = replace(
                finding,
                status=reason.to,
                message=f"{finding.message}; {reason.why}",
                evidence=(*finding.evidence, *reason.evidence),
            )
    return finding


def _place(finding: Finding) -> tuple[int, str, str]:
    """Strongest first; the rest only makes the order one."""
    return -STRENGTH[finding.level], finding.message, repr(finding)


def _one(found: Sequence[Finding]) -> RuleStatus:
    """`found`: of one rule, strongest first."""
    if any(f.proves for f in found):
        return _spoken(found, Status.FAIL)
    worst = _worst(found)
    by_referee = [f for f in found if f.level is Level.REFEREE]
    if by_referee and _worst(by_referee) is Status.PASS:
        return _spoken(by_referee, Status.PASS)
    by_reading = all(f.level is Level.READ for f in found if f.status is worst)
    passed = [f for f in found if f.contradicts_reading]
    if by_reading and passed and worst in (Status.FAIL, Status.UNKNOWN):
        return _both(_spoken(found, worst), _spoken(passed, Status.PASS))
    return _spoken(found, worst)


def _worst(found: Sequence[Finding]) -> Status:
    return max((f.status for f in found), key=lambda status: BADNESS[status])


def _spoken(found: Sequence[Finding], status: Status) -> RuleStatus:
    """By all that agree, the strongest first."""
    agreed = [f for f in found if f.status is status]
    level = agreed[0].level
    texts = dict.fromkeys(_quoted(f, level) for f in agreed)
    evidence = tuple(entry for f in agreed for entry in f.evidence)
    return RuleStatus(agreed[0].rule, status, level, "; ".join(texts), evidence)


def _quoted(finding: Finding, level: Level) -> str:
    if finding.level is level:
        return finding.message
    return f"{SAID_BY[finding.level]}: {finding.message}"


def _both(read: RuleStatus, passed: RuleStatus) -> RuleStatus:
    """Undecided: what reading found, and the pass that speaks against it."""
    text = f"reading: {read.message}; running: {passed.message}"
    findings = (*read.findings, *passed.findings)
    return replace(read, status=Status.UNKNOWN, message=text, findings=findings)
