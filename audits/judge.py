"""From a target to a report: read the entry twice, run the checks, judge the matches under a
profile.

Guarantees: only code that the run's configuration reaches can fail, and only with high confidence;
the same pattern behind a switch that is off is information, with the switch named; results are
sorted, and depend on the files alone.
Does not cover: what files are for that the entry neither imports nor starts; the first of them are
read by their own defaults, and listed with what was found there, as information.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from audits.catalogue import RULES
from audits.contests import Contest, chosen_contest, frozen_files
from audits.facts.documented.configuration import Configuration
from audits.findings import STATUSES, Confidence, FileReport, Finding, Role, ScanReport
from audits.folder import Target, targets_of
from audits.match import Match
from audits.readings import Reading
from audits.rules import CHECKS
from audits.source import Outcome, Source

EXCERPT_LENGTH = 160
MOST_BESIDE = 8  # scripts that are read though the entry never reaches them
EVALUATOR = "PASS-4"  # the number is that of the evaluation that was declared
PAPERS = "PACKAGE-2"  # the folder, and that its papers can be read
NO_SCORE = "no score was recognised, so no rule could be judged"


def scan_path(
    path: Path,
    profile: str = "strict",
    entry: str | None = None,
    rules: Collection[str] = tuple(CHECKS),
    contest: str | None = None,  # by name or file; None: recognised
) -> ScanReport:
    """Scans one script or folder. Raises UsageError, NothingToScan and ContestError."""
    known = chosen_contest(path, contest)
    targets = targets_of(path, entry or known.entry)
    decided = len(targets.entries) == 1
    readings = [Reading(target, decided=decided) for target in targets.entries]
    readings += [Reading(target, decided=False) for target in targets.beside]
    for reading in readings:
        reading.read_flags()
        for explore in (False, True):
            reading.read(rules, explore=explore)
    target = readings[0].target
    entries = [reading.target.entry for reading in readings]
    names = sorted(set(target.files) - set(entries))
    code = [_file_report(name, readings, profile) for name in (*entries, *names)]
    papers = [_unreadable(name, why, profile) for name, why in sorted(target.papers.items())]
    papers += [_doubtful(name, why, profile) for name, why in sorted(target.doubts.items())]
    beside = [file.path for file in code if file.role is Role.BESIDE][:MOST_BESIDE]
    code = [_beside(file, target, rules, profile) if file.path in beside else file for file in code]
    code = [_under(known.contest, file) for file in code]
    others = _other_evaluators(known.contest, path, profile)
    return ScanReport(profile, (*code, *others, *papers), contest=known.said)


def _under(contest: Contest, file: FileReport) -> FileReport:
    """Rules that the contest does not have are information; where a function of its own gives the
    score, that is why none was recognised.
    """
    findings = tuple(_exempt(contest, one) for one in file.findings)
    scorer = contest.score.function.replace(":", ".")
    why = f"{NO_SCORE}: {scorer} gives it, which reading does not follow; evaluate it"
    note = file.note.replace(NO_SCORE, why) if scorer else file.note
    return replace(file, findings=findings, note=note)


def _exempt(contest: Contest, finding: Finding) -> Finding:
    reason = contest.exempt.get(finding.rule)
    if reason is None:
        return finding
    message = f"{finding.message}; {contest.title}: {reason}"
    return replace(finding, status="info", message=message)


def _other_evaluators(contest: Contest, folder: Path, profile: str) -> Iterator[FileReport]:
    """Frozen files that are not the contest's own: the number is another one."""
    for file in frozen_files(contest, folder):
        if not file.is_own:
            finding = _on_paper(file.said, profile, EVALUATOR, "warn")
            yield FileReport(file.path, Outcome.PARSED, (finding,), "", Role.PAPER, judged=False)


def _file_report(name: str, readings: Sequence[Reading], profile: str) -> FileReport:
    """What every reading that reached the file says of it."""
    reached = [reading for reading in readings if name in reading.sources]
    if not reached:
        note = "neither imported nor started by the entry"
        return FileReport(name, Outcome.SKIPPED, (), note, Role.BESIDE, judged=False)
    source = reached[0].sources[name]
    outcome, notes = source.outcome, [source.note] if source.note else []
    judged = source.tree is not None and any(reading.scored for reading in reached)
    role = _role(name, readings)
    if role is Role.CANDIDATE:
        notes.append(_why_candidate(name, readings))
    if role is not Role.PART and source.tree is not None:
        if any(one.cut_short for one in reached if one.target.entry == name):
            outcome = Outcome.PARTLY
            notes.append("the reading was cut short: too many steps")
        if not judged:
            notes.append(NO_SCORE)
    found = _findings(name, reached, profile)
    own = [one.recognised for one in reached if one.target.entry == name]
    return FileReport(name, outcome, found, "; ".join(notes), role, judged, next(iter(own), None))


def _beside(file: FileReport, target: Target, rules: Collection[str], profile: str) -> FileReport:
    """A script that the entry never reaches, read by its own defaults: for information alone."""
    if file.path in target.links:
        return file
    own = replace(target, entry=file.path, config=Configuration(), factory="")
    reading = Reading(own, decided=True)
    reading.read(rules, explore=False)
    if not reading.scored:
        return replace(file, recognised=reading.recognised)
    found = _findings(file.path, [reading], profile)
    failed = ", ".join(dict.fromkeys(one.rule for one in found if one.status == "fail"))
    note = f"{file.note}; it has a score of its own{failed and f', and would fail {failed}'}"
    noted = tuple(map(_noted, found))
    return replace(file, findings=noted, note=note, judged=True, recognised=reading.recognised)


def _noted(finding: Finding) -> Finding:
    message = f"{finding.message}; information only, as the entry never reaches this file"
    return replace(finding, status="info", message=message, clears="")


def _role(name: str, readings: Sequence[Reading]) -> Role:
    for reading in readings:
        if name == reading.target.entry:
            return Role.ENTRY if reading.decided else Role.CANDIDATE
    return Role.PART


def _why_candidate(name: str, readings: Sequence[Reading]) -> str:
    if readings[0].decided:
        judged = readings[0].target.entry
        return f"the folder starts it beside {judged}, and it may be what gives the score"
    number = [reading.target.entry for reading in readings].index(name) + 1
    return f"candidate entry {number} of {len(readings)}: cannot tell which one was submitted"


def _findings(name: str, reached: Sequence[Reading], profile: str) -> tuple[Finding, ...]:
    """In order of lines; under one rule a place has its worst finding."""
    found: dict[tuple[str, int], Finding] = {}
    for reading in reached:
        for (rule, file, line), match in reading.matches.items():
            if file == name:
                finding = _judge(rule, match, reading.sources, profile)
                if not reading.decided:
                    finding = _of_a_candidate(finding)
                known = found.get((rule, line), finding)
                found[rule, line] = min(known, finding, key=lambda one: STATUSES.index(one.status))
    return tuple(sorted(found.values(), key=lambda finding: (finding.line, finding.rule)))


def _of_a_candidate(finding: Finding) -> Finding:
    """It may not be the submission's: for a person to weigh, never a failure."""
    if finding.status != "fail":
        return finding
    message = f"{finding.message}; a warning at most, as this may not be what was submitted"
    return replace(finding, status="warn", message=message)


def _unreadable(name: str, why: str, profile: str) -> FileReport:
    """A paper that cannot be read: the code was read all the same, without what it may say."""
    said = f"cannot be read ({why}); what it says was not taken into account: repair the file"
    finding = _on_paper(f"{name} {said}", profile)
    return FileReport(name, Outcome.UNREADABLE, (finding,), why, Role.PAPER, judged=False)


def _doubtful(name: str, why: str, profile: str) -> FileReport:
    """A paper that other readers may read otherwise."""
    finding = _on_paper(f"{name} can be read in two ways: {why}: repair the file", profile)
    return FileReport(name, Outcome.PARSED, (finding,), why, Role.PAPER, judged=False)


def _on_paper(message: str, profile: str, rule: str = PAPERS, status: str = "") -> Finding:
    severity = RULES[rule].severity[profile]
    return Finding(
        rule=rule,
        status=status or severity,
        severity=severity,
        confidence=Confidence.HIGH,
        line=0,
        function="",
        message=message,
        excerpt="",
        clears=RULES[rule].clears,
    )


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
        clears="" if status == "info" else RULES[rule].clears,
    )


def _excerpt(sources: Mapping[str, Source], file: str, line: int) -> str:
    lines = sources[file].text.split("\n") if file in sources else []
    return lines[line - 1].strip()[:EXCERPT_LENGTH] if 0 < line <= len(lines) else ""
