"""The papers of a folder, which are README, logs, run scripts and submission.json: text, as far as
there is any.

Guarantees: whatever lies there, no exception; what is not all text is given as far as it is, and
says why it is not. What is neither a file nor a link to one is not opened, so that nothing waits
on a pipe; nor is a link that leads out of the folder followed.
Does not cover: what a paper says.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from audits.bounded import at_file

MAX_BYTES = 2_000_000  # of one paper; the longest README of two thousand real ones has 0.1 MB

READ_BYTES = 1 << 20  # at a time, where only lines are counted
LEAVES = "a link that leads out of its folder"


@dataclass(frozen=True, slots=True)
class Paper:
    """One file."""

    text: str
    unreadable: str = ""  # why some of it, or all of it, is missing from the text


def read_paper(path: Path, at_most: int | None = None) -> Paper | None:
    """None where there is nothing of the name; of a longer file, the beginning: that is all that
    was wanted where `at_most` says how many bytes.
    """
    at_file(path.name)
    try:
        if path.is_dir():
            return Paper("", "a folder, no file")
        if not path.is_file():
            return Paper("", "no regular file") if path.exists() or path.is_symlink() else None
        if leaves(path, path.parent):
            return Paper("", LEAVES)
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES if at_most is None else at_most)
            whole = not file.read(1)
    except OSError as error:
        return Paper("", error.strerror or str(error))
    paper = _decoded(raw.removeprefix(b"\xef\xbb\xbf"), whole=whole)
    if at_most is None and not whole:
        return Paper(paper.text, f"longer than {MAX_BYTES} bytes: only its beginning was read")
    return paper


@dataclass(frozen=True, slots=True)
class Ends:
    """A long paper: its beginning and its end, in whole lines."""

    begin: str
    end: str = ""  # empty: all of it is the beginning
    end_line: int = 0  # lines before the end
    unreadable: str = ""  # why some of it is missing


def read_ends(path: Path, of_each: int) -> Ends | None:
    """`of_each`: bytes of the beginning, and of the end. None where there is no such paper."""
    beginning = read_paper(path, 2 * of_each)
    if beginning is None:
        return None
    if not beginning.text or (n_bytes := path.stat().st_size) <= 2 * of_each:
        return Ends(beginning.text, unreadable=beginning.unreadable)
    begin = beginning.text[: beginning.text.rfind("\n", 0, of_each) + 1]
    with path.open("rb") as file:
        lines = 0
        while file.tell() < (start := n_bytes - of_each):
            lines += file.read(min(READ_BYTES, start - file.tell())).count(b"\n")
        _, _, raw = file.read(of_each).partition(b"\n")
    why = f"{n_bytes - of_each - len(raw):,} bytes of its middle were not read"
    return Ends(begin, _decoded(raw, whole=True).text, lines + 1, why)


def leaves(path: Path, folder: Path) -> bool:
    """Whether it is a link to something outside the folder, which is not the submission's."""
    return path.is_symlink() and not path.resolve().is_relative_to(folder.resolve())


def _decoded(raw: bytes, *, whole: bool) -> Paper:
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):  # as PowerShell writes what it is given
        return Paper(raw.decode("utf-16", "replace"))
    try:
        return Paper(raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        text = raw.decode("utf-8", "replace")
        cut = not whole and error.start > len(raw) - 4  # in the middle of the last character
        return Paper(text, "" if cut else f"not UTF-8: byte {error.start} is {raw[error.start]:#x}")
