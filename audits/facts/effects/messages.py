"""Printed messages: a branch whose message stands in a log of the run has been taken.

Guarantees: only a message that the branch alone prints counts; the switch is then read as on, with
the log's line as its origin.
Does not cover: branches that print nothing, or only what others print too.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final

from audits.facts.documented.setting import Setting, SettingKind
from audits.facts.state import Interpreter
from audits.facts.values import Value

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


def _others_say(interp: Interpreter, block: list[ast.stmt], message: str) -> bool:
    """Whether another place prints the same, or something that begins alike."""
    everywhere = sum(n for found, n in interp.messages.items() if found.startswith(message))
    return everywhere > sum(found.startswith(message) for found in printed_by(block))
