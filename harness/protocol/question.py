"""One score that is re-queried: for other tokens in its target's place, in copies of the process.

Written on our side, obeyed in the script's process. Plain data that crosses as part of a `Job`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Question:
    """One score that is asked again, for one token after the other."""

    event: int  # of the capture, behind which the run stands still
    position: int  # in the validation stream, whose token is exchanged
    sites: tuple[str, ...]  # what may count it: lines, with " read" behind where numbers are read
    tokens: tuple[int, ...]  # in the order in which they are asked; first the one that stands there
    enough: float  # mass at which the asking ends
    limit_s: float

    @classmethod
    def from_plain(cls, raw: Mapping[str, Any]) -> "Question":
        """The inverse of `dataclasses.asdict`, through JSON."""
        return cls(**{**raw, "sites": tuple(raw["sites"]), "tokens": tuple(raw["tokens"])})
