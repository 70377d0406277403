"""Bytes to a syntax tree: encodings, self-extracting wrappers, newer grammar.

Guarantees: nothing of the file runs; decoding is bounded; a file that cannot be read is
`unreadable`, never clean.
Does not cover: payloads built at run time or encrypted ones.
"""

from __future__ import annotations

import ast
import io
import tokenize
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from audits.source.unpack import Payload, find_payload

MAX_BYTES = 8_000_000  # the largest real script is 1.4 MB
MAX_LAYERS = 4


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


def read_source(path: Path) -> Source:
    """Reads a file, whatever it holds."""
    try:
        if path.stat().st_size > MAX_BYTES:
            return Source(Outcome.UNREADABLE, "", None, note=f"larger than {MAX_BYTES} bytes")
        return from_bytes(path.read_bytes())
    except OSError as error:
        return Source(Outcome.UNREADABLE, "", None, note=error.strerror or str(error))


def from_bytes(raw: bytes) -> Source:
    """Text, then tree; a wrapper is replaced by what it carries."""
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(raw).readline)
        text = raw.decode(encoding)
    except (SyntaxError, UnicodeDecodeError) as error:
        return Source(Outcome.UNREADABLE, "", None, note=f"not text: {error}")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _unwrapped(text)


def _unwrapped(text: str) -> Source:
    wrapper_line: int | None = None
    for _ in range(MAX_LAYERS):
        source = _parse(text)
        if source.tree is None or (payload := find_payload(text, source.tree)) is None:
            break
        wrapper_line = payload.line if wrapper_line is None else wrapper_line
        if payload.text is None:
            return Source(Outcome.UNREADABLE, text, None, wrapper_line, payload.note)
        text = payload.text
    if wrapper_line is None:
        return source
    outcome = Outcome.UNPACKED if source.outcome is Outcome.PARSED else source.outcome
    return Source(outcome, source.text, source.tree, wrapper_line, source.note)


def _parse(text: str) -> Source:
    try:
        return Source(Outcome.PARSED, text, ast.parse(text))
    except (SyntaxError, ValueError, RecursionError) as error:
        problem = str(error)
    from audits.source.grammar import lowered  # LibCST takes 0.1 s to load; few files need it

    if (rewritten := lowered(text)) is not None:
        try:
            note = "newer grammar: f-strings were rewritten to be read"
            return Source(Outcome.PARSED, text, ast.parse(rewritten), note=note)
        except (SyntaxError, ValueError, RecursionError) as error:
            problem = str(error)
    return _bundle(text) or Source(Outcome.UNREADABLE, text, None, note=f"not Python: {problem}")


def _bundle(text: str) -> Source | None:
    """Python, then another language behind a marker line such as `# === FB ===`."""
    lines = text.split("\n")
    for number, line in enumerate(lines):
        if number > 10 and line.startswith("# ==="):
            try:
                tree = ast.parse("\n".join(lines[:number]))
            except (SyntaxError, ValueError, RecursionError):
                continue
            note = f"only the Python before line {number + 1} was read"
            return Source(Outcome.PARTLY, text, tree, note=note)
    return None


__all__ = ["Outcome", "Payload", "Source", "from_bytes", "read_source"]
