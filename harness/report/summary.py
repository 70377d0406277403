"""The first screen: what a maintainer reads before anything else, as data and as lines.

    verdict, whom it is about       what is wrong, a sentence a rule, with lines of the code
    what running it showed          what is undecided, why, and what a person looks at
    counts                          the number that was judged
    runs and seconds                where the evidence is, and the command that repeats it

Guarantees: made from report.json alone, so that the terminal, report.md and `summary` there say the
same; nothing that was not examined is among what passed; a score on synthetic data is labelled.
Does not cover: layout and escaping (`terminal`, `markdown`), details (`driven`).
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import PurePath
from typing import Any

from audits.catalogue import RULES
from harness.protocol.confinement import IsolationAsked
from harness.submission import NATIVE
from harness.verdict.decide import REQUIRED_RULES, severity

Json = Mapping[str, Any]

LEVELS = {
    "referee": "proved: the harness held the tokens",
    "black_box": "proved by running it",
    "instrumented": "seen inside its process",
    "read": "read in its files",
}
FAMILIES = ("ORDER", "PASS", "NORM", "CAUSAL", "DATA", "BYTES")  # named causes first, SOURCE last
NOT_EXAMINED = "no run tested it, and a CLEAN verdict needs it to pass"
MEANING = {
    "CLEAN": "Of the rules that were examined none is broken or undecided; the six that a CLEAN"
    " needs each passed.",
    "REVIEW": "Nothing was proved against it; what is undecided needs a person.",
}
INTERRUPTED = "the evaluation was interrupted before a run tested it"
AGAIN = "nothing yet: run it again, to its end"
WITHOUT_QUICK = "run it without --quick for the rest"
REPLAY = "Replay: "  # begins the line that is to be copied as it is
NOT_APPLICABLE = "it does not apply here, and a CLEAN verdict needs it to pass"


@dataclass(frozen=True)
class Broken:
    """A rule that failed."""

    rule: str
    sentence: str  # what the submission does
    level: str  # how sure: what the strongest evidence is
    severity: str  # fail or warn, under the profile
    steps: tuple[str, ...]  # "trained at train_gpt.py:1438", in order of execution


@dataclass(frozen=True)
class Said:
    """What a run showed, and the rules that it speaks of."""

    rules: tuple[str, ...]
    sentence: str


@dataclass(frozen=True)
class Undecided:
    """Rules that a person has to decide."""

    rules: tuple[str, ...]
    why: str
    look: str  # at what, next


@dataclass(frozen=True)
class Summary:
    """One evaluation."""

    verdict: str
    subject: str
    verdicts: Mapping[str, str]  # under each profile
    isolation: str  # that was asked for
    interrupted: bool  # before its end: what was established by then
    cause: str  # why it did not come to its end; else empty
    cure: str
    broken: tuple[Broken, ...]
    confirmed: tuple[Said, ...]
    undecided: tuple[Undecided, ...]
    failed: int
    passed: int
    read_only: int  # rules that were read in the code without a finding, and tested by nothing else
    not_examined: int
    judged: str
    effort: str
    evidence: str
    replay: str

    def as_json(self) -> dict[str, Any]:
        """The `summary` of report.json: the parts, and the lines that they make."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self) | {"lines": self.lines()}))
        return plain

    def lines(self) -> list[str]:
        """The first screen, two blanks an indentation."""
        return list(self._lines())

    def _lines(self) -> Iterator[str]:
        yield f"{self.verdict}  {self.subject}  ({self._under()}{less_isolated(self.isolation)})"
        if self.cause:
            yield f"  {'Cause' if self.verdict == 'UNRUNNABLE' else 'Not finished'}: {self.cause}"
        if self.cure:
            yield f"  Cure: {self.cure}"
        if self.verdict in MEANING:
            yield f"  {MEANING[self.verdict]}"
        for broken in self.broken:
            yield f"  {_warned(broken)}{broken.sentence} ({broken.rule}, {LEVELS[broken.level]})"
            if broken.steps:
                yield f"    {', then '.join(broken.steps)}"
        if self.confirmed:
            yield "  Running it showed:"
        for said in self.confirmed:
            yield f"    {said.sentence} ({', '.join(said.rules)})"
        for open_ in self.undecided:
            yield f"  Undecided {', '.join(open_.rules)}: {open_.why}"
            yield f"    Look at: {open_.look}"
        if self.verdict != "UNRUNNABLE" or self.interrupted:
            yield f"  {self._counts()}"
        if self.judged:
            yield f"  {self.judged}"
        yield f"  {self.effort}Evidence: {self.evidence}"
        if self.replay:
            yield f"  {REPLAY}{self.replay}"

    def _under(self) -> str:
        if self.verdict == "UNRUNNABLE" and self.interrupted:
            return "interrupted before its end, which says nothing about compliance"
        if self.verdict == "UNRUNNABLE":
            return "it could not be run, which says nothing about compliance"
        if len(set(self.verdicts.values())) == 1:
            return f"under both profiles, {' and '.join(self.verdicts)}"
        return ", ".join(f"{profile}: {verdict}" for profile, verdict in self.verdicts.items())

    def _counts(self) -> str:
        undecided = sum(len(one.rules) for one in self.undecided)
        return (
            f"Rules: {self.failed} failed, {undecided} undecided, {self.passed} passed,"
            f" {self.read_only} only read in the code without a finding, {self.not_examined} not"
            " examined (report.md lists them)."
        )


def summarise(report: Json) -> Summary:
    """`report`: the JSON form, without its `summary`."""
    rules = report["rules"]
    interrupted = bool(report.get("interrupted"))
    nothing = report["verdict"] == "UNRUNNABLE" and not (interrupted and rules)
    undecided = () if nothing else tuple(_undecided(report))
    open_rules = {rule for one in undecided for rule in one.rules}
    read = set(report["read"]) - set(rules) - open_rules
    unexamined = len(RULES) - len(set(rules) | read | open_rules)
    statuses = [status["status"] for status in rules.values()]
    return Summary(
        verdict=report["verdict"],
        subject=subject(report),
        verdicts=report["verdicts"],
        isolation=report.get("isolation", IsolationAsked.WHOLE),
        interrupted=interrupted,
        cause=_first_and_last(report["failure"] or ""),
        cure=report["cure"] or _without_quick(report),
        broken=tuple(_broken(report)),
        confirmed=() if nothing else tuple(_confirmed(report)),
        undecided=undecided,
        failed=statuses.count("fail"),
        passed=statuses.count("pass"),
        read_only=len(read),
        not_examined=unexamined,
        judged=_judged(report),
        effort="" if nothing else _effort(report),
        evidence=report["folder"],
        replay=report["replay"],
    )


def _without_quick(report: Json) -> str:
    """Of a REVIEW that is one because runs were left out."""
    left_out = (report.get("driven") or {}).get("not_run", {}).values()
    quick = any(why.startswith("--quick") for why in left_out)
    return WITHOUT_QUICK if quick and report["verdict"] == "REVIEW" else ""


def _first_and_last(text: str) -> str:
    """Of a failure that quotes what was printed, which ends with the exception."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " ".join(lines if len(lines) < 2 else (lines[0], lines[-1]))


def less_isolated(asked: str) -> str:
    """Nothing where isolation was whole."""
    if asked == IsolationAsked.WHOLE:
        return ""
    return f"; under --isolation {asked}, with which nothing is CLEAN"


def subject(report: Json) -> str:
    """`records/11L-CosineTTT (checkout at 1a2b3c4d5e6f)`: never the author's name."""
    submission = report["submission"]
    commit = submission.get("commit")
    where = f" (checkout at {commit[:12]})" if commit else ""
    return f"{_folder(submission['folder'])}{where}"


def _folder(path: str) -> str:
    """The last two parts, which tell two seeds or tracks apart."""
    parts = [part for part in PurePath(path).parts if part not in ("/", ".")]
    return "/".join(parts[-2:]) or path


def _warned(broken: Broken) -> str:
    return "" if broken.severity == "fail" else "Warned of: "


def _place(rule: str) -> tuple[int, str]:
    """Causes before symptoms."""
    family = rule.partition("-")[0]
    if family == "SOURCE":
        return len(FAMILIES) + 1, rule
    return (FAMILIES.index(family) if family in FAMILIES else len(FAMILIES)), rule


def _broken(report: Json) -> Iterator[Broken]:
    failed = [(rule, s) for rule, s in report["rules"].items() if s["status"] == "fail"]
    for rule, status in sorted(failed, key=lambda pair: _place(pair[0])):
        weight = severity(rule, report["profile"])
        if weight != "info":
            steps = tuple(f"{step['role']} at {step['place']}" for step in status["steps"])
            yield Broken(rule, RULES[rule].broken, status["level"], weight, steps)


def _confirmed(report: Json) -> Iterator[Said]:
    """What was proved; where nothing was, that the required rules held."""
    rules = report["rules"]
    proved = {
        rule: [s for s in status["said"] if s["level"] in ("black_box", "referee")]
        for rule, status in rules.items()
        if status["status"] == "fail"
    }
    if any(proved.values()):
        told = {r: _joined(said) for r, said in sorted(proved.items(), key=lambda p: _place(p[0]))}
    else:
        held = [r for r in REQUIRED_RULES if r in rules and rules[r]["status"] == "pass"]
        told = {r: min((s["message"] for s in rules[r]["said"]), key=len) for r in held}
    sentences: dict[str, list[str]] = {}
    for rule, sentence in told.items():
        sentences.setdefault(sentence, []).append(rule)
    yield from (Said(tuple(named), said) for said, named in sentences.items() if said)


def _joined(said: Sequence[Json]) -> str:
    return "; ".join(dict.fromkeys(s["message"] for s in said))


def _undecided(report: Json) -> Iterator[Undecided]:
    """Rules of one reason together: six rows with one sentence say it once."""
    rules = report["rules"]
    by_reason: dict[str, list[str]] = {}
    for rule, status in rules.items():
        if status["status"] == "unknown":
            by_reason.setdefault(_why(status), []).append(rule)
    missing = {"REVIEW": NOT_EXAMINED, "UNRUNNABLE": INTERRUPTED}.get(report["verdict"], "")
    for rule in REQUIRED_RULES if missing else ():
        if rule not in rules:
            by_reason.setdefault(missing, []).append(rule)
        elif rules[rule]["status"] == "not_applicable":
            by_reason.setdefault(NOT_APPLICABLE, []).append(rule)
    for why, named in by_reason.items():
        yield Undecided(tuple(named), why, AGAIN if why == INTERRUPTED else _look(named, rules))


def _why(status: Json) -> str:
    """What was said of it, and what speaks against that."""
    said, against = _joined(status["said"]), _joined(status["against"])
    return f"{said}; but running it: {against}" if against else said


def _look(named: Sequence[str], rules: Json) -> str:
    """The first rules' questions, and the lines that are known."""
    places = [s["place"] for r in named if r in rules for s in rules[r]["steps"]]
    where = f"{' and '.join(dict.fromkeys(places))}: " if places else ""
    return where + "; ".join(RULES[rule].look for rule in named[:2])


def _judged(report: Json) -> str:
    """Which number, on what."""
    if report.get("certificate"):
        return _witnessed(report["certificate"], report)
    score, driven = report["score"], report.get("driven")
    if report["submission"]["kind"] in NATIVE:
        return _native_score(score, report["data"])
    if not driven or not driven["headline"]:
        return ""
    on = f" on {score['tokens']:,} tokens" if score else " on tokens"
    return (
        f'Judged number: the printed line "{driven["headline"]}", the result of a small'
        f" run{on} drawn at random: not comparable with the leaderboard.{_contest(report)}"
    )


def _witnessed(found: Json, report: Json) -> str:
    """Which number, of how many scores."""
    account = found["account"]
    where = f"{_folder(report['data']['folder'])}" if report["data"] else "the data"
    if not found["witnessed"]:
        return f"Not witnessed: what was recorded on {where} does not come to the printed line."
    return (
        f'Witnessed: the printed line "{found["printed"]["text"]}" is the mean of'
        f" {account['scores']:,} recorded scores of {account['tokens']:,} tokens of {where}"
        f" (relative error {found['gap']:.1g}). That is no CLEAN: one run does not decide the rules"
        " that are undecided or not covered."
    )


def _contest(report: Json) -> str:
    """Whose, and which sizes of the scoring itself were others."""
    contest = report.get("contest")
    if not contest:
        return ""
    sizes = contest["scoring_sizes"]
    other = f", with other scoring sizes ({', '.join(sizes)})" if sizes else ""
    return f" Contest: {contest['name']} ({contest['why']}){other}."


def _native_score(score: Json | None, data: Json | None) -> str:
    if not score or score["bits_per_byte"] is None:
        return ""
    where = f"the text of {_folder(data['folder'])}" if data else "text"
    return (
        f"Judged number: {score['bits_per_byte']:.6f} bits per byte = {score['nats']:,.1f} nats"
        f" over {score['tokens']:,} tokens, {score['bytes']:,} bytes, on {where}: comparable on the"
        " same data alone."
    )


def _effort(report: Json) -> str:
    seconds = f"{sum(report['seconds'].values()):.0f} s"
    driven = report.get("driven") or {}
    runs, changes = len(driven.get("runs", ())), len(driven.get("changes", ()))
    counted = [f"{runs} {'run' if runs == 1 else 'runs'}"] if runs else []
    ways = f"in {changes} ways (report.md says how)"
    how = f"at {driven['changes'][0]}" if changes == 1 else ways
    edited = [f"the script changed {how}"] if changes else []
    return f"{', '.join([*counted, seconds, *edited])}. "
