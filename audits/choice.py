"""Which file of a folder is judged, by what the folder itself says.

Guarantees: what the commands start decides over names; where nothing decides, every file that may
be it is given. What the commands start too is never left out where it gives a score of its own or
is called eval*: it is judged where no command starts the file of the usual name, else named beside.
Does not cover: other scripts in whose code no score is recognised, as of those that prepare data;
commands outside README and *.sh.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from audits.facts.documented.commands import Command
from audits.facts.documented.entry import pointed_to
from audits.facts.documented.logs import Logs

EVALUATES = "eval"  # what the name of a script begins with that says what it does


@dataclass(frozen=True, slots=True)
class Started:
    """What a reading from a script shows that the commands start beside the usual file."""

    scores: bool
    launches: bool  # it only starts the usual file, as a program: that one's score is the score


@dataclass(frozen=True, slots=True)
class Choice:
    """Files of the folder."""

    entries: tuple[str, ...]  # the one that is judged, or all that may be it
    beside: tuple[str, ...] = ()  # the commands start these too, and they may give the score


@dataclass(frozen=True, slots=True)
class Papers:
    """What a choice rests on."""

    folder: Path
    files: Sequence[str]  # every Python file
    commands: Sequence[Command]
    logs: Logs


def choose(papers: Papers, read: Callable[[str, str], Started]) -> Choice:
    """The file of the usual name, unless the commands start only others that score."""
    usual = _usual(papers)
    others = [name for name in _started(papers) if name not in usual]
    shown = {name: read(name, usual[0]) for name in others}
    own = {name: started.scores for name, started in shown.items() if not started.launches}
    scoring = [name for name, scores in own.items() if scores]
    beside = [name for name in own if name in scoring or _last(name).startswith(EVALUATES)]
    if len(usual) > 1:
        return Choice((*usual, *beside))
    instead = tuple(name for name in scoring if "/" not in name)
    if instead and not _may_be_started(usual[0], papers):
        return Choice(instead, tuple(name for name in beside if name not in instead))
    return Choice(usual, tuple(beside))


def _usual(papers: Papers) -> tuple[str, ...]:
    """The one file that names, commands and sizes point to, else all that may be it."""
    files = papers.files
    started = list(dict.fromkeys(one.script for one in papers.commands if one.script in files))
    top = [name for name in files if "/" not in name]
    trains = [name for name in top if name.startswith("train")]
    likely = [name for name in started if name.startswith("train")] or trains or started
    for names in (likely, top):
        if len(names) == 1:
            return (names[0],)
        if "train_gpt.py" in names:
            return ("train_gpt.py",)
    if (pointed := pointed_to(papers.folder, files, papers.logs)) is not None:
        return (pointed,)
    named = {command.script for command in papers.commands}
    below = [name for name in files if _last(name) in named]
    return tuple(sorted(likely or (below if len(below) == 1 else top or files)))


def _started(papers: Papers) -> list[str]:
    """Files that commands start: commands give the last part of a path, which has to be unique."""
    found: list[str] = []
    for script in dict.fromkeys(command.script for command in papers.commands):
        named = [name for name in papers.files if _last(name) == script]
        found += [script] if script in named else named if len(named) == 1 else []
    return found


def _may_be_started(name: str, papers: Papers) -> bool:
    """Also by the name that it had elsewhere: a command for a training script that is not here."""
    here = {_last(file) for file in papers.files}
    return name in _started(papers) or any(
        command.script.startswith("train") and command.script not in here
        for command in papers.commands
    )


def _last(name: str) -> str:
    """All that a command is known by."""
    return name.rpartition("/")[2]
