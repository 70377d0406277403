"""A setting that a run had, and who says so.

Guarantees: the kind is set where the setting is read; the text of its origin is for people, and
nothing decides by it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class SettingKind(StrEnum):
    """Who says that the run had this value."""

    COMMAND = "command"  # a start command, in README.md or in a run script
    LOG = "log"  # a log shows it, or a message that only it prints
    MANIFEST = "manifest"  # submission.json
    PROSE = "prose"  # the text of README.md
    RANKS = "ranks"  # how many ranks there were, or what the script's default makes of their number
    GIVEN = "given"  # whoever has it read


@dataclass(frozen=True, slots=True)
class Setting:
    """One environment variable as the run had it."""

    value: str
    origin: str  # "README.md line 42"
    kind: SettingKind
