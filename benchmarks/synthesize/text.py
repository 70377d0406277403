"""Templates of code: `#: name` lines that other code takes the place of, `{{name}}` settings.

Guarantees: what is put at a place stands at its indentation; a place that nothing was put at
leaves no trace. Does not cover: whether the result is Python; `compose` compiles it.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping

_PLACE = re.compile(r"^(?P<indent> *)#: (?P<name>\w+)\n", re.MULTILINE)


def placed(template: str, places: Mapping[str, str]) -> str:
    """The template with its places filled, again and again where code brings places of its own."""

    def fill(found: re.Match[str]) -> str:
        code = places.get(found["name"], "").strip("\n")
        return textwrap.indent(code, found["indent"]) + "\n" if code else ""

    text = template
    while _PLACE.search(text):
        text = _PLACE.sub(fill, text)
    return text


def changed(text: str, old: str, new: str) -> str:
    """One spot of a template, changed; it must be there once."""
    if text.count(old) != 1:
        raise ValueError(f"{text.count(old)} times in the template: {old}")
    return text.replace(old, new)
