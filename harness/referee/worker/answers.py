"""What the process that watches a worker tells the harness: how it started, and how it ended.

One line of JSON each, through a pipe that no untrusted process holds.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from harness.protocol.confinement import IsolationPart


@dataclass(frozen=True)
class Start:
    """The worker runs now, or never will."""

    isolation: Sequence[IsolationPart]  # that is active
    refused: str  # why nothing started; empty where it did

    def send(self, descriptor: int) -> None:
        """One line."""
        os.write(descriptor, json.dumps(asdict(self)).encode() + b"\n")

    @classmethod
    def of(cls, line: str) -> "Start":
        """What was sent; of nothing at all, that nothing started."""
        if not line:
            return cls((), "its process ended before it began")
        raw = json.loads(line)
        return cls(tuple(map(IsolationPart, raw["isolation"])), raw["refused"])


@dataclass(frozen=True)
class End:
    """The worker runs no more."""

    code: int | None  # exit code, negative for a signal; None: killed with all that it was
    stopped: str  # which limit ended it; empty where none did

    def send(self, descriptor: int) -> None:
        """One line."""
        os.write(descriptor, json.dumps(asdict(self)).encode() + b"\n")

    @classmethod
    def of(cls, line: str) -> "End":
        """What was sent; of nothing, nothing is known."""
        return cls(**json.loads(line)) if line else cls(None, "")

    def __str__(self) -> str:
        return self.stopped or f"ended (exit {self.code})"
