"""The number in question: a code length, and the bytes that it is divided by."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Score:
    """The number in question."""

    nats: float | None  # code length of the scored targets
    tokens: int  # targets scored
    bytes: int  # UTF-8 bytes of the scored text, counted by the harness
    bits_per_byte: float | None
