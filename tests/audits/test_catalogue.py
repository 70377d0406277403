"""The catalogue: complete, well formed, and in step with the checks."""

from __future__ import annotations

import pytest

from audits.catalogue import PROFILES, RULES, SEVERITIES, STATUSES, Rule
from audits.rules import CHECKS

FAMILIES = {
    "CAUSAL": 8,
    "NORM": 6,
    "ORDER": 7,
    "PASS": 4,
    "DATA": 9,
    "BYTES": 7,
    "BUDGET": 6,
    "STATS": 5,
    "PACKAGE": 8,
    "MISC": 5,
    "SOURCE": 1,
}


def test_every_rule_is_there() -> None:
    """No gaps in any family, and nothing beside the families."""
    expected = {f"{family}-{n}" for family, count in FAMILIES.items() for n in range(1, count + 1)}
    assert set(RULES) == expected


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.id)
def test_a_rule_is_well_formed(rule: Rule) -> None:
    """Title, statement and source are there; severities cover both profiles."""
    assert rule.title
    assert rule.statement.endswith(".")
    assert rule.sources
    assert rule.status in STATUSES
    assert set(rule.severity) == set(PROFILES)
    assert set(rule.severity.values()) <= set(SEVERITIES)


def test_the_leaderboard_never_fails_a_disputed_rule() -> None:
    """What was argued and never ruled is at most a warning there."""
    disputed = [rule for rule in RULES.values() if rule.status == "DISPUTED"]
    assert disputed
    assert all(rule.severity["leaderboard"] != "fail" for rule in disputed)


def test_the_leaderboard_is_never_stricter() -> None:
    """Strict is the four conditions as written; practice only relaxes."""
    order = {name: number for number, name in enumerate(SEVERITIES)}
    for rule in RULES.values():
        assert order[rule.severity["leaderboard"]] >= order[rule.severity["strict"]], rule.id


def test_checks_and_catalogue_agree() -> None:
    """`check` is true exactly where a static check exists."""
    assert {rule.id for rule in RULES.values() if rule.check} == set(CHECKS)
    assert all(RULES[name].clears.endswith(".") for name in CHECKS)


def test_the_catalogue_cannot_be_changed() -> None:
    """Rules are shared by scanner and harness; nobody edits them at run time."""
    with pytest.raises(TypeError):
        RULES["ORDER-1"] = RULES["ORDER-2"]  # type: ignore[index]
