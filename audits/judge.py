"""From a target to a report: read the entry twice, run the checks, judge the matches under a
profile.

Guarantees: only code that the run's configuration reaches can fail, and only with high confidence;
the same pattern behind a switch that is off is information, with the switch named; results are
sorted, and depend on the files alone.
Does not cover: files that the entry neither imports nor starts; they are listed as skipped.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

from audits import facts
from audits.catalogue import RULES
from audits.facts.events import FlagDefault, LossyText
from audits.facts.texts import flags, preparation
from audits.facts.texts.native import Natives
from audits.findings import Confidence, FileReport, Finding, ScanReport
from audits.flow import scores
from audits.folder import Files, Target, target_of
from audits.match import Match
from audits.rules import CHECKS
from audits.source import Outcome, Source

EXCERPT_LENGTH = 160
UNRECOGNISED = "no score was recognised"
PREPARATION_FLAG = b"--val"  # only files that have such a flag are read for their defaults
_SURENESS = {Confidence.HIGH: 0, Confidence.MEDIUM: 1, Confidence.LOW: 2}


def scan_path(
    path: Path,
    profile: str = "strict",
    entry: str | None = None,
    rules: Collection[str] = tuple(CHECKS),
) -> ScanReport:
    """Scans one script or folder. Raises UsageError and NothingToScan."""
    target = target_of(path, entry)
    reading = _Reading(target)
    reading.read_flags()
    for explore in (False, True):
        reading.read(rules, explore=explore)
    names = sorted(target.files, key=lambda name: (name != target.entry, name))
    return ScanReport(profile, tuple(_file_report(name, reading, profile) for name in names))


class _Reading(Files):
    """Two passes over one target: as the run was configured, and with every switch both ways."""

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self.matches: dict[tuple[str, str, int], Match] = {}  # one per rule, file and line
        self.natives = Natives(target.natives)
        self.flags: list[FlagDefault] = []
        self.lossy_texts: list[LossyText] = []
        self.cut_short = False
        self.scored = False

    def read_flags(self) -> None:
        """Preparation scripts are part of what a folder says, though the entry never runs them."""
        for name in self.target.files:
            path = self.target.root / name
            content = path.read_bytes()
            prepares = preparation.worth_reading(content)
            if PREPARATION_FLAG not in content and not prepares:
                continue
            if (tree := self.tree_of(name)) is not None:
                self.flags += flags.defaults(tree, name)
                self.lossy_texts += preparation.lossy(tree, name) if prepares else ()

    def read(self, rules: Collection[str], *, explore: bool) -> None:
        trace = facts.read(
            self.tree_of,
            self.target.entry,
            self.target.config,
            explore=explore,
            natives=self.natives,
            factory=self.target.factory,
        )
        trace.flags += self.flags
        trace.lossy_texts += self.lossy_texts
        self.cut_short |= trace.cut_short
        self.scored |= any(scores(trace))
        for rule in sorted(rules):
            surest = sorted(CHECKS[rule].run(trace), key=lambda match: _SURENESS[match.confidence])
            for match in surest:
                kept = _switched_off(match) if explore else match
                self.matches.setdefault((rule, match.file, match.line), kept)


def _switched_off(match: Match) -> Match:
    """A match that only trying the switches brings up: not what the run did."""
    switches = (
        ", ".join(dict.fromkeys(match.inactive)) or "a switch that this configuration leaves off"
    )
    message = f"{match.message}; not reached in this configuration: {switches}"
    return replace(match, message=message, confidence=Confidence.LOW)


def _file_report(name: str, reading: _Reading, profile: str) -> FileReport:
    source = reading.sources.get(name)
    if source is None:
        return FileReport(name, Outcome.SKIPPED, (), "neither imported nor started by the entry")
    findings = [
        _judge(rule, match, reading.sources, profile)
        for (rule, file, _), match in reading.matches.items()
        if file == name
    ]
    findings.sort(key=lambda finding: (finding.line, finding.rule))
    outcome, notes = source.outcome, [source.note] if source.note else []
    if name == reading.target.entry and source.tree is not None:
        if reading.cut_short:
            outcome = Outcome.PARTLY
            notes.append("the reading was cut short: too many steps")
        if not reading.scored:
            notes.append(f"{UNRECOGNISED}, so no rule could be judged")
    return FileReport(name, outcome, tuple(findings), "; ".join(notes))


def _judge(rule: str, match: Match, sources: Mapping[str, Source], profile: str) -> Finding:
    severity = RULES[rule].severity[profile]
    status = {
        Confidence.HIGH: severity,
        Confidence.MEDIUM: "info" if severity == "info" else "warn",
        Confidence.LOW: "info",
    }[match.confidence]
    return Finding(
        rule=rule,
        status=status,
        severity=severity,
        confidence=str(match.confidence),
        line=match.line,
        function=match.function,
        message=match.message,
        excerpt=_excerpt(sources, match.file, match.line),
        wrapper_line=sources[match.file].wrapper_line,
        flow=tuple(
            replace(step, excerpt=_excerpt(sources, step.file, step.line)) for step in match.flow
        ),
    )


def _excerpt(sources: Mapping[str, Source], file: str, line: int) -> str:
    lines = sources[file].text.split("\n") if file in sources else []
    return lines[line - 1].strip()[:EXCERPT_LENGTH] if 0 < line <= len(lines) else ""
