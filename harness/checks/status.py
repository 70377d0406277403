"""What a check may say: a status, the level that it rests on, and who saw it.

Levels as in the design: `read` (code only), `instrumented` (an event log inside the submission's
own process: explanation, not proof), `black box` (facts about numbers on streams we drew),
`referee` (the submission never held the token). A status without its level means nothing.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """Per rule."""

    PASS = "pass"
    FAIL = "fail"
    UNKNOWN = "unknown"
    NOT_APPLICABLE = "not_applicable"


class Level(StrEnum):
    """What the status rests on, weakest first."""

    READ = "read"
    INSTRUMENTED = "instrumented"
    BLACK_BOX = "black_box"
    REFEREE = "referee"


class Witness(StrEnum):
    """Whose process saw it."""

    HARNESS = "harness"  # computed in the process that counts
    WORKER = "worker"  # reported by the submission's own process


@dataclass(frozen=True)
class RuleStatus:
    """One rule, judged at one level."""

    rule: str
    status: Status
    level: Level
    message: str
    findings: tuple[dict[str, Any], ...] = field(default=())  # numbers and places, JSON-ready
    powered: bool = False  # a pass seen from inside that a violation would have kept from being one

    @property
    def witness(self) -> Witness:
        """Follows from the level: only hooks report from the submission's own process."""
        return Witness.WORKER if self.level is Level.INSTRUMENTED else Witness.HARNESS

    @property
    def contradicts_reading(self) -> bool:
        """A pass with power: by a test from outside, or by hooks whose power was shown."""
        outside = self.level in (Level.BLACK_BOX, Level.REFEREE)
        return self.status is Status.PASS and (outside or self.powered)

    @property
    def proves(self) -> bool:
        """A failure that rests on numbers of our own."""
        return self.status is Status.FAIL and self.level in (Level.BLACK_BOX, Level.REFEREE)
