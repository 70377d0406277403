"""The report as data: everything a reader needs to check or replay the verdict, JSON-ready.

Contract: `report.schema.json` beside this file. Keys may be added, never renamed.
"""

import json
import math
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from audits.catalogue import PROFILES, RULES
from audits.tool import NAME, commit, version
from harness.report.gaps import gaps
from harness.score import Score
from harness.verdict.decide import Verdict, decide
from harness.verdict.table import RuleStatus

SCHEMA_VERSION = 1
SCHEMA_PATH = Path(__file__).with_name("report.schema.json")


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
    extra: Mapping[str, Any] = field(default_factory=dict)  # data, seed, device, worst mass, ...

    @property
    def verdict(self) -> Verdict:
        """Under the chosen profile."""
        return decide(self.rules, self.profile, self.ran)

    def to_json(self) -> dict[str, Any]:
        """The published form; numbers that JSON has no word for become null."""
        plain = {
            "schema_version": SCHEMA_VERSION,
            "tool": {"name": NAME, "version": version(), "commit": commit()},
            "verdict": self.verdict,
            "profile": self.profile,
            "verdicts": {p: decide(self.rules, p, self.ran) for p in PROFILES},
            "submission": dict(self.submission),
            "score": asdict(self.score) if self.score else None,
            "rules": {rule: _rule_json(status) for rule, status in self.rules.items()},
            "not_covered": [
                *gaps(self.submission["kind"], self.extra.get("driven")),
                _unexamined(self.rules),
            ],
            "failure": self.failure,
            "seconds": {k: round(v, 3) for k, v in self.seconds.items()},
            "platform": {"python": platform.python_version(), "system": platform.platform()},
            **self.extra,
        }
        cleaned = _finite(plain)
        assert isinstance(cleaned, dict)
        return cleaned

    def write(self, folder: Path) -> Path:
        """Writes report.json; returns its path."""
        path = folder / "report.json"
        path.write_text(json.dumps(self.to_json(), indent=2) + "\n", encoding="utf-8")
        return path


def _rule_json(status: RuleStatus) -> dict[str, Any]:
    return {
        "status": status.status,
        "level": status.level,
        "witness": status.level.witness,
        "title": RULES[status.rule].title,
        "message": status.message,
        "findings": [dict(f) for f in status.findings],
    }


def _unexamined(rules: Mapping[str, RuleStatus]) -> str:
    rest = [rule for rule in RULES if rule not in rules]
    return f"no check of this run examined {', '.join(rest)}"


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(k): _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return value
