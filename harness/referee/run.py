"""What a run leaves for the checks to read: ledgers, numbers, and how it ended. Filled while it
happens, so a run that breaks off leaves all that it had shown.
"""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from harness.referee.ledger import Ledger, Score
from harness.referee.referee import Probe
from harness.streams.model_source import SourceStream
from harness.streams.stream import Stream


@dataclass(frozen=True)
class Claim:
    """A number that a program printed."""

    text: str  # the line
    nats_per_token: float
    bits_per_byte: float
    half_unit: float  # half a unit of the last printed place of nats_per_token


@dataclass(frozen=True)
class Captured:
    """Per-token losses of one score event, seen by the hooks."""

    score: Score
    positions: npt.NDArray[np.int64]  # (n,)
    nats: npt.NDArray[np.float64]  # (n,) nats
    coarse: bool  # computed from 16-bit logits


@dataclass
class Run:
    """One pass of the submission over one stream."""

    stream: Stream
    ledger: Ledger
    refereed: bool  # False: a program that was given the whole stream
    probes: list[Probe] = field(default_factory=list)
    captured: list[Captured] = field(default_factory=list)
    claim: Claim | None = None
    complete: bool = False
    wall_s: float = 0.0

    @property
    def nats(self) -> float:
        """The reported code length of the stream, nats."""
        if self.claim is not None:
            return self.claim.nats_per_token * self.stream.n_scored
        return float(np.nansum(self.ledger.nats))


@dataclass
class SourceRun:
    """The run on a stream of known law."""

    source: SourceStream
    run: Run
    sampled_from: str  # whose rows the law is
