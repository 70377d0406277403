"""submission.json: read once, for all who ask what a folder declares.

Guarantees: a file that is missing, cannot be read, is no JSON or no table is an empty manifest;
but for a missing one it says why.
Does not cover: what the harness demands of a submission of its own; it checks that itself.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from audits.facts.documented.papers import Paper, read_paper

NAME = "submission.json"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What the file holds."""

    table: Mapping[str, object] = field(default_factory=dict)
    unreadable: str = ""  # why there is a file and yet no table
    doubtful: str = ""  # what other readers of JSON refuse, or read otherwise

    @property
    def flat(self) -> dict[str, object]:
        """Nested tables of settings laid flat; an outer name goes before an inner one."""
        found: dict[str, object] = {}
        waiting: list[object] = [self.table]
        while waiting:
            table = waiting.pop()
            if isinstance(table, Mapping):
                for key, value in table.items():
                    found.setdefault(str(key), value)
                    waiting.append(value)
        return found

    @property
    def native(self) -> Mapping[str, object] | None:
        """What a submission to the harness itself declares."""
        harness = self.table.get("harness")
        return harness if isinstance(harness, Mapping) else None


def manifest_of(folder: Path) -> Manifest:
    paper = read_paper(folder / NAME)
    if paper is None:
        return Manifest()
    doubts: list[str] = []

    def table(pairs: list[tuple[str, object]]) -> dict[str, object]:
        counted = Counter(key for key, _ in pairs)
        doubts.extend(f"{key!r} is given twice" for key in counted if counted[key] > 1)
        return dict(pairs)

    def constant(name: str) -> float:
        doubts.append(f"{name} is no number of JSON")
        return float(name)

    try:
        text = paper.text if not paper.unreadable else "null"
        loaded = json.loads(text, object_pairs_hook=table, parse_constant=constant)
    except (ValueError, RecursionError) as error:
        paper = Paper(paper.text, f"no JSON: {error}")
    if paper.unreadable:
        return Manifest(unreadable=paper.unreadable)
    if not isinstance(loaded, dict):
        return Manifest(unreadable=f"JSON, but no object: {type(loaded).__name__}")
    return Manifest(loaded, doubtful=", ".join(dict.fromkeys(doubts)))
