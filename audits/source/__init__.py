"""Bytes to a syntax tree: encodings, self-extracting wrappers, newer grammar.

Guarantees: nothing of the file runs; decoding is bounded; a file that cannot be read is
`unreadable`, never clean.
Does not cover: payloads built at run time or encrypted ones.
"""

from __future__ import annotations

import ast
import io
import threading
import tokenize
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from audits.bounded import at_file
from audits.source import bundle
from audits.source.unpack import find_payload

MAX_BYTES = 8_000_000  # the largest real script is 1.4 MB
MAX_LAYERS = 4
TOO_DEEP = "nested too deeply"
# CPython 3.11 counts how deep a tree is for the whole interpreter: where the garbage collector lets
# a second thread parse meanwhile, the first one ends in a SystemError ("depth mismatch").
ONE_AT_A_TIME = threading.Lock()


class Outcome(StrEnum):
    """How much of a file could be read."""

    PARSED = "parsed"
    UNPACKED = "unpacked"
    PARTLY = "partly"
    UNREADABLE = "unreadable"
    SKIPPED = "skipped"  # not part of what the entry runs


@dataclass(frozen=True, slots=True)
class Source:
    """One file as far as it could be read."""

    outcome: Outcome
    text: str  # the innermost text; lines of findings refer to it
    tree: ast.Module | None
    wrapper_line: int | None = None  # line of the outermost payload, in the file itself
    note: str = ""
    parts: Mapping[str, ast.Module] = field(default_factory=dict)  # further files in a payload


class Unreadable(Exception):
    """There is no content to be had; the text says why."""


def read_source(path: Path) -> Source:
    """Reads a file, whatever it holds."""
    at_file(path.name)
    try:
        return from_bytes(content_of(path))
    except Unreadable as error:
        return Source(Outcome.UNREADABLE, "", None, note=str(error))


def content_of(path: Path) -> bytes:
    """Of a file that may be code. What is neither a file nor a link to one is not opened: a pipe
    would be waited for, and a device has no end. Raises Unreadable.
    """
    try:
        if not path.is_file():
            raise Unreadable("no regular file")
        if path.stat().st_size > MAX_BYTES:
            raise Unreadable(f"larger than {MAX_BYTES} bytes")
        return path.read_bytes()
    except OSError as error:
        raise Unreadable(error.strerror or str(error)) from error


def from_bytes(raw: bytes) -> Source:
    """Text, then tree; a wrapper is replaced by what it carries."""
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(raw).readline)
        text = raw.decode(encoding)
    except (SyntaxError, ValueError, LookupError) as error:  # its first line names the encoding
        return Source(Outcome.UNREADABLE, "", None, note=f"not text: {error}")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    with ONE_AT_A_TIME:
        return _unwrapped(text)


def _unwrapped(text: str) -> Source:
    wrapper_line: int | None = None
    wrapper: ast.Module | None = None
    for _ in range(MAX_LAYERS):
        source = _parse(text, wrapper)
        if source.tree is None or (payload := find_payload(text, source.tree)) is None:
            break
        wrapper_line = payload.line if wrapper_line is None else wrapper_line
        if payload.text is None:
            return Source(Outcome.UNREADABLE, text, None, wrapper_line, payload.note)
        text, wrapper = payload.text, source.tree
    if wrapper_line is None:
        return source
    outcome = Outcome.UNPACKED if source.outcome is Outcome.PARSED else source.outcome
    return replace(source, outcome=outcome, wrapper_line=wrapper_line)


def _parse(text: str, wrapper: ast.Module | None = None) -> Source:
    try:
        return Source(Outcome.PARSED, text, ast.parse(text))
    except (SyntaxError, ValueError) as error:
        problem = str(error)
    except (RecursionError, MemoryError):  # the latter is how its parser says it
        return Source(Outcome.UNREADABLE, text, None, note=TOO_DEEP)
    from audits.source.grammar import is_deep, lowered  # LibCST takes 0.1 s to load; few need it

    if is_deep(text):
        return Source(Outcome.UNREADABLE, text, None, note=f"{TOO_DEEP}: {problem}")

    if (rewritten := lowered(text)) is not None:
        try:
            note = "newer grammar: f-strings were rewritten to be read"
            return Source(Outcome.PARSED, text, ast.parse(rewritten), note=note)
        except (SyntaxError, ValueError, RecursionError) as error:
            problem = str(error)
    found = _bundle(text, wrapper) if wrapper is not None else None
    return (
        found
        or _beginning(text)
        or Source(Outcome.UNREADABLE, text, None, note=f"not Python: {problem}")
    )


def _bundle(text: str, wrapper: ast.Module) -> Source | None:
    """Several files in one payload: the first one is started, and finds the others."""
    found = bundle.parts(text, wrapper)
    first = next(iter(found.values()), None)
    if first is None:
        return None
    unread = [name for name, tree in found.items() if tree is None]
    note = f"not read: {', '.join(unread)}" if unread else ""
    python = {name: tree for name, tree in found.items() if tree is not None}
    broken = any(name.endswith(".py") for name in unread)
    return Source(
        Outcome.PARTLY if broken else Outcome.PARSED, text, first, note=note, parts=python
    )


def _beginning(text: str) -> Source | None:
    """Python in front of something else."""
    if (first := bundle.first_of_several(text)) is None:
        return None
    tree, end = first
    note = f"only the Python before line {end + 1} was read"
    return Source(Outcome.PARTLY, text, tree, note=note)
