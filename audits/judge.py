"""From a target to a report: read the entry twice, run the checks, judge the matches under a
profile.

Guarantees: only code that the run's configuration reaches can fail, and only with high confidence;
the same pattern behind a switch that is off is information, with the switch named; results are
sorted, and depend on the files alone.
Does not cover: files that the entry neither imports nor starts; they are listed as skipped.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from audits import facts
from audits.catalogue import RULES
from audits.contests import Contest, chosen_contest, frozen_files
from audits.facts.documented.logs import SubmittedLine
from audits.facts.events import FlagDefault, LossyText
from audits.facts.texts import flags, preparation
from audits.facts.texts.native import Natives
from audits.facts.trace import Trace
from audits.findings import STATUSES, Confidence, FileReport, Finding, Role, ScanReport
from audits.flow import scores
from audits.folder import Files, Target, targets_of
from audits.match import Match
from audits.rules import CHECKS
from audits.source import Outcome, Source, Unreadable, content_of

EXCERPT_LENGTH = 160
PREPARATION_FLAG = b"--val"  # only files that have such a flag are read for their defaults
EVALUATOR = "PASS-4"  # the number is that of the evaluation that was declared
PAPERS = "PACKAGE-2"  # the folder, and that its papers can be read
NO_SCORE = "no score was recognised, so no rule could be judged"
_SURENESS = {Confidence.HIGH: 0, Confidence.MEDIUM: 1, Confidence.LOW: 2}


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
    readings = [_Reading(target, decided=decided) for target in targets.entries]
    readings += [_Reading(target, decided=False) for target in targets.beside]
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


class _Reading(Files):
    """Two passes over one target: as the run was configured, and with every switch both ways."""

    def __init__(self, target: Target, *, decided: bool) -> None:
        super().__init__(target)
        self.decided = decided  # this is the submission; else it may be, and nothing in it can fail
        self.matches: dict[tuple[str, str, int], Match] = {}  # one per rule, file and line
        self.natives = Natives(target.natives)
        self.flags: list[FlagDefault] = []
        self.lossy_texts: list[LossyText] = []
        self.cut_short = False
        self.scored = False

    def read_flags(self) -> None:
        """Preparation scripts are part of what a folder says, though the entry never runs them."""
        for name in sorted({*self.target.files} - self.target.links):
            try:
                content = content_of(self.target.root / name)
            except Unreadable:  # where the entry reaches it, the report says so
                continue
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
        if explore:
            self._keep(rules, trace, _switched_off)
            return
        self._keep(rules, trace, lambda match: match)
        if trace.submitted is not None:
            line = self.target.config.logs.submitted[0]
            trace.submitted = None
            self._keep(rules, trace, partial(_beside, line=line))

    def _keep(self, rules: Collection[str], trace: Trace, said: Callable[[Match], Match]) -> None:
        """What the checks find that is not known yet, as it is to be said."""
        for rule in sorted(rules):
            surest = sorted(CHECKS[rule].run(trace), key=lambda match: _SURENESS[match.confidence])
            for match in surest:
                self.matches.setdefault((rule, match.file, match.line), said(match))


def _beside(match: Match, line: SubmittedLine) -> Match:
    """A match in results that the run prints, but that are not in the number it submits."""
    place = f"{line.file} line {line.printed.line}"
    message = (
        f"{match.message}; printed beside the submitted number, which is {place}: "
        f"{line.printed.text[:EXCERPT_LENGTH]}"
    )
    return replace(match, message=message, confidence=Confidence.LOW)


def _switched_off(match: Match) -> Match:
    """A match that only trying the switches brings up: not what the run did."""
    switches = (
        ", ".join(dict.fromkeys(match.inactive)) or "a switch that this configuration leaves off"
    )
    message = f"{match.message}; not reached in this configuration: {switches}"
    return replace(match, message=message, confidence=Confidence.LOW)


def _file_report(name: str, readings: Sequence[_Reading], profile: str) -> FileReport:
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
    return FileReport(name, outcome, found, "; ".join(notes), role, judged)


def _role(name: str, readings: Sequence[_Reading]) -> Role:
    for reading in readings:
        if name == reading.target.entry:
            return Role.ENTRY if reading.decided else Role.CANDIDATE
    return Role.PART


def _why_candidate(name: str, readings: Sequence[_Reading]) -> str:
    if readings[0].decided:
        judged = readings[0].target.entry
        return f"the folder starts it beside {judged}, and it may be what gives the score"
    number = [reading.target.entry for reading in readings].index(name) + 1
    return f"candidate entry {number} of {len(readings)}: cannot tell which one was submitted"


def _findings(name: str, reached: Sequence[_Reading], profile: str) -> tuple[Finding, ...]:
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
    )


def _excerpt(sources: Mapping[str, Source], file: str, line: int) -> str:
    lines = sources[file].text.split("\n") if file in sources else []
    return lines[line - 1].strip()[:EXCERPT_LENGTH] if 0 < line <= len(lines) else ""
