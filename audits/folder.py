"""What to scan: a lone file, or a folder and the file in it that is judged.

Guarantees: one answer, by the same rule for everybody: what a native manifest names, else what the
commands start, else the only `train*.py`, else what the size of the code and the source in the logs
point to. Where none of these decides, every file that may be it is given, and called a candidate.
So is a script that gives a score and that the commands start beside the one that is judged.
Does not cover: several programs that are one submission; the entry is one file.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from audits import facts
from audits.choice import Choice, Papers, Started, choose
from audits.facts.documented.commands import READMES, commands_of, configuration
from audits.facts.documented.configuration import Configuration
from audits.facts.documented.logs import Logs, logs_of
from audits.facts.documented.manifest import NAME as MANIFEST
from audits.facts.documented.manifest import manifest_of
from audits.facts.documented.papers import LEAVES, leaves, read_paper
from audits.facts.siblings import INSIDE
from audits.files import LONGEST_PATH, files_below, too_deep
from audits.flow import scores
from audits.source import Outcome, Source, read_source

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
    doubts: Mapping[str, str] = field(default_factory=dict)  # those that two readers read otherwise
    links: frozenset[str] = frozenset()  # of `files`: those that lead out of the folder


@dataclass(frozen=True, slots=True)
class Targets:
    """What of a folder is read."""

    entries: tuple[Target, ...]  # one, or one for each file that may be the entry
    beside: tuple[Target, ...] = ()  # scripts that are started too, and may give the score


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
            elsewhere = name in self.target.links
            unread = Source(Outcome.UNREADABLE, "", None, note=LEAVES)
            self.sources[name] = unread if elsewhere else read_source(self.target.root / name)
        return self.sources[name].tree


def target_of(path: Path, entry: str | None) -> Target:
    """The one target. Raises UsageError where the folder leaves several files."""
    first, *others = targets_of(path, entry).entries
    if others:
        listed = ", ".join(one.entry for one in (first, *others))
        raise UsageError(
            f"{path}: cannot tell which file is the submission ({listed}); name it with --entry"
            " FILE"
        )
    return first


def targets_of(path: Path, entry: str | None) -> Targets:
    """One entry, or one for each file that may be it, and what else gives a score."""
    _require(path)
    if path.is_file():
        return Targets((Target(path.parent, path.name, (path.name,), Configuration()),))
    files = tuple(sorted(_python_files(path)))
    manifest = _native_entry(path)
    if not files and manifest is None:
        raise NothingToScan(_no_code(path))
    commands, logs = commands_of(path), logs_of(path)
    native, _, factory = (manifest or "").partition(":")
    doubts = {MANIFEST: why} if (why := manifest_of(path).doubtful) else {}
    natives, papers = _natives(path), _unreadable(path, logs)
    links = frozenset(name for name in files if _is_elsewhere(path / name, path))

    def target(name: str) -> Target:
        config = configuration(commands, name, logs)
        made_by = factory if name == native else ""
        return Target(path, name, files, config, natives, made_by, papers, doubts, links)

    named = entry or native
    if named and named not in files:
        raise UsageError(f"{path / named}: no such file; --entry takes a file inside the folder")
    chosen = (
        Choice((named,))
        if named
        else choose(
            Papers(path, files, commands, logs), lambda name, usual: _started(target(name), usual)
        )
    )
    return Targets(tuple(map(target, chosen.entries)), tuple(map(target, chosen.beside)))


def _require(path: Path) -> None:
    try:
        there = path.exists()
    except OSError as error:  # such as a name that is too long, or a folder that is closed to us
        why = f"{path}: {error.strerror}; give a script or a submission folder"
        raise UsageError(why) from error
    if not there:
        raise UsageError(f"{path}: no such file or folder; give a script or a submission folder")


def _started(target: Target, usual: str) -> Started:
    own = facts.run(Files(target).tree_of, target.entry, target.config, explore=True)
    program = own.loaded.get(usual)
    as_main = program is not None and program.names["__name__"].const == "__main__"
    sites = [one.site for one in own.trace.accumulations] + [one.site for one in own.trace.updates]
    works = target.entry in {site.file for site in sites}
    return Started(any(scores(own.trace)), launches=as_main and not works)


def _python_files(folder: Path) -> Iterator[str]:
    for found in files_below(folder):
        if found.suffix == ".py":
            yield found.relative_to(folder).as_posix()


def _is_elsewhere(file: Path, folder: Path) -> bool:
    return file.is_file() and leaves(file, folder)


def _no_code(folder: Path) -> str:
    why = manifest_of(folder).unreadable
    said = f"; {MANIFEST} cannot be read ({why})" if why else ""
    return f"{folder}: no Python files and no harness manifest{said}"


def _unreadable(folder: Path, logs: Logs) -> dict[str, str]:
    """Papers that cannot be read, each with the reason."""
    found = {MANIFEST: manifest_of(folder).unreadable}
    readmes = ((name, read_paper(folder / name)) for name in READMES)
    found |= {name: paper.unreadable for name, paper in readmes if paper is not None}
    if deep := too_deep(folder):
        found[deep] = f"paths of more than {LONGEST_PATH:,} bytes"
    return {name: why for name, why in (found | dict(logs.unreadable)).items() if why}


def _natives(folder: Path) -> dict[str, str]:
    """C and C++ sources of the folder."""
    found: dict[str, str] = {}
    for path in sorted(files_below(folder)):
        if path.suffix in NATIVE_SUFFIXES and path.is_file() and len(found) < MAX_NATIVE_FILES:
            paper = read_paper(path, MAX_NATIVE_BYTES)
            found[path.relative_to(folder).as_posix()] = "" if paper is None else paper.text
    return found


def _native_entry(folder: Path) -> str | None:
    """`harness.program` or `harness.predictor` ("file:factory") in submission.json."""
    harness = manifest_of(folder).native
    if harness is None:
        return None
    named = harness.get("program") or harness.get("predictor")
    if isinstance(named, str):
        return named
    if "engine" in harness:
        raise NothingToScan(f"{folder}: a declared engine; the submission has no code to read")
    has = ", ".join(map(repr, harness)) or "nothing"
    raise NothingToScan(
        f"{folder}: `harness` in {MANIFEST} names no program, predictor or engine (it has {has});"
        " correct it"
    )
