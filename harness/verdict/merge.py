"""Several statuses of one rule become one, whatever order they come in.

    proof     a failure from outside (black box, referee) stands, whatever else was seen
    settled   else a refereed pass silences what reading and hooks suspect: the submission never
              held the token, so the rule holds by construction
    fail      else a failure by reading or by hooks stands, unless a powered pass contradicts a
              failure by reading: then the rule is *unknown*, with both sides
    unknown   else anything undecided leaves the rule undecided. A warning by reading stays one
              beside a pass of a run: what a small run did not do may still be in the code
    pass      else

An unknown contradicts nothing and settles nothing. Of the statuses that agree with the result the
strongest level speaks first and lends its level; weaker ones are quoted behind it, with their
numbers.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from harness.checks.status import Level, RuleStatus, Status

BADNESS = {Status.NOT_APPLICABLE: 0, Status.PASS: 1, Status.UNKNOWN: 2, Status.FAIL: 3}
STRENGTH = {level: place for place, level in enumerate(Level)}  # declared weakest first
SAID_BY = {
    Level.READ: "reading",
    Level.INSTRUMENTED: "hooks",
    Level.BLACK_BOX: "black box",
    Level.REFEREE: "referee",
}


def merge(statuses: Iterable[RuleStatus]) -> dict[str, RuleStatus]:
    """One status per rule, sorted by rule."""
    by_rule: dict[str, list[RuleStatus]] = {}
    for status in statuses:
        known = by_rule.setdefault(status.rule, [])
        if status not in known:
            known.append(status)
    return {rule: _one(sorted(known, key=_place)) for rule, known in sorted(by_rule.items())}


def _place(status: RuleStatus) -> tuple[int, str, str]:
    """Strongest first; the rest only makes the order one."""
    return -STRENGTH[status.level], status.message, repr(status)


def _one(statuses: Sequence[RuleStatus]) -> RuleStatus:
    if any(s.proves for s in statuses):
        return _spoken(statuses, Status.FAIL)
    worst = _worst(statuses)
    by_referee = [s for s in statuses if s.level is Level.REFEREE]
    if by_referee and _worst(by_referee) is Status.PASS:
        return _spoken(by_referee, Status.PASS)
    by_reading = all(s.level is Level.READ for s in statuses if s.status is worst)
    passed = [s for s in statuses if s.contradicts_reading]
    if by_reading and passed and worst in (Status.FAIL, Status.UNKNOWN):
        return _both(_spoken(statuses, worst), _spoken(passed, Status.PASS))
    return _spoken(statuses, worst)


def _worst(statuses: Sequence[RuleStatus]) -> Status:
    return max((s.status for s in statuses), key=lambda status: BADNESS[status])


def _spoken(statuses: Sequence[RuleStatus], status: Status) -> RuleStatus:
    """By all that agree, the strongest first."""
    agreed = [s for s in statuses if s.status is status]
    speaker = agreed[0]
    texts = dict.fromkeys(_quoted(s, speaker.level) for s in agreed)
    findings = tuple(finding for s in agreed for finding in s.findings)
    return replace(speaker, message="; ".join(texts), findings=findings)


def _quoted(status: RuleStatus, level: Level) -> str:
    if status.level is level:
        return status.message
    return f"{SAID_BY[status.level]}: {status.message}"


def _both(read: RuleStatus, passed: RuleStatus) -> RuleStatus:
    """Undecided: what reading found, and the pass that speaks against it."""
    text = f"reading: {read.message}; running: {passed.message}"
    findings = (*read.findings, *passed.findings)
    return replace(read, status=Status.UNKNOWN, message=text, findings=findings)
