"""Printed evidence: a branch whose message stands in a log of the run has been taken.

Guarantees: only a message that the branch alone prints counts; the switch is then read as on, with
the log's line as its source.
Does not cover: branches that print nothing, or only what others print too.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from audits.facts.config import Setting
from audits.facts.machine import Machine
from audits.facts.values import Value


def shows(m: Machine, node: ast.If, test: Value) -> bool:
    """Whether a log holds a message of this branch, which the configuration leaves off."""
    if not m.config.logs.texts or any(m.config.setting(name) for name in test.switches):
        return False  # what the folder says outright needs no inference
    own = set(messages(node.body))
    for message in sorted(own):
        source = m.config.logs.printed(message)
        if source is None or _others_say(m, node.body, message):
            continue
        for name in test.switches:
            m.trace.shown.setdefault(name, Setting("1", f"{source}: {message.strip()!r}"))
        return True
    return False


def messages(block: list[ast.stmt]) -> Iterator[str]:
    """What the statements print, up to the first value in it."""
    for statement in block:
        for node in ast.walk(statement):
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
                for argument in node.value.args[:1]:
                    if text := _fixed(argument):
                        yield text


def _fixed(node: ast.expr) -> str:
    if isinstance(node, ast.JoinedStr) and node.values:
        return _fixed(node.values[0])
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _others_say(m: Machine, block: list[ast.stmt], message: str) -> bool:
    """Whether another place prints the same, or something that begins alike."""
    everywhere = sum(n for found, n in m.told.items() if found.startswith(message))
    return everywhere > sum(found.startswith(message) for found in messages(block))
