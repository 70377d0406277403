"""From rule statuses to one verdict, under a profile.

VIOLATION   a rule failed and the profile's severity for it is `fail`
CLEAN       no rule failed, none is undecided, and the six rules of the law each *pass*
REVIEW      anything else that ran
UNRUNNABLE  it could not be read or run; never printed as non-compliant

Where two sources judge one rule, the stronger level decides, and at one level the worse status; a
refereed pass thus outranks a failure by reading, an instrumented pass does not (its power was not
measured).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum

from audits.catalogue import RULES
from harness.checks.status import Level, RuleStatus, Status

# A CLEAN verdict needs each of these to pass (design section 5).
THE_LAW = ("CAUSAL-1", "NORM-1", "ORDER-1", "ORDER-2", "PASS-1", "PASS-3")

BADNESS = {Status.NOT_APPLICABLE: 0, Status.PASS: 1, Status.UNKNOWN: 2, Status.FAIL: 3}


class Verdict(StrEnum):
    """The four ends."""

    CLEAN = "CLEAN"
    VIOLATION = "VIOLATION"
    REVIEW = "REVIEW"
    UNRUNNABLE = "UNRUNNABLE"


EXIT_CODES: Mapping[Verdict, int] = {
    Verdict.CLEAN: 0,
    Verdict.VIOLATION: 1,
    Verdict.REVIEW: 3,
    Verdict.UNRUNNABLE: 4,
}


def merge(statuses: Iterable[RuleStatus]) -> dict[str, RuleStatus]:
    """One status per rule, sorted by rule."""
    merged: dict[str, RuleStatus] = {}
    for status in statuses:
        known = merged.get(status.rule)
        if known is None or _outranks(status, known):
            merged[status.rule] = status
    return dict(sorted(merged.items()))


def against_reading(read: Sequence[RuleStatus], tested: Sequence[RuleStatus]) -> list[RuleStatus]:
    """A failure by reading that a powered test contradicts becomes *unknown*, with both sides.

    Everything else stays beside the tests' statuses; `merge` lets the stronger one speak.
    """
    passed = {s.rule: s for s in tested if s.status is Status.PASS}
    kept = []
    contradicted = set()
    for status in read:
        test = passed.get(status.rule)
        if status.status is Status.FAIL and test is not None:
            contradicted.add(status.rule)
            both = f"reading: {status.message}; running: {test.message}"
            kept.append(replace(status, status=Status.UNKNOWN, message=both))
        else:
            kept.append(status)
    return kept + [s for s in tested if s.rule not in contradicted]


def severity(rule: str, profile: str) -> str:
    """What a failure of the rule means under a profile: fail, warn or info."""
    return RULES[rule].severity[profile]


def decide(rules: Mapping[str, RuleStatus], profile: str, ran: bool) -> Verdict:
    """The verdict. `ran`: every phase came to its end."""
    failed = [r for r, s in rules.items() if s.status is Status.FAIL]
    if any(severity(r, profile) == "fail" for r in failed):
        return Verdict.VIOLATION
    if not ran:
        return Verdict.UNRUNNABLE
    undecided = any(s.status is Status.UNKNOWN for s in rules.values())
    lawful = all(r in rules and rules[r].status is Status.PASS for r in THE_LAW)
    warned = any(severity(r, profile) == "warn" for r in failed)
    return Verdict.CLEAN if lawful and not undecided and not warned else Verdict.REVIEW


def _outranks(new: RuleStatus, old: RuleStatus) -> bool:
    pair = {new.level, old.level}
    if Level.REFEREE in pair and len(pair) == 2:
        return new.level is Level.REFEREE
    return BADNESS[new.status] > BADNESS[old.status]
