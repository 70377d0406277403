"""What to scan: a lone file, or a folder and the file in it that is judged.

Guarantees: one answer, by the same rule for everybody: what a native manifest names, else what the
commands start, else the only `train*.py`, else what the size of the code and the source in the logs
point to. Where none of these decides, every file that may be it is given, and called a candidate.
Does not cover: several programs that are one submission; the entry is one file.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from audits.facts.documented.commands import READMES, Command, commands_of, configuration
from audits.facts.documented.configuration import Configuration
from audits.facts.documented.entry import pointed_to
from audits.facts.documented.logs import Logs, logs_of
from audits.facts.documented.manifest import NAME as MANIFEST
from audits.facts.documented.manifest import manifest_of
from audits.facts.documented.papers import read_paper
from audits.facts.siblings import INSIDE
from audits.source import Source, read_source

NATIVE_SUFFIXES = frozenset({".c", ".cc", ".cpp", ".cxx", ".cu", ".h", ".hpp"})
MAX_NATIVE_FILES = 40
MAX_NATIVE_BYTES = 400_000  # of one file


class NothingToScan(Exception):
    """There is no Python code here, and no manifest that names any."""


class UsageError(Exception):
    """The user has to say more; the text names the file, the cause and the cure."""


@dataclass(frozen=True, slots=True)
class Target:
    """What will be read."""

    root: Path
    entry: str  # relative to root
    files: tuple[str, ...]  # every Python file, the entry included
    config: Configuration
    natives: Mapping[str, str] = field(default_factory=dict)  # C and C++ beside the script
    factory: str = ""  # the function that gives a native predictor
    papers: Mapping[str, str] = field(default_factory=dict)  # those that cannot be read: why


class Files:
    """The Python files of a target, each read once, when it is first asked for."""

    def __init__(self, target: Target, sources: Mapping[str, Source] | None = None) -> None:
        self.target = target
        self.sources: dict[str, Source] = dict(sources or {})

    def tree_of(self, name: str) -> ast.Module | None:
        """The syntax tree; None for what is no file of the target, or cannot be read.

        `packed.py!/inner.py` is a file in the payload of another one.
        """
        outer, _, inner = name.partition(INSIDE)
        if inner:
            return self.sources[outer].parts.get(inner) if outer in self.sources else None
        if name not in self.target.files:
            return None
        if name not in self.sources:
            self.sources[name] = read_source(self.target.root / name)
        return self.sources[name].tree


def target_of(path: Path, entry: str | None) -> Target:
    """The one target. Raises UsageError where the folder leaves several files."""
    first, *others = targets_of(path, entry)
    if others:
        listed = ", ".join(one.entry for one in (first, *others))
        raise UsageError(
            f"{path}: cannot tell which file is the submission ({listed}); name it with --entry"
            " FILE"
        )
    return first


def targets_of(path: Path, entry: str | None) -> tuple[Target, ...]:
    """One, or one for each file that may be the entry."""
    if not path.exists():
        raise UsageError(f"{path}: no such file or folder; give a script or a submission folder")
    if path.is_file():
        return (Target(path.parent, path.name, (path.name,), Configuration()),)
    files = tuple(sorted(_python_files(path)))
    manifest = _native_entry(path)
    if not files and manifest is None:
        raise NothingToScan(_no_code(path))
    commands, logs = commands_of(path), logs_of(path)
    native, _, factory = (manifest or "").partition(":")
    named = entry or native
    chosen = (named,) if named else _candidates(path, files, commands, logs)
    if named and named not in files:
        raise UsageError(f"{path / named}: no such file; --entry takes a file inside the folder")
    natives, papers = _natives(path), _unreadable(path, logs)
    return tuple(
        Target(
            path,
            name,
            files,
            configuration(commands, name, logs),
            natives,
            factory if name == native else "",
            papers,
        )
        for name in chosen
    )


def _python_files(folder: Path) -> Iterator[str]:
    for found in folder.rglob("*.py"):
        if not found.is_dir():
            yield found.relative_to(folder).as_posix()


def _no_code(folder: Path) -> str:
    why = manifest_of(folder).unreadable
    said = f"; {MANIFEST} cannot be read ({why})" if why else ""
    return f"{folder}: no Python files and no harness manifest{said}"


def _unreadable(folder: Path, logs: Logs) -> dict[str, str]:
    """Papers that cannot be read, each with the reason."""
    found = {MANIFEST: manifest_of(folder).unreadable}
    readmes = ((name, read_paper(folder / name)) for name in READMES)
    found |= {name: paper.unreadable for name, paper in readmes if paper is not None}
    return {name: why for name, why in (found | dict(logs.unreadable)).items() if why}


def _natives(folder: Path) -> dict[str, str]:
    """C and C++ sources of the folder."""
    found: dict[str, str] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix in NATIVE_SUFFIXES and path.is_file() and len(found) < MAX_NATIVE_FILES:
            text = path.read_bytes()[:MAX_NATIVE_BYTES].decode("utf-8", "replace")
            found[path.relative_to(folder).as_posix()] = text
    return found


def _native_entry(folder: Path) -> str | None:
    """`harness.program` or `harness.predictor` ("file:factory") in submission.json."""
    harness = manifest_of(folder).native
    if harness is None:
        return None
    named = harness.get("program") or harness.get("predictor")
    if not isinstance(named, str):
        raise NothingToScan(f"{folder}: a declared engine; the submission has no code to read")
    return named


def _candidates(
    folder: Path, files: tuple[str, ...], commands: list[Command], logs: Logs
) -> tuple[str, ...]:
    """The one file that the folder's own evidence names, else all that may be it."""
    started = list(dict.fromkeys(one.script for one in commands if one.script in files))
    top = [name for name in files if "/" not in name]
    trains = [name for name in top if name.startswith("train")]
    likely = [name for name in started if name.startswith("train")] or trains or started
    for names in (likely, top):
        if len(names) == 1:
            return (names[0],)
        if "train_gpt.py" in names:
            return ("train_gpt.py",)
    if (pointed := pointed_to(folder, files, logs)) is not None:
        return (pointed,)
    named = {command.script for command in commands}
    below = [name for name in files if name.rpartition("/")[2] in named]
    return tuple(sorted(likely or (below if len(below) == 1 else top or files)))
