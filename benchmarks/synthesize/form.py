"""What every way of reading settings is made of, and how a template reads through it.

Guarantees: `{{name}}` of a template becomes the expression that gives the setting. Does not cover:
which ways there are (`settings`, `options`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

Values = Mapping[str, int | float | str]


@dataclass(frozen=True)
class Form:
    """One way to read settings, for one script."""

    code: str  # at the head of the script
    reads: Callable[[str], str]  # the expression that gives a setting
    files: Mapping[str, str] = field(default_factory=dict)  # beside the script
    imports: tuple[str, ...] = ()


def used(template: str) -> list[str]:
    """The settings that a template reads, in its order."""
    return list(dict.fromkeys(re.findall(r"\{\{(\w+)\}\}", template)))


def read(template: str, form: Form) -> str:
    return re.sub(r"\{\{(\w+)\}\}", lambda found: form.reads(found[1]), template)


def attribute(name: str) -> str:
    return f"cfg.{name}"


def item(name: str) -> str:
    return f'cfg["{name}"]'


def word(name: str, names: Mapping[str, str]) -> str:
    """What the environment or the command line calls it."""
    return names.get(name, name.upper())


def assignments(values: Values) -> str:
    return "".join(f"{name} = {value!r}\n" for name, value in values.items())
