"""How many bytes of text each token stands for: the denominator of bits-per-byte.

The challenge's rule, token by token:

    control, unknown, unused ids   0 bytes, and a boundary
    byte tokens                    1 byte
    every other piece              the UTF-8 bytes of the piece without its leading space sign,
                                   plus 1 for that space unless the previous token is a boundary

Guarantees: summed over a document (BOS, then its ids) the count is the UTF-8 length of the text
that the ids decode to, when that text does not begin with a space.
Does not cover: a document that *does* begin with a space; the rule charges nothing for that one
byte, as SentencePiece's dummy prefix would put it there for free. We keep to the rule, because
every published score does. Nor text that normalisation changed before it became ids.
"""

from dataclasses import dataclass

import numpy as np
import sentencepiece as spm

SPACE_SIGN = "\u2581"


@dataclass(frozen=True, eq=False)
class ByteTable:
    """Three facts per token id, V = vocabulary size."""

    base: np.ndarray  # (V,) int64, bytes without the leading space
    leading_space: np.ndarray  # (V,) bool, the piece opens with the space sign
    boundary: np.ndarray  # (V,) bool, stands for no text: swallows the next token's leading space

    @classmethod
    def from_tokenizer(cls, tokenizer: spm.SentencePieceProcessor) -> "ByteTable":
        n = tokenizer.vocab_size()
        base = np.zeros(n, dtype=np.int64)
        leading_space = np.zeros(n, dtype=bool)
        boundary = np.zeros(n, dtype=bool)
        for i in range(n):
            if tokenizer.is_control(i) or tokenizer.is_unknown(i) or tokenizer.is_unused(i):
                boundary[i] = True
            elif tokenizer.is_byte(i):
                base[i] = 1
            else:
                piece = tokenizer.id_to_piece(i)
                leading_space[i] = piece.startswith(SPACE_SIGN)
                base[i] = len(piece.removeprefix(SPACE_SIGN).encode())
        return cls(base, leading_space, boundary)

    def count(
        self,
        prev: np.ndarray,  # (T,) integer ids, the token before each target
        target: np.ndarray,  # (T,) integer ids
    ) -> np.ndarray:
        """(T,) int64, the bytes that each target stands for after its predecessor."""
        return self.base[target] + (self.leading_space[target] & ~self.boundary[prev])
