"""What to scan: a lone file, or a folder and the file in it that is judged.

Guarantees: one answer, by the same rule for everybody: what a native manifest names, else what the
commands start, else the only `train*.py`; otherwise the user is asked.
Does not cover: several programs in one folder; the entry is one file.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from audits.facts.documented.commands import commands_of, configuration
from audits.facts.documented.configuration import Configuration
from audits.facts.documented.logs import logs_of
from audits.facts.documented.manifest import manifest_of
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
    if not path.exists():
        raise UsageError(f"{path}: no such file or folder; give a script or a submission folder")
    if path.is_file():
        return Target(path.parent, path.name, (path.name,), Configuration())
    files = tuple(sorted(found.relative_to(path).as_posix() for found in path.rglob("*.py")))
    manifest = _native_entry(path)
    if not files and manifest is None:
        raise NothingToScan(f"{path}: no Python files and no harness manifest")
    commands = commands_of(path)
    started = [command.script for command in commands if command.script in files]
    native, _, factory = (manifest or "").partition(":")
    chosen = entry or native or _choose(path, files, started)
    if chosen not in files:
        raise UsageError(f"{path / chosen}: no such file; --entry takes a file inside the folder")
    config = configuration(commands, chosen, logs_of(path))
    factory = factory if chosen == native else ""
    return Target(path, chosen, files, config, _natives(path), factory)


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


def _choose(folder: Path, files: tuple[str, ...], started: list[str]) -> str:
    trains = [name for name in files if "/" not in name and name.startswith("train")]
    candidates = [name for name in dict.fromkeys(started) if name.startswith("train")] or trains
    candidates = candidates or list(dict.fromkeys(started))
    top = [name for name in files if "/" not in name]
    for names in (candidates, top):
        if len(names) == 1:
            return names[0]
        if "train_gpt.py" in names:
            return "train_gpt.py"
    listed = ", ".join(candidates or top or files)
    raise UsageError(
        f"{folder}: cannot tell which file is the submission ({listed}); name it with --entry FILE"
    )
