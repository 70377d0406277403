"""A report.json as it was written, and the counterexamples that it holds.

Guarantees: only a report of the published schema is taken for one. Does not cover whether it is
true.
"""

import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema

from audits.tool import NAME
from harness.checks.status import Level
from harness.errors import UsageError
from harness.report.model import SCHEMA_PATH
from harness.submission import Kind


@dataclass(frozen=True)
class Counterexample:
    """One rule that failed, and one of the numbers behind it."""

    name: str  # RULE or RULE.N
    rule: str
    level: str
    message: str
    numbers: Mapping[str, Any]  # of the report; empty where there are none


@dataclass(frozen=True)
class Recorded:
    """A report."""

    path: Path
    report: Mapping[str, Any]

    @classmethod
    def read(cls, given: Path) -> "Recorded":
        """Raises UsageError where it is no report of ours."""
        file = given / "report.json" if given.is_dir() else given
        try:
            report = json.loads(file.read_text(encoding="utf-8"))
            jsonschema.validate(report, json.loads(SCHEMA_PATH.read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            raise UsageError(f"{file}: cannot be read ({error})") from error
        except jsonschema.ValidationError as error:
            raise UsageError(f"{file}: no report of scorefirst ({error.message})") from error
        return cls(file, report)

    @property
    def made_by(self) -> str:
        tool = self.report["tool"]
        return f"{tool['name']} {tool['version']}, commit {tool['commit'] or 'not known'}"

    @property
    def seed(self) -> int:
        return int(self.report["seed"])

    @property
    def words(self) -> list[str]:
        """Of the command that made it, behind its name. Raises UsageError."""
        try:
            words = shlex.split(self.report["replay"])
        except ValueError as error:
            raise UsageError(f"its command cannot be read ({error})") from error
        if words[:2] != [NAME, "evaluate"]:
            raise UsageError("it names no command that made it")
        return words[2:]

    def counterexamples(self, wanted: str = "") -> list[Counterexample]:
        """Of all rules that failed by running, or of the one that is wanted. Raises UsageError."""
        found = [one for rule in self.report["rules"] for one in self._of(rule, wanted)]
        if not found:
            failed = [r for r, s in self.report["rules"].items() if s["status"] == "fail"]
            there = f"{', '.join(failed)} failed" if failed else "no rule failed"
            raise UsageError(
                f"no counterexample {wanted or 'of a run'} in {self.path}: {there}; what"
                " reading alone found, `scorefirst scan` shows again"
            )
        return found

    def _of(self, rule: str, wanted: str) -> Iterator[Counterexample]:
        status = self.report["rules"][rule]
        chosen, _, number = wanted.partition(".")
        proved = status["status"] == "fail" and status["level"] != Level.READ
        if chosen not in ("", rule) or not proved:
            return
        numbers = status["findings"] or [{}]
        index = int(number) if number.isdigit() else self._worst(numbers)
        if index < len(numbers):
            name = f"{rule}.{index}" if status["findings"] else rule
            yield Counterexample(name, rule, status["level"], status["message"], numbers[index])

    @staticmethod
    def _worst(numbers: list[dict[str, Any]]) -> int:
        """Of probes the one that moved most; else the first."""
        moved = [abs(one.get("moved_nats") or 0.0) for one in numbers]
        return moved.index(max(moved))


def is_predictor(recorded: Recorded) -> bool:
    """Refereed: one question can be asked again."""
    return recorded.report["submission"]["kind"] in (Kind.PREDICTOR, Kind.ENGINE)
