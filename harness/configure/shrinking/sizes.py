"""Sizes of names that tell nothing, by how large they are: taken only where a run was too large.

What people choose is round. From a million on it is a table; a multiple of 1,024 counts tokens, of
a step or of a chunk; of 1,000, steps. Smaller numbers stay: widths, lengths and vocabularies are
alike, and none of them alone is too large.
"""

from harness.configure.shrinking import lengths, steps, tables
from harness.configure.shrinking.target import Proportions

SMALLEST = 4_096
TABLE = 1 << 20  # entries


def by_value(value: float, was: Proportions) -> float | None:
    """None where it stays."""
    if value < SMALLEST or (value % 1_024 and value % 1_000):
        return None
    if value >= TABLE:
        return tables.counted_table(value, was)
    return steps.iterations(value, was) if value % 1_024 else lengths.train_tokens(value, was)
