"""A scan report as text for people, or as JSON for programs.

Guarantees: output is a pure function of the report; the JSON follows `schemas/scan.schema.json`,
whose keys may grow in number but are never renamed.
Does not cover: SARIF and pull-request comments; the harness writes those.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import Final

from audits.catalogue import RULES, Rule
from audits.findings import FileReport, Finding, ScanReport
from audits.rules import CHECKS
from audits.source import Outcome

SCHEMA_VERSION: Final = 1
_INDENT: Final = " " * 7


def as_json(reports: Iterable[ScanReport], profile: str) -> str:
    files = [asdict(file) for report in reports for file in report.files]
    return json.dumps(
        {"schema_version": SCHEMA_VERSION, "profile": profile, "files": files}, indent=2
    )


def as_text(reports: Iterable[ScanReport], profile: str) -> str:
    reports = list(reports)
    lines = [line for report in reports for line in _report(report)]
    counts = {
        status: sum(
            finding.status == status
            for report in reports
            for file in report.files
            for finding in file.findings
        )
        for status in ("fail", "warn", "info")
    }
    total = ", ".join(f"{count} {status}" for status, count in counts.items())
    lines.append(f"profile {profile}: {total}")
    if not counts["fail"]:
        lines.append(
            "No known violation found. Reading code never shows that a submission is honest."
        )
    return "\n".join(lines)


def _report(report: ScanReport) -> list[str]:
    read = [file for file in report.files if file.outcome != Outcome.SKIPPED]
    lines = [line for file in read for line in _file(file)]
    if others := len(report.files) - len(read):
        lines.append(f"{others} other Python files: neither imported nor started by the entry")
    return lines


def _file(file: FileReport) -> list[str]:
    note = f" ({file.note})" if file.note else ""
    lines = [f"{file.path}: {file.outcome}{note}"]
    for finding in file.findings:
        lines += _finding(file, finding)
    return lines


def _finding(file: FileReport, finding: Finding) -> list[str]:
    where = f"{file.path}:{finding.line}"
    if finding.wrapper_line is not None:
        where += f" (unpacked from line {finding.wrapper_line})"
    return [
        f"  {finding.status.upper():4} {finding.rule} {RULES[finding.rule].title}",
        f"{_INDENT}{where} in {finding.function}",
        f"{_INDENT}{finding.message}",
        f"{_INDENT}> {finding.excerpt}",
    ]


def rule_list(profile: str) -> str:
    """Every rule, with what a violation is and whether reading code can find it."""
    lines = [
        f"{rule.id:11} {rule.severity[profile]:4} {rule.status:9} "
        f"{'static' if rule.check else '-':6} {rule.title}"
        for rule in RULES.values()
    ]
    return "\n".join(lines)


def explanation(rule: Rule) -> str:
    """What the rule says, where it comes from, what looks like it, and its cases."""
    severities = ", ".join(f"{profile}: {level}" for profile, level in rule.severity.items())
    parts = [
        f"{rule.id} {rule.title}",
        f"\n{rule.statement}",
        f"\nStatus: {rule.status} ({severities})",
        "Sources: " + "; ".join(rule.sources),
    ]
    if rule.look_alikes:
        parts.append("Legal look-alikes:\n" + "\n".join(f"  - {one}" for one in rule.look_alikes))
    check = CHECKS.get(rule.id)
    if check is None:
        parts.append("No static check: reading code cannot decide this rule.")
        return "\n".join(parts)
    for title, cases in (("VALID", check.valid), ("INVALID", check.invalid)):
        parts += [f"\n{title} {number}\n{case}" for number, case in enumerate(cases, 1)]
    return "\n".join(parts)
