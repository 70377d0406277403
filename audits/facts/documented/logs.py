"""What the logs of a folder show of the run: dumped settings, and messages that were printed.

Guarantees: a setting counts only when every log that shows it agrees; a script's own source, which
many scripts write into their log, is not taken for output.
Does not cover: settings that a log words freely.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from audits.facts.documented.manifest import NAME as MANIFEST
from audits.facts.documented.manifest import manifest_of
from audits.facts.documented.papers import Paper, read_paper
from audits.facts.documented.printed_scores import (
    DeclaredScore,
    Printed,
    declared_score,
    headline,
    kind,
    printed_numbers,
)
from audits.facts.documented.setting import Setting, SettingKind

MAX_LOGS = 8
MAX_BYTES = 1_500_000  # of one log; dumps and final lines are shorter than that
MOST_BITS = 1e6  # per byte; a declared number beyond it is no score
SHORTEST_MESSAGE = 7  # characters; "step:" says nothing about where it was printed
_DUMPED = re.compile(r"^\s*([a-z]\w+): (\S+)$")  # "  ttt_enabled: True"
_ASSIGNED = re.compile(r"(?<![\w.])([A-Z][A-Z0-9_]{3,})=([^\s,;'\"(){}\[\]]+)")  # "TTT_ENABLED=1"
# "late_qat_threshold:0.15", "model_preset:frontier_lean"; "ngram_eval:done" tells of an event.
_EVENTS = (
    "done|start|starting|started|begin|end|complete|completed|finished|running|skipped|skipping"
    "|loading|loaded|saved|building|built|failed|enabled|disabled|on|off|mix"
)
_INLINE = re.compile(
    rf"(?<![\w.])([a-z]+(?:_[a-z0-9]+)+)(?:=|:(?!(?:{_EVENTS})\b))([\w.+-]+)(?=[\s,]|$)"
)
_PROGRESS = re.compile(r"(?:val_bpb|val_loss|train_loss)\s*[:=]\s*\d")  # a log of a run has some
_DECIMAL = re.compile(r"\d+(?:\.\d+)?")
_QUOTES = "\"'`"
_WORDS = {"True": "1", "False": "0"}  # how the environment spells them


@dataclass(frozen=True, slots=True)
class SubmittedLine:
    """The line of a log that gives the number which submission.json declares."""

    file: str
    printed: Printed
    is_last: bool  # nothing that may be a score was printed behind it


@dataclass(frozen=True)
class Logs:
    """Settings by lower-case name; and the printed text."""

    settings: Mapping[str, Setting] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)  # by file name
    declared: float | None = None  # bits per byte in submission.json
    unreadable: Mapping[str, str] = field(default_factory=dict)  # why, by file name

    @cached_property
    def submitted(self) -> tuple[SubmittedLine, ...]:
        """The line of each log that gives the declared number; empty when nothing tells, or where
        such a line calls itself a diagnostic, which may come to that number by chance.
        """
        claim = declared_score(self.texts.values(), self.figures)
        found = [_submitted(name, text, claim) for name, text in self.texts.items()]
        lines = [one for one in found if one is not None]
        told = (kind(one.printed) in claim.declared and not one.printed.diagnostic for one in lines)
        return tuple(lines) if all(told) else ()

    @property
    def figures(self) -> tuple[float, ...]:
        """What submission.json declares, and the means that go with it."""
        means = [
            one.value for name, one in self.settings.items() if "val_bpb" in name and "mean" in name
        ]
        declared = () if self.declared is None else (self.declared,)
        return (*declared, *(float(one) for one in means if _DECIMAL.fullmatch(one)))

    @property
    def last_is_headline(self) -> bool | None:
        """Whether the last number printed is the declared one; None when nothing tells."""
        return any(one.is_last for one in self.submitted) if self.submitted else None

    def printed(self, message: str) -> str | None:
        """Where a message was printed; an occurrence inside quotes is source, not output."""
        if len(message.strip()) < SHORTEST_MESSAGE:
            return None
        for name, text in self.texts.items():
            at = text.find(message)
            while at >= 0:
                if _is_output(text, at, message):
                    return f"{name} line {text.count(chr(10), 0, at) + 1}"
                at = text.find(message, at + 1)
        return None


def _submitted(name: str, text: str, claim: DeclaredScore) -> SubmittedLine | None:
    """None where nothing was printed that may be a score."""
    numbers = printed_numbers(text)
    found = headline(numbers, claim)
    if found is None:
        return None
    last = headline(numbers)
    as_printed = next(one for one in numbers if one.line == found.line)
    return SubmittedLine(name, as_printed, last is not None and last.line == found.line)


def _is_output(text: str, at: int, message: str) -> bool:
    """Not inside quotes, which is source, and not a line of a dump of settings."""
    if text[at - 1 : at] in tuple(_QUOTES) or text[at + len(message) : at + len(message) + 1] in (
        "{",
        '"',
        "'",
    ):
        return False
    end = text.find("\n", at)
    return not _DUMPED.match(text[text.rfind("\n", 0, at) + 1 : end if end >= 0 else None])


def logs_of(folder: Path) -> Logs:
    """Reads `*.log` and the training logs among `*.txt`, then submission.json as a last source."""
    texts: dict[str, str] = {}
    unreadable: dict[str, str] = {}
    paths = [*sorted(folder.glob("*.log")), *sorted(folder.glob("*.txt"))]
    for path in paths:
        if len(texts) < MAX_LOGS and path.is_file():
            paper = read_paper(path, MAX_BYTES) or Paper("")
            shows_progress = _PROGRESS.search(paper.text) is not None
            if shows_progress:
                texts[path.name] = paper.text
            if paper.unreadable and (shows_progress or path.suffix == ".log"):
                unreadable[path.name] = paper.unreadable
    return replace(from_texts(texts, manifest_of(folder).flat), unreadable=unreadable)


def from_texts(texts: Mapping[str, str], manifest: Mapping[str, object]) -> Logs:
    agreed: dict[str, Setting] = {}
    contradicted: set[str] = set()
    for name, text in texts.items():
        for key, value in _settings(text).items():
            if key in agreed and agreed[key].value != value:
                contradicted.add(key)
            agreed.setdefault(key, Setting(value, name, SettingKind.LOG))
    for key in contradicted:
        del agreed[key]
    for key, one in manifest.items():
        if isinstance(one, bool | int | float | str) and key.lower() not in agreed:
            value = _WORDS.get(str(one), str(one))
            agreed[key.lower()] = Setting(value, MANIFEST, SettingKind.MANIFEST)
    declared = manifest.get("val_bpb")
    return Logs(agreed, dict(texts), _figure(declared))


def _figure(declared: object) -> float | None:
    """A number that can be a score: JSON allows any number of digits, and some write Infinity."""
    if not isinstance(declared, int | float) or not 0 <= declared < MOST_BITS:
        return None
    return float(declared)


def dumped(text: str) -> dict[str, str]:
    """Settings that a log lists, one a line: what the script was told, and nothing measured."""
    found: dict[str, str] = {}
    run: list[tuple[str, str]] = []
    for line in (*text.split("\n"), ""):
        if match := _DUMPED.match(line):
            run.append((match[1], match[2]))
            continue
        if len(run) >= 8:  # a dump, not a line that happens to look like one
            _keep(found, run)
        run = []
    return found


def _settings(text: str) -> dict[str, str]:
    """Settings of one log: the first value of a name counts, later lines show progress."""
    found = dumped(text)
    for line in text.split("\n"):
        if _DUMPED.match(line):
            continue
        if len(line) < 3_000 and not line.startswith((" ", "\t", "step", "warmup")):
            _keep(found, ((one[1].lower(), one[2]) for one in _ASSIGNED.finditer(line)))
            _keep(found, ((one[1], one[2]) for one in _INLINE.finditer(line)))
    return found


def _keep(found: dict[str, str], pairs: Iterable[tuple[str, str]]) -> None:
    for name, value in pairs:
        found.setdefault(name, _WORDS.get(value, value))
