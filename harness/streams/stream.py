"""A token stream with what it takes to score it: bytes per target, alphabet, document boundaries.

Guarantees: bytes are counted here, by the canonical rule (BYTES-2), never by the submission; the
first token is given, not scored, as in the contest. Does not cover whether the shards are the
contest's own (rule DATA-5).
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from harness.arrays import Tokens
from harness.errors import HarnessError
from reference_model.data.byte_count import ByteTable
from reference_model.data.folder import DataFolder
from reference_model.data.tokenizer import load_tokenizer


@dataclass(frozen=True)
class Alphabet:
    """The fixed token alphabet that every distribution must cover."""

    size: int
    bos_id: int
    ordinary: Tokens  # (n,) ids that text is made of: not control, unknown or unused
    byte_table: ByteTable
    tokenizer: Path

    @classmethod
    def from_tokenizer(cls, path: Path) -> "Alphabet":
        """Reads a SentencePiece model."""
        sp = load_tokenizer(path)
        special = [
            i
            for i in range(sp.vocab_size())
            if sp.is_control(i) or sp.is_unknown(i) or sp.is_unused(i)
        ]
        ordinary = np.setdiff1d(np.arange(sp.vocab_size()), special).astype(np.int64)
        return cls(sp.vocab_size(), sp.bos_id(), ordinary, ByteTable.from_tokenizer(sp), path)


@dataclass(frozen=True)
class Stream:
    """Positions 0..T-1; position 0 is given, positions 1..T-1 are scored."""

    tokens: Tokens  # (T,) int64
    alphabet: Alphabet

    @property
    def n_scored(self) -> int:
        """Targets that an honest score covers."""
        return len(self.tokens) - 1

    @cached_property
    def n_bytes(self) -> int:
        """UTF-8 bytes of the scored text: the denominator of bits_per_byte."""
        return int(self.alphabet.byte_table.count(self.tokens[:-1], self.tokens[1:]).sum())

    @cached_property
    def boundaries(self) -> Tokens:
        """(n,) positions of the document-opening token."""
        return np.flatnonzero(self.tokens == self.alphabet.bos_id).astype(np.int64)


def validation_stream(data: DataFolder, limit: int | None = None) -> Stream:
    """The folder's validation split in shard order, or its first `limit` tokens."""
    tokens = data.validation_tokens()[:limit].astype(np.int64)
    if len(tokens) < 2:
        raise HarnessError(
            f"{data.root}: a validation split of {len(tokens)} tokens; need at least 2"
        )
    return Stream(tokens, Alphabet.from_tokenizer(data.tokenizer))


def altered_future(
    stream: Stream,
    cut: int,  # first position whose token changes
    rng: np.random.Generator,
) -> Tokens:  # (T,) int64
    """The stream with every token from `cut` on replaced by a different ordinary one.

    Length, boundaries and their spacing stay, so code that cuts at documents sees the same shape.
    """
    ordinary = stream.alphabet.ordinary
    altered = stream.tokens.copy()
    tail = altered[cut:]
    fresh = ordinary[rng.integers(len(ordinary), size=len(tail))]
    same = fresh == tail
    fresh[same] = ordinary[(np.searchsorted(ordinary, fresh[same]) + 1) % len(ordinary)]
    tail[...] = np.where(tail == stream.alphabet.bos_id, tail, fresh)
    return altered
