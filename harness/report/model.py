"""The report as data: everything a reader needs to check or replay the verdict, JSON-ready.

Contract: `report.schema.json` beside this file. Keys may be added, never renamed.
"""

import json
import math
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from audits.catalogue import PROFILES, RULES
from audits.tool import NAME, commit, version
from harness.checks.status import Finding
from harness.protocol.confinement import IsolationAsked, IsolationPart
from harness.report.gaps import gaps
from harness.report.hashes import library_versions
from harness.report.summary import summarise
from harness.score import Score
from harness.verdict.decide import Verdict, decide
from harness.verdict.table import RuleStatus

SCHEMA_VERSION = 1
SCHEMA_ID = "urn:scorefirst:report:1"  # the `$id` of the schema
SCHEMA_PATH = Path(__file__).with_name("report.schema.json")
NEW = "report.json.new"  # until it is whole


@dataclass(frozen=True)
class Report:
    """One evaluation."""

    submission: Mapping[str, Any]
    profile: str
    score: Score | None
    rules: Mapping[str, RuleStatus]
    ran: bool
    seconds: Mapping[str, float]  # wall time per phase
    failure: str | None = None  # why it is unrunnable
    cure: str | None = None  # what to do about that
    interrupted: str | None = None  # by which signal
    isolation: IsolationAsked = IsolationAsked.WHOLE  # what there had to be, or nothing started
    worker_isolation: Sequence[IsolationPart] = tuple(IsolationPart)  # active around a predictor
    read: Sequence[str] = ()  # rules that the code was read for
    folder: str = "."  # where report and evidence are
    replay: str = ""  # the command that repeats the evaluation
    created: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    extra: Mapping[str, Any] = field(default_factory=dict)  # data, seed, device, worst mass, ...

    @property
    def verdict(self) -> Verdict:
        """Under the chosen profile."""
        return self._decided(self.profile)

    def _decided(self, profile: str) -> Verdict:
        whole = self.isolation is IsolationAsked.WHOLE
        return decide(self.rules, profile, self.ran, isolated=whole)

    def to_json(self) -> dict[str, Any]:
        """The published form, made once: the same object each time."""
        return self._published

    @cached_property
    def _published(self) -> dict[str, Any]:
        """Numbers that JSON has no word for become null."""
        plain = {
            "$schema": SCHEMA_ID,
            "schema_version": SCHEMA_VERSION,
            "created": self.created,
            "tool": {"name": NAME, "version": version(), "commit": commit()},
            "verdict": self.verdict,
            "profile": self.profile,
            "verdicts": {p: self._decided(p) for p in PROFILES},
            "submission": dict(self.submission),
            "score": self.score.as_json() if self.score else None,
            "rules": {rule: _rule_json(status) for rule, status in self.rules.items()},
            "not_covered": [
                *gaps(
                    self.submission["kind"],
                    self.extra.get("driven"),
                    self.ran,
                    self.score is not None,
                    self.worker_isolation,
                    "certificate" in self.extra,
                ),
                *_unexamined(self.rules, self.read),
            ],
            "isolation": self.isolation,
            "read": list(self.read),
            "failure": self.failure,
            "interrupted": self.interrupted,
            "cure": self.cure,
            "folder": self.folder,
            "replay": self.replay,
            "seconds": {k: round(v, 3) for k, v in self.seconds.items()},
            "platform": {
                "python": platform.python_version(),
                "system": platform.platform(),
                "libraries": library_versions(),
            },
            **self.extra,
        }
        cleaned = _finite(plain)
        assert isinstance(cleaned, dict)
        return cleaned | {"summary": summarise(cleaned).as_json()}

    def write(self, folder: Path) -> Path:
        """Writes report.json, whole at any moment; returns its path."""
        path, new = folder / "report.json", folder / NEW
        new.write_text(json.dumps(self.to_json(), indent=2) + "\n", encoding="utf-8")
        return new.replace(path)


def _rule_json(status: RuleStatus) -> dict[str, Any]:
    return {
        "status": status.status,
        "level": status.level,
        "witness": status.level.witness,
        "title": RULES[status.rule].title,
        "message": status.message,
        "said": [_said_json(finding) for finding in status.said],
        "against": [_said_json(finding) for finding in status.against],
        "steps": [asdict(step) for step in status.steps],
        "findings": [dict(f) for f in status.findings],
    }


def _said_json(finding: Finding) -> dict[str, Any]:
    return {"level": finding.level, "message": finding.message, "detail": finding.detail}


def _unexamined(rules: Mapping[str, RuleStatus], read: Sequence[str]) -> list[str]:
    only_read = [rule for rule in read if rule not in rules]
    rest = [rule for rule in RULES if rule not in rules and rule not in read]
    found = "rules that were only read in the code, without a finding, and that no run tested: "
    return [
        *([found + ", ".join(only_read)] if only_read else []),
        f"rules that nothing examined: {', '.join(rest)}",
    ]


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(k): _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return value
