"""Printed messages: which branch a log of the run shows to have been taken, and where results are
put into words.

Guarantees: only a message that the branch alone prints counts; the switch is then read as on, with
the log's line as its origin. A line of text with results in it is an event, printed or not.
Does not cover: branches that print nothing, or only what others print too; lines that are put
together piece by piece.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from typing import Final

from audits.facts.call import Call
from audits.facts.documented.setting import Setting, SettingKind
from audits.facts.events import Message, Site
from audits.facts.labels import ACCUMULATED, OUTPUT, Label
from audits.facts.state import Interpreter
from audits.facts.values import Value, derive, kinds_of, labels_of

MOST_MESSAGES: Final = 2_000  # a real script has tens
_FIELD: Final = re.compile(r"\{[^{}]*\}|%[-+ #0]*\d*(?:\.\d+)?[a-zA-Z]")
_BLOCKS: Final = ("body", "orelse", "finalbody", "handlers", "cases")


def shows(interp: Interpreter, node: ast.If, test: Value) -> bool:
    """Whether a log holds a message of this branch, which the configuration leaves off."""
    if not interp.config.logs.texts or any(interp.config.setting(name) for name in test.switches):
        return False  # what the folder says outright needs no inference
    own = set(printed_by(node.body))
    for message in sorted(own):
        line = interp.config.logs.printed(message)
        if line is None or _others_say(interp, node.body, message):
            continue
        shown = Setting("1", f"{line}: {message.strip()!r}", SettingKind.LOG)
        for name in test.switches:
            interp.trace.shown.setdefault(name, shown)
        return True
    return False


def printed_by(block: list[ast.stmt]) -> Iterator[str]:
    """What the statements print, up to the first value in it."""
    waiting: list[ast.AST] = list(block)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            for argument in node.value.args[:1]:
                if text := _fixed(argument):
                    yield text
        for name in _BLOCKS:  # no expression holds a statement
            waiting += getattr(node, name, [])


def _fixed(node: ast.expr) -> str:
    if isinstance(node, ast.JoinedStr) and node.values:
        return _fixed(node.values[0])
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def worded(interp: Interpreter, parts: Sequence[Value], site: Site) -> None:
    """Text and values side by side: each line of it that has a result in it."""
    if not any(OUTPUT in kinds_of(part) for part in parts if not part.known):
        return
    if len(interp.trace.messages) >= MOST_MESSAGES:
        return
    text: list[str] = []
    labels: set[Label] = set()
    for part in (*parts, Value("\n")):
        if not isinstance(part.const, str):  # a number may be written in several ways
            labels |= {one for one in labels_of(part) if one.kind in (OUTPUT, ACCUMULATED)}
            continue
        first, *others = part.const.split("\n")
        text += [first] if first else []
        for line in others:
            if labels and text:
                whole = (text[0].lstrip(), *text[1:])
                said = Message(site, interp.moment(), whole, frozenset(labels))
                interp.trace.messages.append(said)
            text, labels = [line] if line else [], set()


def formatted(interp: Interpreter, pattern: str, values: Sequence[Value], site: Site) -> None:
    """`"val_bpb:{:.4f}".format(x)` and `"val_bpb:%.4f" % x`: the values stand for the fields."""
    texts = _FIELD.split(pattern)
    parts = [Value(texts[0])]
    for text in texts[1:]:
        parts += [derive(*values), Value(text)]
    worded(interp, parts, site)


def printed(interp: Interpreter, call: Call) -> None:
    """`print("val_bpb", x)`; of one argument, what it says was put together before."""
    if len(call.args) > 1:
        between = [part for one in call.args for part in (one, Value(" "))]
        worded(interp, between[:-1], interp.site_of(call))


def _others_say(interp: Interpreter, block: list[ast.stmt], message: str) -> bool:
    """Whether another place prints the same, or something that begins alike."""
    everywhere = sum(n for found, n in interp.messages.items() if found.startswith(message))
    return everywhere > sum(found.startswith(message) for found in printed_by(block))
