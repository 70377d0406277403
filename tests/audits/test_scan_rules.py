"""Every rule's own cases: legal code fails under no rule, illegal code under its own."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

import pytest

from audits.catalogue import PROFILES, RULES
from audits.findings import Finding
from audits.judge import scan_path
from audits.rules import CHECKS

VALID = [(rule, case) for rule, check in CHECKS.items() for case in check.valid]
INVALID = [(rule, case) for rule, check in CHECKS.items() for case in check.invalid]
DOUBTFUL = [(rule, case) for rule, check in CHECKS.items() for case in check.doubtful]


@cache  # several laws are about what one scan finds
def findings(case: str, profile: str = "strict") -> tuple[Finding, ...]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "train_gpt.py")
        path.write_text(case, encoding="utf-8")
        return tuple(one for file in scan_path(path, profile).files for one in file.findings)


@pytest.mark.parametrize(("rule", "case"), VALID)
def test_legal_code_is_not_flagged(rule: str, case: str) -> None:
    """A legal look-alike gets no failure from any rule, in either profile."""
    for profile in PROFILES:
        assert [one for one in findings(case, profile) if one.status == "fail"] == []


@pytest.mark.parametrize(("rule", "case"), INVALID)
def test_illegal_code_fails_under_its_rule(rule: str, case: str) -> None:
    """The pattern fails, or warns where the rule can do no more, with line and excerpt."""
    severity = RULES[rule].severity["strict"] if CHECKS[rule].sure else "warn"
    failures = [one for one in findings(case) if one.status == severity]
    assert rule in {one.rule for one in failures}
    for one in failures:
        assert case.split("\n")[one.line - 1].strip() == one.excerpt != ""


@pytest.mark.parametrize(("rule", "case"), DOUBTFUL)
def test_what_cannot_be_decided_is_a_warning(rule: str, case: str) -> None:
    """It says what to look at, and fails under no rule."""
    found = findings(case)
    assert rule in {one.rule for one in found if one.status == "warn"}
    assert not any(one.status == "fail" for one in found)


@pytest.mark.parametrize(("rule", "case"), INVALID)
def test_every_finding_shows_how_it_came_about(rule: str, case: str) -> None:
    """What is said of a line comes with the steps of its flow, each with its code."""
    found = [one for one in findings(case) if one.rule == rule]
    assert found
    for one in found:
        assert one.flow
        assert all(case.split("\n")[step.line - 1].strip() == step.excerpt for step in one.flow)


@pytest.mark.parametrize(("rule", "case"), INVALID)
def test_renaming_changes_nothing(rule: str, case: str) -> None:
    """Findings follow the flow of data: other names, same rules and lines."""
    renamed = case
    for old, new in {
        "val_tokens": "stream_b",
        "optimizer": "mover",
        "model": "thing",
        "loss_sum": "total",
        "full_counts": "first",
        "context_counts": "second",
        "delta": "shift",
    }.items():
        renamed = renamed.replace(old, new)
    before = {(one.rule, one.line) for one in findings(case)}
    assert {(one.rule, one.line) for one in findings(renamed)} == before


def test_every_rule_has_cases_of_both_kinds() -> None:
    """No check without documentation: at least one legal and one illegal case each."""
    assert all(check.valid and check.invalid for check in CHECKS.values())
