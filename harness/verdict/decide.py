"""From rule statuses to one verdict, under a profile.

VIOLATION   a rule failed and the profile's severity for it is `fail`
CLEAN       no rule failed, none is undecided, the six required rules each *pass*, and all of it ran
            in whole isolation
REVIEW      anything else that ran
UNRUNNABLE  it could not be read or run; never printed as non-compliant
"""

from collections.abc import Mapping
from enum import StrEnum

from audits.catalogue import RULES
from harness.checks.status import Status
from harness.verdict.table import RuleStatus

# A CLEAN verdict needs each of these to pass: together they say that a score is what it claims.
REQUIRED_RULES = ("CAUSAL-1", "NORM-1", "ORDER-1", "ORDER-2", "PASS-1", "PASS-3")


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


def severity(rule: str, profile: str) -> str:
    """What a failure of the rule means under a profile: fail, warn or info."""
    return RULES[rule].severity[profile]


def decide(
    rules: Mapping[str, RuleStatus], profile: str, ran: bool, isolated: bool = True
) -> Verdict:
    """The verdict. `ran`: every phase came to its end; `isolated`: nothing started that was not
    isolated as a whole.
    """
    failed = [r for r, s in rules.items() if s.status is Status.FAIL]
    if any(severity(r, profile) == "fail" for r in failed):
        return Verdict.VIOLATION
    if not ran:
        return Verdict.UNRUNNABLE
    undecided = any(s.status is Status.UNKNOWN for s in rules.values())
    lawful = all(r in rules and rules[r].status is Status.PASS for r in REQUIRED_RULES)
    warned = any(severity(r, profile) == "warn" for r in failed)
    clean = isolated and lawful and not undecided and not warned
    return Verdict.CLEAN if clean else Verdict.REVIEW
