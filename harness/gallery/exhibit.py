"""A folder of the gallery, and what its manifest says must come of it.

The key `expect` of its submission.json, beside the contest's own keys:

    "blurb": "one line: the idea",
    "expect": {
        "verdict": "VIOLATION",              CLEAN, REVIEW (a try that is named), UNRUNNABLE
        "rules": ["ORDER-1"],                broken: of a VIOLATION one of them must fail, at
        "level": "black_box",                this level or a stronger one
        "says": "zero",                      words of the failure, or of what did not pass
        "options": ["--quick"],              of `scorefirst evaluate`, where all runs are needless
        "short": true,                       one of the part that runs in minutes
        "open": {"verdict": "REVIEW", "cause": "why it is not caught yet"}}

Guarantees: a manifest that says less than its verdict needs is an error, never a folder that
passes by saying nothing.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from audits.catalogue import RULES
from harness.checks.status import Level
from harness.errors import UsageError
from harness.verdict.decide import Verdict

ROOMS = ("exploits", "legal")
MANIFEST = "submission.json"


@dataclass(frozen=True)
class Exhibit:
    """One folder."""

    folder: Path
    room: str  # "exploits" or "legal"
    idea: str
    verdict: Verdict  # that it must get
    rules: tuple[str, ...]  # that it breaks; of a VIOLATION any one of them must fail
    level: Level | None  # at which, or at a stronger one
    says: str  # what failure or findings must say
    options: tuple[str, ...]
    short: bool
    today: Verdict | None  # what it gets as long as it is open
    cause: str  # why it is open

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def is_open(self) -> bool:
        return self.today is not None


def exhibits(root: Path, only: Sequence[str] = (), short: bool = False) -> list[Exhibit]:
    """The folders of both rooms by name; `only` are patterns of names. Raises UsageError."""
    found = [
        read_exhibit(manifest.parent, room)
        for room in ROOMS
        for manifest in sorted((root / room).glob(f"*/{MANIFEST}"))
        if not only or any(fnmatch(manifest.parent.name, pattern) for pattern in only)
    ]
    chosen = [one for one in found if one.short or not short]
    if not chosen:
        wanted = f" of the name {', '.join(only)}" if only else ""
        raise UsageError(f"{root}: no folder{wanted} in its {' and '.join(ROOMS)}")
    return chosen


def read_exhibit(folder: Path, room: str) -> Exhibit:
    """Raises UsageError, which names the file and what it lacks."""
    path = folder / MANIFEST
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
        expect, is_open = table["expect"], table["expect"].get("open", {})
        read = Exhibit(
            folder,
            room,
            str(table["blurb"]),
            Verdict(expect["verdict"]),
            tuple(expect.get("rules", ())),
            Level(expect["level"]) if "level" in expect else None,
            str(expect.get("says", "")),
            tuple(expect.get("options", ())),
            bool(expect.get("short", False)),
            Verdict(is_open["verdict"]) if is_open else None,
            str(is_open["cause"]) if is_open else "",
        )
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise UsageError(f"{path}: {type(error).__name__}: {error}") from error
    lacking = _lacking(read, expect)
    if lacking:
        raise UsageError(f"{path}: {lacking}")
    return read


def _lacking(read: Exhibit, expect: dict[str, Any]) -> str:
    known = {"verdict", "rules", "level", "says", "options", "short", "open"}
    if unknown := sorted(set(expect) - known):
        return f"`expect` has {', '.join(unknown)}, which nothing reads"
    if unheard := [rule for rule in read.rules if rule not in RULES]:
        return f"`rules` names {', '.join(unheard)}, which no catalogue has"
    if (read.room == "legal") != (read.verdict is Verdict.CLEAN):
        return f"{read.verdict} is expected in {read.room}"
    if read.verdict is Verdict.VIOLATION and not (read.rules and read.level):
        return "a VIOLATION needs `rules` and `level`"
    if read.verdict in (Verdict.REVIEW, Verdict.UNRUNNABLE) and not read.says:
        return f"{read.verdict} needs `says`: what must be said of it"
    return ""
