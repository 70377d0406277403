"""Rebuilds a program's printed number from the losses that the hooks saw.

Score events are grouped into passes (a pass ends when a position comes again). The headline pass is
the last one that covers every position and adds up to the printed number. Without it nothing the
hooks saw is known to be in the claim, and the order of events decides nothing.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.referee.run import Captured, Run

RELATIVE_TOLERANCE = 2e-6  # float32 sums of some thousand losses
COARSE_TOLERANCE = 2.0**-6  # a 16-bit rounding per token, nats


@dataclass(frozen=True)
class Headline:
    """The captured pass behind the printed number."""

    passes: list[list[Captured]]  # all passes, in order
    index: int  # which of them is the headline
    nats: npt.NDArray[np.float64]  # (T,) nats per position; [0] is NaN
    gap_nats: float  # printed minus rebuilt, nats per token

    @property
    def events(self) -> list[Captured]:
        """The headline pass."""
        return self.passes[self.index]

    @property
    def coarse(self) -> bool:
        """Some of its losses were computed from 16-bit logits."""
        return any(c.coarse for c in self.events)


def passes_of(captured: list[Captured]) -> list[list[Captured]]:
    """Splits events where a position comes again."""
    passes: list[list[Captured]] = []
    covered: set[int] = set()
    for event in captured:
        positions = set(event.positions.tolist())
        if not passes or covered & positions:
            passes.append([])
            covered = set()
        passes[-1].append(event)
        covered |= positions
    return passes


def find_headline(run: Run) -> Headline | None:
    """The headline pass, or None when the printed number cannot be rebuilt."""
    if run.claim is None:
        return None
    passes = passes_of(run.captured)
    for index in reversed(range(len(passes))):
        nats = np.full(len(run.stream.tokens), np.nan)
        for event in passes[index]:
            nats[event.positions] = event.nats
        if not np.isfinite(nats[1:]).all():
            continue
        gap = run.claim.nats_per_token - float(nats[1:].mean())
        coarse = any(e.coarse for e in passes[index])
        tolerance = run.claim.half_unit + RELATIVE_TOLERANCE * abs(run.claim.nats_per_token)
        if abs(gap) <= tolerance + (COARSE_TOLERANCE if coarse else 0.0):
            return Headline(passes, index, nats, gap)
    return None
