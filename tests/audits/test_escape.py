"""Text of a submission in our documents: whatever it holds, it stays text."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audits.output.escape import fenced, html_text, lines, markdown_text, visible

PIECES = (
    "|", "`", "``` ", "<script>", "</td>", "<!--", "-->", "](", "[x](http://evil)", "![", "@org",
    "#1", "GH-7", "\n", "\r", "\n\n", "\n# ", "\x1b[31m", "\u202e", "\u200b", "\ud800", "\0",
    "&lt;", "&#64;", '"', "'", "\\", "~~", "$x$", "www.evil", "- ", "1. ", "    ", "a", "_b_",
)  # fmt: skip
HOSTILE = st.lists(st.sampled_from(PIECES), max_size=12).map("".join) | st.text(max_size=30)


@given(HOSTILE)
@settings(max_examples=60, deadline=None)
def test_no_text_is_markup(text: str) -> None:
    """One printable line each; no character that Markdown or HTML would read is left over."""
    for escape in (visible, markdown_text, html_text):
        assert escape(text).isprintable()
    left = re.sub(r"&#\d+;|<!-- -->", "", markdown_text(text))
    assert not set(left) & set("|`<>@#[]*~\\$&")
    assert not re.search(r"(?<![^\W_])_|_(?![^\W_])", left)  # inside a word it is a letter
    assert not re.search(r"://|www\.|\bGH-\d", left, re.IGNORECASE)
    assert not re.match(r"[-+=\s]|\d+[.)]", markdown_text(text))
    assert not set(html_text(text)) & set("<>\"'")
    assert lines(text).count("\n") == text.count("\n")


@given(st.lists(HOSTILE, max_size=3))
@settings(max_examples=25, deadline=None)
def test_code_cannot_end_its_block(code: list[str]) -> None:
    """The fence is longer than any in the code."""
    first, *within, last = fenced(code).split("\n")
    assert first == f"{last}text"
    assert not any(line.strip().startswith(last) for line in within)


@pytest.mark.parametrize("text", ["train_gpt.py", "records/2026-03-23_x y", "größe 7 über 日本"])
def test_plain_text_stays_readable(text: str) -> None:
    """What needs no escape is not touched, but for the underline of emphasis."""
    assert visible(text) == html_text(text) == text
    assert markdown_text(text) == text


def test_html_gives_the_text_back() -> None:
    """What a browser shows of it is what `visible` says."""
    seen: list[str] = []
    parser = HTMLParser()
    parser.handle_data = seen.append  # type: ignore[method-assign]
    parser.feed(html_text("".join(PIECES)))
    parser.close()
    assert "".join(seen) == visible("".join(PIECES))
