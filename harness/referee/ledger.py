"""The ledger: every score, update and mark of a run, in one total order, kept as evidence.

Append-only. Each event goes to disk as one JSON line when it happens, so a run that dies half-way
loses nothing; per-token scores go to `scores.npz` when the ledger closes. The invariants that need
no trust are kept while events arrive: how often a position was scored, and which updates used a
position that was not. Does not judge: `checks/` reads it.
"""

import json
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
import numpy.typing as npt

from harness.closing import Closing
from harness.protocol.position_runs import position_runs

Ranges = tuple[tuple[int, int], ...]  # half-open runs of stream positions


def ranges_of(positions: Iterable[int]) -> Ranges:
    """Positions as half-open runs, ascending."""
    runs = position_runs(np.fromiter(positions, np.int64))
    return tuple((start, stop) for start, stop in runs.tolist())


def describe(ranges: Ranges) -> str:
    """`1-63, 80` for people."""
    shown = [f"{a}-{b - 1}" if b - a > 1 else str(a) for a, b in ranges[:6]]
    return ", ".join(shown) + (f" and {len(ranges) - 6} more runs" if len(ranges) > 6 else "")


@dataclass(frozen=True)
class Score:
    """Positions that received their score."""

    positions: Ranges
    nats: float  # summed over the positions
    weights_before: str  # fingerprint of the parameters when the inputs were handed over
    weights_after: str  # and when the score was recorded
    buffers_changed: bool
    inference_mode: bool
    grad_mode: bool
    mass_min: float | None = None  # of the sums over the alphabet; None where no row was seen
    mass_max: float | None = None


@dataclass(frozen=True)
class Update:
    """Tokens that the submission learned from."""

    positions: Ranges
    weights_before: str
    weights_after: str


class Moment(StrEnum):
    """What neither scores nor learns."""

    LOADED = "loaded"  # the artifact; the detail is the weights' fingerprint
    PROBE = "probe"  # the same question with another future; the detail is for people


@dataclass(frozen=True)
class Mark:
    """A moment."""

    what: Moment
    detail: str = ""


Event = Score | Update | Mark


class Ledger(Closing):
    """Evidence of one run over one stream."""

    def __init__(self, folder: Path, n_tokens: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / "ledger.jsonl"
        self.events: list[Event] = []
        self.nats: npt.NDArray[np.float64] = np.full(n_tokens, np.nan)  # (T,) nats per position
        self.mass: npt.NDArray[np.float64] = np.full(
            n_tokens, np.nan
        )  # (T,) sum of the distribution
        self.times_scored: npt.NDArray[np.int32] = np.zeros(n_tokens, np.int32)
        self.used_unscored: list[int] = []  # positions that an update used before their score
        self._started = time.monotonic()
        self._file = self.path.open("w", encoding="utf-8")

    def append(self, event: Event) -> None:
        """Adds an event and keeps the invariants."""
        if isinstance(event, Score):
            for a, b in event.positions:
                self.times_scored[a:b] += 1
        elif isinstance(event, Update):
            for a, b in event.positions:
                unscored = a + np.flatnonzero(self.times_scored[a:b] == 0)
                self.used_unscored.extend(int(p) for p in unscored if p > 0)  # 0 is given
        self.events.append(event)
        line = {
            "n": len(self.events),
            "at_s": round(time.monotonic() - self._started, 6),
            "event": type(event).__name__.upper(),
            **asdict(event),
        }
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()

    @property
    def scores(self) -> list[Score]:
        """The score events, in order."""
        return [event for event in self.events if isinstance(event, Score)]

    @property
    def updates(self) -> list[Update]:
        """The update events, in order."""
        return [event for event in self.events if isinstance(event, Update)]

    def close(self) -> None:
        """Writes the per-token arrays beside the event log."""
        self._file.close()
        np.savez_compressed(
            self.path.with_name("scores.npz"),
            nats=self.nats,
            mass=self.mass,
            times_scored=self.times_scored,
        )
