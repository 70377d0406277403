"""What a refereed run leaves for the checks to read: a ledger, probes, and how it ended.

Filled while it happens, so a run that breaks off leaves all that it had shown.
"""

from dataclasses import dataclass, field

import numpy as np

from harness.referee.ledger import Ledger
from harness.referee.referee import Probe, Rows
from harness.streams.drawn import SourceStream
from harness.streams.stream import Stream
from harness.streams.vocabulary import Vocabulary


@dataclass
class Run:
    """One pass of a predictor over one stream."""

    stream: Stream
    vocabulary: Vocabulary
    ledger: Ledger
    probes: list[Probe] = field(default_factory=list)
    kept: dict[int, Rows] = field(default_factory=dict)  # before cuts, for a second process
    complete: bool = False

    @property
    def nats(self) -> float:
        """The code length of the stream, nats."""
        return float(np.nansum(self.ledger.nats))

    @property
    def n_bytes(self) -> int:
        """UTF-8 bytes of the scored text: the denominator of bits_per_byte."""
        return int(self.vocabulary.token_bytes(self.stream.tokens)[1:].sum())


@dataclass
class SourceRun:
    """The run on a stream of known source."""

    source: SourceStream
    run: Run
