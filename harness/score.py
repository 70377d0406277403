"""The number that a report shows."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Score:
    """A code length; the three numbers multiply out."""

    nats: float
    tokens: int  # that were scored
    n_bytes: int  # of text, by the canonical table

    @property
    def bits_per_byte(self) -> float | None:
        """None without a byte."""
        return self.nats / math.log(2) / self.n_bytes if self.n_bytes else None

    def as_json(self) -> dict[str, float | int | None]:
        """The published keys."""
        return {
            "nats": self.nats,
            "tokens": self.tokens,
            "bytes": self.n_bytes,
            "bits_per_byte": self.bits_per_byte,
        }
