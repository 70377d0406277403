"""Sizes of names that tell nothing, by how large they are: taken only where a run was too large.

What people choose is round. From a million on it is a table; a multiple of 1,024 counts tokens, of
a step or of a chunk; of 1,000, steps. From 256 on a multiple of 64 is a width, a length or a batch
(`BLK = 512`): together they are too large, and an eighth of each keeps what divides what.
Does not cover: the vocabulary, by its name or where it could be, and where a file has its tokens:
those are the data's.
"""

import re

from harness.configure.shrinking import lengths, steps, tables
from harness.configure.shrinking.target import Proportions

SMALLEST, ROUND = 256, 64
MANY = 4_096
TABLE = 1 << 20  # entries
SHARE = 8  # 64 of 512, the model's usual width here
_VOCABULARY = re.compile(r"VOC|^V$|^N?_?TOKENS?$|ALPHABET|SYMBOLS|CLASSES|BYTE|SEED|^OFFSET$")


def by_value(name: str, value: float, was: Proportions) -> float | None:
    """None where it stays."""
    if _VOCABULARY.search(name) or value < SMALLEST:
        return None
    if value < MANY:
        return value // SHARE if not value % ROUND else None
    if value % 1_024 and value % 1_000:
        return None
    if value >= TABLE:
        return tables.counted_table(value, was)
    return steps.iterations(value, was) if value % 1_024 else lengths.train_tokens(value, was)
