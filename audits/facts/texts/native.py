"""Code in C and C++, in strings or in files beside the script: two questions about its functions.

*Gated*: in a loop over positions, is an output at position i stored under a condition that looks at
the token at position i itself? *Spread*: is a token's log-probability divided by the number of the
token's bytes?

Guarantees: text only, nothing is compiled; a condition counts only when its variable was read at
the very index that the output is stored at, before any other assignment to it.
Does not cover: pointers that move, macros, other languages.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

MIN_TEXT = 200  # characters of a string that may be a program
_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_HEADER = re.compile(
    r"\b([A-Za-z_]\w*)\s*\(([^(){};]*(?:\([^()]*\)[^(){};]*)*)\)\s*(?:const\s*)?\{"
)
_TAKEN = re.compile(r"\b(\w+)\s*=\s*(?:\([\w\s]+\)\s*)?(\w+)\s*\[\s*(\w+)\s*\]\s*;")
_STORE = re.compile(r"^\s*(\w+)\s*\[\s*(\w+)\s*\]\s*=[^=]")
_ALIAS = re.compile(r"\b(\w+)\s*=(?!=)\s*([^;{}]+);")
_QUOTIENT = re.compile(
    r"=\s*-?\s*(\w+)\s*\[\s*(\w+)\s*\]\s*/\s*(?:\(\s*(?:double|float)\s*\)\s*)?(\w+)"
)
_KEYWORDS = frozenset({"if", "for", "while", "switch", "return", "sizeof", "catch"})


@dataclass(frozen=True)
class NativeFunction:
    """What one function does with the tokens it is given."""

    name: str
    gated: tuple[int, ...]  # parameters whose entry i hangs on the token at i
    spreads: bool  # a log-probability is spread over a token's bytes


@dataclass
class Natives:
    """All native code of a folder, by function name; analysed on first use."""

    texts: Mapping[str, str] = field(default_factory=dict)  # by file
    found: dict[str, NativeFunction] = field(default_factory=dict)
    seen: set[int] = field(default_factory=set)

    def function(self, name: str, trees: Iterable[ast.Module]) -> NativeFunction | None:
        for text in (*self.texts.values(), *(t for tree in trees for t in programs(tree))):
            if id(text) not in self.seen:
                self.seen.add(id(text))
                self.found |= {one.name: one for one in functions(text)}
        return self.found.get(name)


def programs(tree: ast.Module) -> Iterable[str]:
    """String literals that hold a program."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value
            if len(text) > MIN_TEXT and "{" in text and ";" in text and "[" in text:
                yield text


def functions(text: str) -> Iterable[NativeFunction]:
    text = _COMMENT.sub(" ", text)
    for match in _HEADER.finditer(text):
        name, parameters = match[1], match[2]
        if name in _KEYWORDS:
            continue
        body = _body(text, match.end())
        names = [part.strip().rsplit(" ", 1)[-1].lstrip("*&") for part in parameters.split(",")]
        gated = _gated(body)
        places = tuple(n for n, parameter in enumerate(names) if parameter in gated)
        yield NativeFunction(name, places, _spreads(body))


def _body(text: str, start: int) -> str:
    depth = 1
    for at in range(start, len(text)):
        depth += (text[at] == "{") - (text[at] == "}")
        if not depth:
            return text[start:at]
    return text[start:]


def _gated(body: str) -> set[str]:
    """Arrays stored at i under a condition on what was read at i."""
    at_index: dict[str, str] = {}  # variable -> the index its token was read at
    gated: set[str] = set()
    conditions: list[str] = []
    last = ""
    for piece in re.split(r"([{};])", body):
        if piece == "{":
            conditions.append(last)
        elif piece == "}":
            last = conditions.pop() if conditions else ""
            continue
        elif piece != ";":
            last = _condition(piece, last)
            _note_reads(piece, at_index)
            if (store := _STORE.match(_statement(piece))) is not None:
                under = " ".join([*conditions, _inline_condition(piece)])
                on = {at_index[word] for word in re.findall(r"\w+", under) if word in at_index}
                if store[2] in on:
                    gated.add(store[1])
    return gated


def _condition(piece: str, last: str) -> str:
    """The condition a block would stand under; `else` keeps the one before it."""
    stripped = piece.strip()
    if stripped.startswith("else"):
        return f"{last} {stripped}"
    return stripped if stripped.startswith(("if", "while", "for", "switch")) else ""


def _inline_condition(piece: str) -> str:
    stripped = piece.strip()
    return stripped if stripped.startswith("if") else ""


def _statement(piece: str) -> str:
    """The statement behind an `if (...)` on one line."""
    stripped = piece.strip()
    if not stripped.startswith("if"):
        return stripped
    depth = 0
    for at, letter in enumerate(stripped):
        depth += (letter == "(") - (letter == ")")
        if letter == ")" and not depth:
            return stripped[at + 1 :].strip()
    return stripped


def _note_reads(piece: str, at_index: dict[str, str]) -> None:
    if (taken := _TAKEN.search(piece + ";")) is not None:
        name, _, key = taken.groups()
        # tok = tokens[i] is read at i; flag = table[tok] is read where tok was
        at_index[name] = at_index.get(key, key)
        return
    if (alias := _ALIAS.search(piece + ";")) is not None:
        words = [word for word in re.findall(r"\w+", alias[2]) if word in at_index]
        if words and "(" not in alias[2]:
            at_index[alias[1]] = at_index[words[0]]
        else:
            at_index.pop(alias[1], None)


def _spreads(body: str) -> bool:
    """`nll[i] / (double)n`, where n counts the bytes of the token at i."""
    for match in _QUOTIENT.finditer(body):
        index, divisor = match[2], match[3]
        made = " ".join(one[2] for one in _ALIAS.finditer(body) if one[1] == divisor)
        for _ in range(3):  # n = len + space; len = lens[id]
            for word in set(re.findall(r"\b[A-Za-z_]\w*\b", made)):
                made += " " + " ".join(one[2] for one in _ALIAS.finditer(body) if one[1] == word)
        if re.search(r"\w+\s*\[\s*" + re.escape(index) + r"\s*\]", made):
            return True
    return False
