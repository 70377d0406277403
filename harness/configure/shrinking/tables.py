"""Tables of n-grams: those that are trained, and those that the stream fills."""

import math

from harness.configure.shrinking.target import Proportions, power_of_two

HUGE = 65_536  # a table of at least this many entries is filled by the stream, not trained


def trained_table(value: float, was: Proportions) -> float | None:
    """Embedding tables of hashed n-grams; trained, so their load does not matter."""
    return 64 if value > 64 and was.target.shrink_model else None


def counted_table(value: float, was: Proportions) -> float | None:
    """Tables that the stream fills keep their load (about 15 tokens a bucket)."""
    if value < 1_024:
        return None
    share = was.stream_share if value >= HUGE else was.stream.tokens / (16 * value)
    return min(value, max(16, power_of_two(value * share)))


def table_bits(value: float, was: Proportions) -> float | None:
    """The same of a table whose size is given as its logarithm."""
    if not 12 <= value <= 32:
        return None
    return max(4, round(value + math.log2(was.stream_share)))
