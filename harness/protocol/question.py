"""One score that is re-queried: for other tokens in its target's place, in copies of the process.

Written on our side, obeyed in the script's process. Plain data that crosses as part of a `Job`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

HEAVIEST = 8  # tokens of each row
# Nats of a unit in which scripts keep and add up scores; a probability has its logarithm.
UNITS = {"nats": 1.0, "bits": float(np.log(2.0)), "digits": float(np.log(10.0))}


class OfToken(StrEnum):
    """Which of the numbers that a counter keeps for a token are its score."""

    ONE = "one"  # there is one
    SUM = "sum"
    LAST = "last"


@dataclass(frozen=True)
class Counter:
    """What enters scores into a total: a line; apart from it, the numbers only read out there."""

    site: str  # "train_gpt.py:1144"
    read_out: bool


@dataclass(frozen=True)
class Question:
    """One score that is asked again, for one token after the other."""

    event: int  # of the capture, behind which the run stands still
    position: int  # in the validation stream, whose token is exchanged
    counters: tuple[Counter, ...]  # what may score it
    tokens: tuple[int, ...]  # in the order in which they are asked; first the one that stands there
    enough: float  # mass at which the asking ends
    limit_s: float
    chosen: int = 1  # of those, the first, which are asked before what rows tell of
    unit: str = "nats"  # of what its counters keep: nats, bits, digits or probability
    alphabet: int = 0  # tokens that there are; rows of another length tell of none
    of_token: OfToken = OfToken.ONE

    @classmethod
    def from_plain(cls, raw: Mapping[str, Any]) -> "Question":
        """The inverse of `dataclasses.asdict`, through JSON."""
        counters = tuple(Counter(**counter) for counter in raw["counters"])
        plain = {"tokens": tuple(raw["tokens"]), "of_token": OfToken(raw["of_token"])}
        return cls(**{**raw, **plain, "counters": counters})


def heaviest(rows: npt.NDArray[np.float64]) -> list[int]:
    """Of each of (r, V) rows that a score was read from, the largest entries: asked for next."""
    found = np.argsort(-rows, axis=1, kind="stable")[:, :HEAVIEST]
    return list(dict.fromkeys(found.T.reshape(-1).tolist()))
