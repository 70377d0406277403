"""What the screen and report.md say alike: whom it is about, what the verdict means, the score.

Guarantees: a folder comes before the name that its author wrote; a score on synthetic data is
labelled so wherever it is shown.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from harness.submission import NATIVE

Json = Mapping[str, Any]

STATUS_ORDER = {"fail": 0, "unknown": 1, "pass": 2, "not_applicable": 3}

MEANING = {
    "CLEAN": "All examined rules passed, including the six required ones.",
    "VIOLATION": "At least one rule is broken; the evidence is below.",
    "REVIEW": "Nothing was proved against it, but something is undecided; a person must look.",
    "UNRUNNABLE": "It could not be read or run. This says nothing about compliance.",
}
SYNTHETIC = "on synthetic data, not comparable with the leaderboard"


def subject(report: Json) -> str:
    """`11L-CosineTTT (Sofia Bodnar)`: the folder, then the name that its submission.json gives."""
    name = str(report["submission"]["name"])
    folder = PurePath(report["submission"]["folder"]).name
    if folder in ("", "..", name):
        return name
    return f"{folder} ({name})"


def rules_in_order(report: Json) -> list[tuple[str, Json]]:
    """Failures first, then what is undecided."""
    return sorted(report["rules"].items(), key=lambda r: (STATUS_ORDER[r[1]["status"]], r[0]))


@dataclass(frozen=True)
class Shown:
    """The score in words."""

    bits_per_byte: str  # "1.748006 bits per byte"
    code_length: str  # what it was computed from
    label: str  # empty where the score is one on real text


def score_shown(report: Json) -> Shown | None:
    """None where no score came to its end."""
    score = report["score"]
    if not score or score["bits_per_byte"] is None:
        return None
    length = f"{score['nats']:,.1f} nats over {score['tokens']:,} tokens, {score['bytes']:,} bytes"
    label = "" if report["submission"]["kind"] in NATIVE else f", {SYNTHETIC}"
    return Shown(f"{score['bits_per_byte']:.6f} bits per byte", length, label)
