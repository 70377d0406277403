"""Text of a submission inside our own documents: names, paths, log lines, notes, code.

Guarantees: what comes out is one line and shows every character: nothing in it moves a cursor,
turns the direction of reading, or is markup, a mention, a reference or an address to whoever
renders it. `lines` keeps line ends, and `fenced` is a code block that its content cannot close.
A stream writes what its encoding lacks as escapes, too. Does not cover: JSON and URIs, which their
own libraries quote.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable
from io import TextIOWrapper
from typing import Final, TextIO

# Markup wherever it stands, at the edge of a word, or only where a line starts; the ends of
# addresses that are linked without markup.
_MARKDOWN: Final = re.compile(
    r"[\\`*\[\]<>#|@&~$]|(?<![^\W_])_|_(?![^\W_])"
    r"|:(?=//)|\.(?<=www\.)|(?<=\bGH)-|^(?:[-+=]|\d+(?=[.)]))",
    re.IGNORECASE,
)
# GitHub looks for these in rendered text, where a character reference is the character itself.
_REFERENCES: Final = frozenset("@#-")
_NOTHING: Final = "<!-- -->"  # stands between what would be read together


def visible(text: str) -> str:
    """Control, invisible and direction characters as escapes, for a terminal or plain text."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def markdown_text(text: str) -> str:
    """Shown as it is by Markdown, also in a table's cell and on GitHub."""
    return _MARKDOWN.sub(_referenced, visible(text.strip()))


def html_text(text: str) -> str:
    """Shown as it is by HTML, also in a quoted attribute."""
    return html.escape(visible(text))


def write_escapes(stream: TextIO) -> None:
    """From now on: a terminal without umlauts ends no command."""
    if isinstance(stream, TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")


def lines(text: str, escape: Callable[[str], str] = visible) -> str:
    """Each line escaped by itself."""
    return "\n".join(map(escape, text.split("\n")))


def fenced(code: Iterable[str]) -> str:
    """A Markdown code block."""
    block = "\n".join(map(visible, code))
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", block)), default=0))
    return f"{fence}text\n{block}\n{fence}"


def _referenced(found: re.Match[str]) -> str:
    first, rest = found[0][0], found[0][1:]
    return f"&#{ord(first)};{rest}{_NOTHING if first in _REFERENCES else ''}"
