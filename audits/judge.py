"""From a target to a report: read the entry twice, run the checks, judge the matches under a
profile.

Guarantees: only code that the run's configuration reaches can fail, and only with high confidence;
the same pattern behind a switch that is off is information, with the switch named; results are
sorted, and depend on the files alone.
Does not cover: files that the entry neither imports nor starts; they are listed as skipped.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

from audits import facts
from audits.catalogue import RULES
from audits.findings import Confidence, FileReport, Finding, Match, ScanReport
from audits.folder import Target, target_of
from audits.rules import CHECKS
from audits.source import Outcome, Source, read_source

EXCERPT_LENGTH = 160


def scan_path(
    path: Path,
    profile: str = "strict",
    entry: str | None = None,
    rules: Collection[str] = tuple(CHECKS),
) -> ScanReport:
    """Scans one script or folder. Raises UsageError and NothingToScan."""
    target = target_of(path, entry)
    sources = {name: read_source(target.root / name) for name in target.files}
    reading = _Reading(target, sources, rules)
    names = sorted(sources, key=lambda name: (name != target.entry, name))
    return ScanReport(profile, tuple(_file_report(name, reading, profile) for name in names))


class _Reading:
    """Two passes over one target: as the run was configured, and with every switch both ways."""

    def __init__(
        self, target: Target, sources: Mapping[str, Source], rules: Collection[str]
    ) -> None:
        self.sources = sources
        modules = {name: one.tree for name, one in sources.items() if one.tree is not None}
        self.matches: list[tuple[str, Match]] = []
        self.reached = {target.entry}
        self.notes: list[str] = []
        if target.entry in modules:
            for explore in (False, True):
                self._read(target, modules, rules, explore=explore)

    def _read(
        self,
        target: Target,
        modules: Mapping[str, ast.Module],
        rules: Collection[str],
        *,
        explore: bool,
    ) -> None:
        trace = facts.read(modules, target.entry, target.config, explore=explore)
        self.reached |= trace.files
        self.notes = trace.notes
        known = {(rule, match.file, match.line) for rule, match in self.matches}
        for name in sorted(rules):
            for match in CHECKS[name].run(trace):
                if (name, match.file, match.line) not in known:
                    self.matches.append((name, _switched_off(match) if explore else match))


def _switched_off(match: Match) -> Match:
    """A match that only trying the switches brings up: not what the run did."""
    switches = ", ".join(dict.fromkeys(match.off)) or "a switch that this configuration leaves off"
    message = f"{match.message}; not reached in this configuration: {switches}"
    return replace(match, message=message, confidence=Confidence.LOW)


def _file_report(name: str, reading: _Reading, profile: str) -> FileReport:
    source = reading.sources[name]
    mine = {
        _judge(rule, match, source, profile)
        for rule, match in reading.matches
        if match.file == name
    }
    findings = tuple(sorted(mine, key=lambda one: (one.line, one.rule, one.status, one.message)))
    outcome = source.outcome if name in reading.reached else Outcome.SKIPPED
    notes = [source.note] if source.note else []
    if reading.notes and name in reading.reached:
        outcome = Outcome.PARTLY
        notes += reading.notes
    return FileReport(name, str(outcome), findings, "; ".join(notes))


def _judge(rule: str, match: Match, source: Source, profile: str) -> Finding:
    severity = RULES[rule].severity[profile]
    status = {
        Confidence.HIGH: severity,
        Confidence.MEDIUM: "info" if severity == "info" else "warn",
        Confidence.LOW: "info",
    }[match.confidence]
    lines = source.text.split("\n")
    excerpt = lines[match.line - 1].strip() if 0 < match.line <= len(lines) else ""
    return Finding(
        rule=rule,
        status=status,
        severity=severity,
        confidence=str(match.confidence),
        line=match.line,
        function=match.function,
        message=match.message,
        excerpt=excerpt[:EXCERPT_LENGTH],
        wrapper_line=source.wrapper_line,
    )
