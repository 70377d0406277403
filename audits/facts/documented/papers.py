"""The papers of a folder, which are README, logs, run scripts and submission.json: text, as far as
there is any.

Guarantees: whatever lies there, no exception; what is not all text is given as far as it is, and
says why it is not. What is neither a file nor a link to one is not opened, so that nothing waits
on a pipe.
Does not cover: what a paper says.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Paper:
    """One file."""

    text: str
    unreadable: str = ""  # why some of it, or all of it, is missing from the text


def read_paper(path: Path, at_most: int = -1) -> Paper | None:
    """None where there is nothing of the name; of a longer file, that many bytes."""
    try:
        if path.is_dir():
            return Paper("", "a folder, no file")
        if not path.is_file():
            return Paper("", "no regular file") if path.exists() or path.is_symlink() else None
        with path.open("rb") as file:
            raw = file.read(at_most)
            whole = not file.read(1)
    except OSError as error:
        return Paper("", error.strerror or str(error))
    return _decoded(raw.removeprefix(b"\xef\xbb\xbf"), whole=whole)


def _decoded(raw: bytes, *, whole: bool) -> Paper:
    try:
        return Paper(raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        text = raw.decode("utf-8", "replace")
        cut = not whole and error.start > len(raw) - 4  # in the middle of the last character
        return Paper(text, "" if cut else f"not UTF-8: byte {error.start} is {raw[error.start]:#x}")
