"""What came of a folder, held against what its manifest says.

Guarantees: an attack is *caught* only by its own rule, at its own level or a stronger one, and
never by a verdict alone; one that is not counts as *open* only where its manifest says so, with
the verdict that it got. Does not cover whether the manifest is right.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from harness.checks.status import Level
from harness.gallery.exhibit import Exhibit
from harness.verdict.decide import Verdict

STRENGTH = tuple(Level)  # weakest first


class State(StrEnum):
    """One word a folder."""

    CAUGHT = "caught"
    NAMED = "named"  # no violation, and what it tries is said
    CLEAN = "clean"
    OPEN = "open"  # known to escape, or to be held up; as its manifest says
    WRONG = "WRONG"  # anything else


_STATES = {Verdict.CLEAN: State.CLEAN, Verdict.REVIEW: State.NAMED}


@dataclass(frozen=True)
class Seen:
    """What an evaluation said, or a scan."""

    verdict: Verdict
    failed: Mapping[str, Level]  # rules, and what their failure rests on
    said: str  # failure and findings that did not pass, in words
    seconds: float


@dataclass(frozen=True)
class Outcome:
    """A folder's row."""

    state: State
    rule: str  # that caught it
    level: str
    note: str  # what is wrong, why it is open


def of_report(report: Mapping[str, Any], seconds: float) -> Seen:
    """Of a report.json."""
    rules = report["rules"]
    bad = {rule: status for rule, status in rules.items() if status["status"] == "fail"}
    words = [s["message"] for s in rules.values() if s["status"] in ("fail", "unknown")]
    return Seen(
        Verdict(report["verdict"]),
        {rule: Level(status["level"]) for rule, status in bad.items()},
        "\n".join([report["failure"] or "", *words]),
        seconds,
    )


def of_scan(scan: Mapping[str, Any], seconds: float) -> Seen:
    """Of the scanner's JSON: nothing was run, and nothing is CLEAN."""
    findings = [f for file in scan["files"] for f in file["findings"]]
    failed = {f["rule"]: Level.READ for f in findings if f["status"] == "fail"}
    verdict = Verdict.VIOLATION if failed else Verdict.REVIEW
    return Seen(verdict, failed, "\n".join(f["message"] for f in findings), seconds)


def compare(exhibit: Exhibit, seen: Seen) -> Outcome:
    """One row."""
    caught = _caught_by(exhibit, seen)
    level = seen.failed.get(caught, "")
    proved = caught or exhibit.verdict is not Verdict.VIOLATION
    if seen.verdict is exhibit.verdict and proved and _says(exhibit, seen):
        state = _STATES.get(exhibit.verdict, State.CAUGHT)
        note = "its manifest calls it open: remove the key" if exhibit.is_open else ""
        return Outcome(state, caught, level, note)
    if exhibit.is_open and seen.verdict is exhibit.today:
        return Outcome(State.OPEN, "", "", f"{seen.verdict}: {exhibit.cause}")
    return Outcome(State.WRONG, caught, level, _difference(exhibit, seen))


def _caught_by(exhibit: Exhibit, seen: Seen) -> str:
    """The first of its rules that failed as it must."""
    least = STRENGTH.index(exhibit.level) if exhibit.level else 0
    strong = (r for r in exhibit.rules if r in seen.failed)
    return next((r for r in strong if STRENGTH.index(seen.failed[r]) >= least), "")


def _says(exhibit: Exhibit, seen: Seen) -> bool:
    return exhibit.says.casefold() in seen.said.casefold()


def _difference(exhibit: Exhibit, seen: Seen) -> str:
    wanted = [exhibit.verdict, *_some(exhibit.rules, exhibit.level), exhibit.says and "saying so"]
    failed = [f"{rule} ({level})" for rule, level in seen.failed.items()]
    why = "" if failed else seen.said.strip().split("\n")[0]
    got = " ".join(filter(None, [seen.verdict, ", ".join(failed), why]))
    return f"not {' '.join(filter(None, wanted))} but {got}"


def _some(rules: Iterable[str], level: Level | None) -> list[str]:
    return [" or ".join(rules), f"at {level}"] if level else []
