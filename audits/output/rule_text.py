"""What a rule says, for people: `--explain`, `--list-rules`, the help inside SARIF.

Guarantees: one source, the catalogue and the rule's own file with its cases; nothing is written
twice.
Does not cover: rules that reading code cannot decide, beyond saying so.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import sys
from collections.abc import Iterator
from typing import Final

from audits.catalogue import RULES, Rule
from audits.rules import CHECKS
from audits.rules.cases import script

FRAME: Final = script("\0").partition("\0\n")  # before, mark, after
_NO_CHECK: Final = "No static check: reading code cannot decide this rule."


def rule_list(profile: str) -> str:
    """Every rule, with what a violation is and whether reading code can find it."""
    lines = [
        f"{rule.id:11} {rule.severity[profile]:4} {rule.status:9} "
        f"{'static' if rule.id in CHECKS else '-':6} {rule.title}"
        for rule in RULES.values()
    ]
    return "\n".join(lines) + "\n"


def explanation(rule: Rule) -> str:
    """What the rule says, where it comes from, what looks like it, and its cases."""
    parts = [f"{rule.id} {rule.title}", help_of(rule)]
    for title, note, case in cases(rule.id):
        parts.append(f"{title}{f': {note}' if note else ''}\n{_indented(case)}")
    return "\n\n".join(parts) + "\n"


def help_of(rule: Rule) -> str:
    """Plain text without the cases."""
    severities = ", ".join(f"{profile}: {level}" for profile, level in rule.severity.items())
    parts = [
        rule.statement,
        f"Status: {rule.status} ({severities})\nSources: {'; '.join(rule.sources)}",
    ]
    if rule.look_alikes:
        parts.append("Legal look-alikes:\n" + "\n".join(f"  - {one}" for one in rule.look_alikes))
    parts.append(look_of(rule))
    parts.append(_scope(rule.id) or _NO_CHECK)
    return "\n\n".join(parts)


def markdown_of(rule: Rule) -> str:
    """The same as Markdown, the cases included."""
    severities = ", ".join(f"`{profile}`: {level}" for profile, level in rule.severity.items())
    parts = [
        rule.statement,
        f"Status: {rule.status} ({severities}).  \nSources: {'; '.join(rule.sources)}.",
    ]
    if rule.look_alikes:
        parts.append("Legal look-alikes:\n\n" + "\n".join(f"* {one}" for one in rule.look_alikes))
    parts.append(look_of(rule))
    parts.append(_scope(rule.id) or _NO_CHECK)
    for title, note, case in cases(rule.id):
        parts.append(f"{title}{f': {note}' if note else ''}\n\n```python\n{case}\n```")
    return "\n\n".join(parts)


def look_of(rule: Rule) -> str:
    """What a report that leaves the rule open asks of a person."""
    return f"Undecided? Look at: {rule.look}."


def cases(name: str) -> Iterator[tuple[str, str, str]]:
    """Title, note and lines of each case, without the frame around it."""
    check = CHECKS.get(name)
    if check is None:
        return
    for kind, texts in (
        ("VALID", check.valid),
        ("INVALID", check.invalid),
        ("DOUBTFUL", check.doubtful),
    ):
        notes = _notes(check.run.__module__, kind)
        for number, text in enumerate(texts):
            note = notes[number] if number < len(notes) else ""
            yield f"{kind} {number + 1}", note, _unframed(text)


def _unframed(case: str) -> str:
    before, _, after = FRAME
    return case.removeprefix(before).removesuffix(after).strip("\n")


def _scope(name: str) -> str:
    """What the check catches and does not cover, in the words of its own file."""
    check = CHECKS.get(name)
    if check is None:
        return ""
    text = inspect.cleandoc(importlib.import_module(check.run.__module__).__doc__ or "")
    return text.partition("\n\n")[2].replace("\nDoes not cover", "\n\nDoes not cover")


def _notes(module: str, kind: str) -> list[str]:
    """The comments above the cases of a rule's file, "" where there is none."""
    source = inspect.getsource(sys.modules[module])
    lines = source.split("\n")
    for statement in ast.parse(source).body:
        target = statement.targets[0] if isinstance(statement, ast.Assign) else None
        if isinstance(target, ast.Name) and target.id == kind:
            assert isinstance(statement, ast.Assign)
            if isinstance(statement.value, ast.Tuple):
                return [_comment_above(lines, case.lineno) for case in statement.value.elts]
    return []


def _comment_above(lines: list[str], line: int) -> str:
    found: list[str] = []
    for text in reversed(lines[: line - 1]):
        if not text.strip().startswith("#"):
            break
        found.insert(0, text.strip().removeprefix("#").strip())
    return " ".join(found)


def _indented(text: str) -> str:
    return "\n".join(f"    {line}".rstrip() for line in text.split("\n"))
