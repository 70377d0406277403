"""What a check may say: a finding, and a reason why another finding says less than it seems to.

Both are final: nobody rewrites them. `verdict/table.py` weighs them against each other.

Levels: `read` (code only), `instrumented` (an event log inside the submission's
own process: explanation, not proof), `black box` (facts about numbers on streams we drew),
`referee` (the submission never held the token). A status without its level means nothing.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """Per rule."""

    PASS = "pass"
    FAIL = "fail"
    UNKNOWN = "unknown"
    NOT_APPLICABLE = "not_applicable"


class Witness(StrEnum):
    """Whose process saw it."""

    HARNESS = "harness"  # computed in the process that counts
    WORKER = "worker"  # reported by the submission's own process


class Level(StrEnum):
    """What the status rests on, weakest first."""

    READ = "read"
    INSTRUMENTED = "instrumented"
    BLACK_BOX = "black_box"
    REFEREE = "referee"

    @property
    def witness(self) -> Witness:
        """Only hooks report from the submission's own process."""
        return Witness.WORKER if self is Level.INSTRUMENTED else Witness.HARNESS

    @property
    def from_outside(self) -> bool:
        """Rests on numbers of our own."""
        return self in (Level.BLACK_BOX, Level.REFEREE)


Evidence = tuple[dict[str, Any], ...]  # numbers and places, JSON-ready


@dataclass(frozen=True)
class Step:
    """A line of the submission, and what it does there."""

    role: str  # "trained"
    place: str  # "train_gpt.py:1438"


@dataclass(frozen=True)
class Finding:
    """What one check found of one rule, at one level."""

    rule: str
    status: Status
    level: Level
    message: str  # one plain sentence with its number
    evidence: Evidence = ()
    powered: bool = False  # a pass by hooks; where its control shows no power, a reason says so
    detail: str = ""  # more numbers, for whoever reads on
    steps: tuple[Step, ...] = ()  # what leads there, in order of execution

    @property
    def text(self) -> str:
        """All of it."""
        return "; ".join(filter(None, (self.message, self.detail)))

    @property
    def witness(self) -> Witness:
        """Follows from the level."""
        return self.level.witness

    @property
    def contradicts_reading(self) -> bool:
        """A pass with power: by a test from outside, or by hooks whose power was shown."""
        return self.status is Status.PASS and (self.level.from_outside or self.powered)

    @property
    def proves(self) -> bool:
        """A failure that rests on numbers of our own."""
        return self.status is Status.FAIL and self.level.from_outside


@dataclass(frozen=True)
class Reason:
    """Why findings of one rule say less than they seem to; `to` the same status: a note."""

    rule: str
    of: Status  # findings that say this ...
    to: Status  # ... come to this
    why: str
    level: Level | None = None  # only those of this level
    evidence: Evidence = ()

    def concerns(self, finding: Finding) -> bool:
        """It speaks about this one."""
        same_level = self.level in (None, finding.level)
        return same_level and (self.rule, self.of) == (finding.rule, finding.status)
