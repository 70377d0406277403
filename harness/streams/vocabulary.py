"""The alphabet that a script scores in: which ids are text, what each weighs in bytes, and where a
document begins.

Guarantees: bytes are counted here, by the canonical rule (BYTES-2), never by the submission.
Does not cover: vocabularies that are neither SentencePiece nor plain bytes; which vocabulary a
script asks for (`configure`).
"""

import json
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import sentencepiece as spm

from reference_model.data.byte_count import ByteTable
from reference_model.data.tokenizer import load_tokenizer

BOS = 1  # of the contest's tokenizers
NUL = 0  # the byte that no text holds


@dataclass(frozen=True)
class Vocabulary:
    """What the ids of the streams may be."""

    size: int
    source: str  # "fineweb_8192_bpe.model of the folder", "trained on the embedded corpus", "bytes"
    model: bytes | None  # a SentencePiece .model file; None for plain bytes

    @classmethod
    def of_tokenizer(cls, path: Path) -> "Vocabulary":
        """A SentencePiece model from a file."""
        model = path.read_bytes()
        return cls(load_tokenizer(path).vocab_size(), path.name, model)

    @cached_property
    def ordinary(self) -> np.ndarray:
        """(K,) int64, the ids that text is made of."""
        return np.setdiff1d(np.flatnonzero(~self.table.boundary), [self.boundary])

    @cached_property
    def boundary(self) -> int:
        """The id that every document of ours begins with, and that text never holds.

        Of 256 plain bytes each stands for text: there it is byte 0, which counts as a byte.
        """
        if self.processor is not None and self.processor.bos_id() >= 0:
            return int(self.processor.bos_id())
        no_text = np.flatnonzero(self.table.boundary)
        if not len(no_text):
            return NUL
        return BOS if BOS in no_text else int(no_text[0])

    @cached_property
    def table(self) -> ByteTable:
        """Bytes of every id, by the contest's rule."""
        if self.processor is None:
            none = np.zeros(self.size, dtype=bool)
            return ByteTable(self.is_byte.astype(np.int64), none, ~self.is_byte)
        return ByteTable.from_tokenizer(self.processor)

    @cached_property
    def byte_kinds(self) -> np.ndarray:
        """(V,) int64: ids of one kind count as many bytes, by any way of counting."""
        spelt = self.most_bytes(np.arange(self.size))
        table = self.table
        return np.asarray((spelt * 2 + self.is_byte) * 2 + table.leading_space, np.int64)

    @cached_property
    def is_byte(self) -> np.ndarray:
        """(V,) bool, pieces that stand for one byte: all text of a vocabulary without a model."""
        if self.processor is None:
            return np.arange(self.size) >= self.size - 256
        return np.array([self.processor.is_byte(i) for i in range(self.size)])

    @cached_property
    def processor(self) -> spm.SentencePieceProcessor | None:
        """The tokenizer; None for plain bytes."""
        if self.model is None:
            return None
        processor = spm.SentencePieceProcessor()
        processor.LoadFromSerializedProto(self.model)
        return processor

    def token_bytes(self, tokens: np.ndarray) -> np.ndarray:
        """(T,) int64 canonical bytes of each of (T,) ids after its predecessor.

        The first is counted as if behind a boundary.
        """
        ids = np.asarray(tokens, dtype=np.int64)
        before = np.concatenate([[self.boundary], ids[:-1]])
        return self.table.count(before, ids)

    def most_bytes(self, tokens: np.ndarray) -> np.ndarray:
        """(T,) int64 bytes of each of (T,) ids by the way of counting that gives most: the UTF-8
        length of its piece as it is spelt, "▁" and "<0x0A>" included.
        """
        ids = np.asarray(tokens, dtype=np.int64)
        if self.processor is None:
            return np.asarray(self.token_bytes(ids))
        spelt = [len(self.processor.id_to_piece(i).encode()) for i in range(self.size)]
        return np.array(spelt, np.int64)[ids]

    def longest(self, pattern: re.Pattern[str], most: int) -> np.ndarray:
        """(K,) int64, ascending: up to `most` ordinary ids, the longest whose whole piece fits."""
        if self.processor is None:
            return np.empty(0, np.int64)
        pieces = [(self.processor.id_to_piece(int(i)), int(i)) for i in self.ordinary]
        fits = sorted((-len(piece), i) for piece, i in pieces if pattern.fullmatch(piece))
        return np.sort(np.array([i for _, i in fits[:most]], np.int64))

    def encode(self, text: str) -> np.ndarray:
        """(n,) int64 ids of a text."""
        if self.processor is None:
            return np.frombuffer(text.encode(), np.uint8).astype(np.int64) + (self.size - 256)
        return np.array(self.processor.EncodeAsIds(text), np.int64)

    def as_json(self) -> str:
        """How scripts describe a tokenizer without a model; ids that are bytes are not special."""
        names = ("pad_id", "bos_id", "eos_id", "unk_id")
        specials = {name: i for i, name in enumerate(names) if i < self.size - 256}
        return json.dumps(
            {
                "tokenizer_type": "pure_byte",
                "vocab_size": self.size,
                "byte_offset": self.size - 256,
                "byte_count": 256,
                "config": specials,
            }
            | specials
        )
