"""The commit of the checkout that a folder lies in.

Read off the files: git itself would run what an unknown checkout's configuration names.
Guarantees: nothing is run; None where nothing that looks like a commit stands there. Does not
cover whether the folder's files are those of the commit.
"""

import os
import re
import stat
from pathlib import Path

_COMMIT = re.compile(r"[0-9a-f]{40}")
MOST_CHARACTERS = 1 << 24  # of a file; packed-refs of a large project is a few megabytes
_REF = re.compile(r"ref: (refs/[\w./-]+)")


def commit_of(path: Path) -> str | None:
    """40 hex digits of HEAD, of the nearest checkout around `path`."""
    for folder in (path.resolve(), *path.resolve().parents):
        git = folder / ".git"
        if git.exists():
            return _head(_git_folder(git))
    return None


def _git_folder(git: Path) -> Path:
    """A worktree's `.git` is a file that names the folder."""
    if git.is_dir():
        return git
    return (git.parent / _text(git).removeprefix("gitdir: ").strip()).resolve()


def _head(git: Path) -> str | None:
    head = _text(git / "HEAD").strip()
    ref = _REF.fullmatch(head)
    if ref is None or ".." in head:
        return head if _COMMIT.fullmatch(head) else None
    common = git / _text(git / "commondir").strip()  # of a worktree; the folder itself else
    found = _text(common / ref[1]).strip() or _packed(_text(common / "packed-refs"), ref[1])
    return found if _COMMIT.fullmatch(found) else None


def _packed(refs: str, name: str) -> str:
    lines = (line.split(" ") for line in refs.splitlines())
    return next((line[0] for line in lines if line[1:] == [name]), "")


def _text(path: Path) -> str:
    """Empty where it cannot be read, or is no plain file: nobody may write to a pipe."""
    try:
        opened = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        with open(opened, encoding="utf-8") as file:
            plain = stat.S_ISREG(os.fstat(opened).st_mode)
            return file.read(MOST_CHARACTERS) if plain else ""
    except (OSError, ValueError):
        return ""
