"""What came of a configuration: the facts that decide the next one.

All of it comes from the script's own process: it configures, and proves nothing.
"""

from dataclasses import dataclass
from enum import StrEnum

from harness.configure.configuration import Configuration
from harness.protocol.asked import AskedSetting
from harness.protocol.job import Outcome, RunState


class Lack(StrEnum):
    """Work that a run was to do and did not."""

    NO_STEP = "it took no training step, although its code takes some"
    IDLE = "a technique of its never acted: its log counts 0 of 0"
    NO_NUMBER = "the number that it printed is none"


@dataclass(frozen=True)
class Attempted:
    """One configuration, and its run."""

    configuration: Configuration
    outcome: Outcome
    log_tail: str = ""
    printed: bool = False  # a score
    lacks: tuple[Lack, ...] = ()
    asked: tuple[AskedSetting, ...] = ()
    cut_short: bool = False  # ended by us where its work began, since it asked for other sizes

    @property
    def is_complete(self) -> bool:
        """A score, behind all the work."""
        return self.printed and self.outcome.state is RunState.ENDED and not self.lacks

    @property
    def rank(self) -> tuple[bool, bool, int]:
        """The higher, the better it serves as the base run; of equals the first is kept."""
        told = len(self.configuration.settings) if self.configuration.learnt else 0
        return self.outcome.state is RunState.ENDED, not self.lacks, told
