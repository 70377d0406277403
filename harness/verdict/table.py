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

from harness.checks.status import Evidence, Finding, Level, Reason, Status, Step

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
    said: tuple[Finding, ...] = ()  # the findings that agree with the status, strongest first
    against: tuple[Finding, ...] = ()  # passes that a failure by reading stands against

    @property
    def message(self) -> str:
        """All that was said, the weaker levels named."""
        said = "; ".join(dict.fromkeys(_quoted(f, self.level) for f in self.said))
        if not self.against:
            return said
        level = self.against[0].level
        against = "; ".join(dict.fromkeys(_quoted(f, level) for f in self.against))
        return f"reading: {said}; running: {against}"

    @property
    def findings(self) -> Evidence:
        """The numbers and places behind it."""
        return tuple(entry for f in (*self.said, *self.against) for entry in f.evidence)

    @property
    def steps(self) -> tuple[Step, ...]:
        """Lines of the submission: of the reading where it has any, which follows the flow."""
        placed = [f for f in self.said if f.steps]
        return min(placed, key=lambda f: STRENGTH[f.level]).steps if placed else ()


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
            finding = _with_reason(finding, reason)
    return finding


def _with_reason(finding: Finding, reason: Reason) -> Finding:
    """What changes the status belongs to the sentence; a note does not."""
    evidence = (*finding.evidence, *reason.evidence)
    if reason.to is finding.status:
        detail = "; ".join(filter(None, (finding.detail, reason.why)))
        return replace(finding, detail=detail, evidence=evidence)
    message = f"{finding.message}; {reason.why}"
    return replace(finding, status=reason.to, message=message, evidence=evidence)


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
        # Undecided: what reading found, and the pass that speaks against it.
        read = _spoken(found, worst)
        return replace(read, status=Status.UNKNOWN, against=_spoken(passed, Status.PASS).said)
    return _spoken(found, worst)


def _worst(found: Sequence[Finding]) -> Status:
    return max((f.status for f in found), key=lambda status: BADNESS[status])


def _spoken(found: Sequence[Finding], status: Status) -> RuleStatus:
    """By all that agree, the strongest first."""
    agreed = tuple(f for f in found if f.status is status)
    return RuleStatus(agreed[0].rule, status, agreed[0].level, agreed)


def _quoted(finding: Finding, level: Level) -> str:
    if finding.level is level:
        return finding.text
    return f"{SAID_BY[finding.level]}: {finding.text}"
