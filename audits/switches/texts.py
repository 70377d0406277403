"""Values as the environment holds them: text, which may be a number, a truth or a placeholder.

Guarantees: pure functions of text and constants.
Does not cover: shell arithmetic and references to other variables.
"""

from __future__ import annotations

from audits.facts.values import Value

TRUTHS = {"true": "1", "false": "0", "yes": "1", "no": "0", "on": "1", "off": "0"}


def as_number(text: str | None) -> float | None:
    """The number that a setting holds, or None."""
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


def as_text(value: object) -> str | None:
    """As the environment would hold it."""
    if isinstance(value, bool):
        return str(int(value))
    return str(value) if isinstance(value, str | int | float) else None


def same(one: str, other: str) -> bool:
    numbers = as_number(TRUTHS.get(one.lower(), one)), as_number(TRUTHS.get(other.lower(), other))
    return numbers[0] == numbers[1] if None not in numbers else not any(numbers)


def plausible(text: str, default: Value) -> bool:
    """A placeholder (`<seed>`) is no value, nor is a word (`int,`) where a number is read."""
    if "<" in text or text.endswith(","):
        return False
    if not text:
        return default.known and as_number(as_text(default.const)) is None
    wanted = as_number(as_text(default.const)) if default.known else None
    return wanted is None or as_number(text) is not None or text.lower() in TRUTHS
