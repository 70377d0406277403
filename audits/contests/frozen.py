"""Is the evaluator the contest's own? Frozen files, compared by SHA-256.

Guarantees: a file that is missing, or whose content is none of the contest's, is named with its
digest. Does not cover: what the editable file does to a frozen one while it runs.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from audits.contests.contest import Contest

MAX_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class FrozenFile:
    """One frozen file as the folder holds it."""

    path: str
    sha256: str  # empty where it is not there
    is_own: bool  # the contest's own content

    @property
    def said(self) -> str:
        """What is wrong with it, one sentence."""
        if not self.sha256:
            return f"{self.path}, which gives the contest's number, is not there or not readable"
        return (
            f"{self.path} is not the contest's file (SHA-256 {self.sha256[:12]}...): the number is"
            " that of another evaluator"
        )


def frozen_files(contest: Contest, folder: Path) -> tuple[FrozenFile, ...]:
    """Each frozen file of the contest."""
    return tuple(_seen(one.path, one.sha256, folder) for one in contest.files.frozen)


def _seen(path: str, known: tuple[str, ...], folder: Path) -> FrozenFile:
    try:
        digest = _digest(folder / path)
    except OSError:  # closed to us
        digest = ""
    return FrozenFile(path, digest, is_own=bool(digest) and (not known or digest in known))


def _digest(file: Path) -> str:
    """Empty of what is no plain file."""
    if file.is_symlink() or not file.is_file() or file.stat().st_size > MAX_BYTES:
        return ""
    return hashlib.sha256(file.read_bytes()).hexdigest()
