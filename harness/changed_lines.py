"""Which lines of a working tree are others than in a revision, as git says.

Guarantees: nothing of the repository is run but git's own diff, without external tools and text
filters. Does not cover: files that git ignores.
"""

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.errors import UsageError

GIT_S = 20.0
_FILE = re.compile(r"^\+\+\+ (?:b/)?(.*?)\t?$")
_HUNK = re.compile(r"^@@ -\S+ \+(\d+)(?:,(\d+))? @@")


@dataclass(frozen=True)
class Changed:
    """Lines of the working tree, by file relative to the folder."""

    base: str
    lines: Mapping[str, frozenset[int]]

    @property
    def said(self) -> str:
        """One phrase."""
        count, files = sum(map(len, self.lines.values())), len(self.lines)
        plural = "" if count == 1 else "s"
        return f"{count} line{plural} of {files} file{'' if files == 1 else 's'} since {self.base}"

    def holds(self, place: str) -> bool:
        """Whether `train.py:12` is one of them."""
        file, _, line = place.rpartition(":")
        return line.isdigit() and int(line) in self.lines.get(file, frozenset())


def changed_lines(folder: Path, base: str) -> Changed:
    """Raises UsageError where there is no repository, or no such revision."""
    if base.startswith("-"):
        raise UsageError(f"--base {base}: no revision")
    tracked = _git(folder, "diff", "--relative", "--unified=0", "--no-color", "--no-ext-diff",
                   "--no-textconv", base, "--", ".")  # fmt: skip
    found = _of_diff(tracked)
    for name in _git(folder, "ls-files", "--others", "--exclude-standard", "-z").split("\0"):
        if name.endswith(".py") and (folder / name).is_file():
            count = (folder / name).read_bytes().count(b"\n") + 1
            found[name] = frozenset(range(1, count + 1))
    return Changed(base, found)


def _of_diff(text: str) -> dict[str, frozenset[int]]:
    found: dict[str, set[int]] = {}
    name = ""
    for line in text.split("\n"):
        if header := _FILE.match(line):
            name = header[1]
        elif name and (hunk := _HUNK.match(line)):
            first, count = int(hunk[1]), int(hunk[2] or 1)
            found.setdefault(name, set()).update(range(first, first + count))
    return {name: frozenset(lines) for name, lines in found.items() if lines}


def _git(folder: Path, *words: str) -> str:
    command = ["git", "-C", str(folder), "-c", "core.quotePath=false", *words]
    try:
        done = subprocess.run(command, capture_output=True, timeout=GIT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UsageError(f"git could not be run: {error}") from error
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().split("\n")[-1]
        raise UsageError(f"{folder}: {said}; run it in a repository, with --base REVISION")
    return done.stdout.decode(errors="replace")
