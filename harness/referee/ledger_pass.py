"""A ledger as a scored pass, so that one source test serves refereed and recorded scores alike.

Guarantees: every position that was scored is there once, with weight one; nothing is rounded.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.arrays import Floats, Ints
from harness.referee.ledger import Ledger

MOST_NATS = 1e4  # a token; a target of probability zero is lost at this price just as well


@dataclass(frozen=True)
class LedgerPass:
    """Satisfies `ScoredPass`; k rows."""

    position: npt.NDArray[np.int32]  # (k,)
    nats: Floats  # (k,)
    weight: Floats  # (k,) one each
    event: Ints  # (k,) position: a referee scores in the order of the stream
    gap: float = 0.0  # the ledger is the claim itself


def ledger_pass(ledger: Ledger) -> LedgerPass:
    """Of all positions that have a score."""
    scored = np.flatnonzero(~np.isnan(ledger.nats))
    nats = np.minimum(ledger.nats[scored], MOST_NATS)
    return LedgerPass(scored.astype(np.int32), nats, np.ones(len(scored)), scored)
