"""Self-extracting scripts: the payload is decoded from its literal, never by running the script.

Guarantees: output is bounded, also for bombs; a big literal in a file that is mostly other code is
left alone.
Does not cover: payloads split over files; encodings other than base85 and base64.
"""

from __future__ import annotations

import ast
import base64
import binascii
import importlib
import lzma
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

MIN_LITERAL: Final = 200  # characters; a packed script of twenty lines is already longer
MIN_SHARE: Final = 0.6  # of the file; real wrappers are above 0.9
MAX_TEXT: Final = 4_000_000  # bytes after decompression
_RAW_FILTERS: Final = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME}]


_RUNNERS = frozenset({"exec", "eval", "compile", "runpy", "subprocess", "execv", "__import__"})


@dataclass(frozen=True, slots=True)
class Payload:
    """What a wrapper carries; `text` is None when no known codec opens it."""

    line: int
    text: str | None
    note: str = ""


def find_payload(text: str, tree: ast.Module) -> Payload | None:
    """The payload of a wrapper, or None when the file is not one."""
    if not _runs_something(tree):
        return None
    best = max(_literals(tree), key=lambda literal: len(literal[1]), default=None)
    if best is None or len(best[1]) < max(MIN_LITERAL, MIN_SHARE * len(text)):
        return None
    line, blob = best
    opened = _open(blob)
    note = "" if opened else "packed: no known codec opens the payload"
    return Payload(line, opened, note)


def _runs_something(tree: ast.Module) -> bool:
    """Whether the file calls something that could run what it carries."""
    return any(
        getattr(node, "id", None) in _RUNNERS or getattr(node, "attr", None) in _RUNNERS
        for node in ast.walk(tree)
    )


def _literals(tree: ast.AST) -> Iterator[tuple[int, bytes]]:
    """String and bytes literals, pieces joined by `+` taken as one."""
    stack: list[ast.AST] = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, ast.BinOp) and (joined := _joined(node)) is not None:
            yield node.lineno, joined
        elif isinstance(node, ast.Constant) and (single := _joined(node)) is not None:
            yield node.lineno, single
        else:
            stack.extend(ast.iter_child_nodes(node))


def _joined(node: ast.AST) -> bytes | None:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = _joined(node.left), _joined(node.right)
        return None if left is None or right is None else left + right
    if isinstance(node, ast.Constant) and isinstance(node.value, bytes):
        return node.value
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value.encode("utf-8", "replace")
    return None


def _open(blob: bytes) -> str | None:
    compact = b"".join(blob.split())
    for decode in (base64.b85decode, _strict_b64, base64.a85decode, bytes):
        try:
            data = decode(compact if decode is not bytes else blob)
        except (ValueError, binascii.Error):
            continue
        for decompress in (_xz, _raw_lzma, _zlib, _raw_deflate, _zstd, _brotli, bytes):
            if (text := _as_python(decompress, data)) is not None:
                return text
    return None


def _strict_b64(data: bytes) -> bytes:
    return base64.b64decode(data, validate=True)


def _as_python(decompress: Callable[[bytes], bytes], data: bytes) -> str | None:
    """The text, when it decodes and reads like a program."""
    try:
        text = decompress(data).decode("utf-8")
    except (ValueError, lzma.LZMAError, zlib.error, EOFError, _Refused):
        return None
    looks = any(word in text for word in ("import ", "def ", "exec("))
    return text.replace("\r\n", "\n") if looks and "\0" not in text else None


class _Refused(Exception):
    """The data is not in this format, or opens to more than the limit."""


def _xz(data: bytes) -> bytes:
    return _drained(lzma.LZMADecompressor(lzma.FORMAT_AUTO), data)


def _raw_lzma(data: bytes) -> bytes:
    return _drained(lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=_RAW_FILTERS), data)


def _drained(decompressor: lzma.LZMADecompressor, data: bytes) -> bytes:
    out = decompressor.decompress(data, max_length=MAX_TEXT)
    if not decompressor.eof and not decompressor.needs_input:
        raise _Refused
    return out


def _zlib(data: bytes) -> bytes:
    return _inflated(zlib.decompressobj(), data)


def _raw_deflate(data: bytes) -> bytes:
    return _inflated(zlib.decompressobj(-zlib.MAX_WBITS), data)


def _inflated(decompressor: zlib._Decompress, data: bytes) -> bytes:
    out = decompressor.decompress(data, MAX_TEXT)
    if decompressor.unconsumed_tail or not decompressor.eof:
        raise _Refused
    return out


def _zstd(data: bytes) -> bytes:
    if data[:4] != b"\x28\xb5\x2f\xfd":
        raise _Refused
    zstandard = importlib.import_module("zstandard")
    reader = zstandard.ZstdDecompressor().stream_reader(data)
    out: bytes = reader.read(MAX_TEXT)
    return out


def _brotli(data: bytes) -> bytes:
    """Brotli is not in the standard library; without the package such a file stays unreadable."""
    try:
        brotli = importlib.import_module("brotli")
    except ImportError as error:
        raise _Refused from error
    try:
        out: bytes = brotli.decompress(data)
    except Exception as error:
        raise _Refused from error
    if len(out) > MAX_TEXT:
        raise _Refused
    return out
