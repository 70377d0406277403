"""A token stream: what a submission is scored on.

The first token is given, not scored, as in the contest. Does not cover whether the shards are the
contest's own (rule DATA-5), nor where the tokens come from: text (`validation_stream`), or a source
of known distribution (`drawn`).
"""

from dataclasses import dataclass

import numpy as np

from harness.arrays import Tokens
from harness.errors import HarnessError
from harness.streams.vocabulary import Vocabulary
from reference_model.data.folder import DataFolder


@dataclass(frozen=True, eq=False)
class Stream:
    """Positions 0..T-1; position 0 is given, positions 1..T-1 are scored."""

    tokens: Tokens  # (T,) int64
    starts: Tokens  # (D,) positions of the tokens that open a document

    @property
    def n_scored(self) -> int:
        """Targets that an honest score covers."""
        return len(self.tokens) - 1


def text_stream(
    tokens: Tokens,  # (T,) int64
    vocabulary: Vocabulary,
) -> Stream:
    """Text as it is: a document opens at each boundary."""
    return Stream(tokens, np.flatnonzero(tokens == vocabulary.boundary).astype(np.int64))


def validation_stream(data: DataFolder, vocabulary: Vocabulary, limit: int | None = None) -> Stream:
    """The folder's validation split in shard order, or its first `limit` tokens."""
    tokens = data.validation_tokens()[:limit].astype(np.int64)
    if len(tokens) < 2:
        raise HarnessError(
            f"{data.root}: a validation split of {len(tokens)} tokens; need at least 2"
        )
    return text_stream(tokens, vocabulary)
