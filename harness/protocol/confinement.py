"""What an untrusted process is given to live in, whatever it runs: its folders, its quota, and how
much isolation there has to be before it starts.

Plain data that crosses a process boundary as JSON. Paths are absolute. Does not cover: how
isolation is made (`sandbox/`).
"""

import dataclasses
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

NOT_WHOLE = "its isolation is not whole"  # begins the cause of a run that therefore did not start


@dataclass(frozen=True)
class Quota:
    """What a run may take; one that takes more is stopped, or refused it by the kernel."""

    stage_bytes: int = 16 << 30  # real runs leave below 1 GB
    stage_files: int = 100_000
    private_bytes: int = 2 << 30  # of /tmp, and of /dev/shm: they are memory
    file_bytes: int = 8 << 30
    log_bytes: int = 64 << 20  # the largest real log of the contest is below 10 MB
    memory_bytes: int = 1 << 50  # of a process; on a CPU never more than most of the machine's
    processes: int = 1024  # real runs start below 100


class IsolationPart(StrEnum):
    """What a run can be kept from; the values are those of report.json."""

    FILESYSTEM = "mounts"
    NETWORK = "network"
    PROCESSES = "processes"
    LIMITS = "limits"


class IsolationAsked(StrEnum):
    """What the caller demands of it; the values are those of `--isolation`."""

    WHOLE = "whole"  # every part is active, or nothing starts
    PARTIAL = "partial"  # what this machine allows
    NONE = "none"  # limits alone


@dataclass(frozen=True, kw_only=True)
class Confinement:
    """The surroundings of a process and of all that it starts."""

    stage: Path  # working directory, and the one place it may write
    at: Path | None = None  # where that stands in a file system of its own; None: at its own path
    out: Path  # our results of it, out of its reach by path
    given: tuple[Path, ...] = ()  # files of ours that it may read, at their own paths
    binds: Mapping[str, str] = field(default_factory=dict)  # absolute path -> folder in the stage
    device: str = "cpu"
    time_limit_s: float = 600.0
    quota: Quota = Quota()
    isolation: IsolationAsked = IsolationAsked.WHOLE

    def seen_inside(self, active: Collection[IsolationPart]) -> Self:
        """With the stage where it stands for the process, by the parts of its isolation."""
        if self.at is None or IsolationPart.FILESYSTEM not in active:
            return self
        return dataclasses.replace(self, stage=self.at)

    def as_json(self) -> str:
        """One line."""
        return json.dumps(dataclasses.asdict(self), default=str)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The inverse of `as_json`."""
        return cls(**cls._fields(json.loads(text)))

    @classmethod
    def _fields(cls, raw: dict[str, Any]) -> dict[str, Any]:
        """Each with its own type again."""
        own: dict[str, Any] = {name: Path(raw[name]) for name in ("stage", "out")}
        own |= {"at": None if raw["at"] is None else Path(raw["at"])}
        own |= {"given": tuple(map(Path, raw["given"])), "quota": Quota(**raw["quota"])}
        return raw | own | {"isolation": IsolationAsked(raw["isolation"])}
