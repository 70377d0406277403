"""An alphabet of whole characters, for scripts that read text: each character is one token.

Law: a document of n characters, drawn uniformly and alone, is n tokens, drawn uniformly and alone,
whatever splits the text first; so the law of the *tokens* is exact, as with no trained tokenizer.

    ids 0..255     single bytes, as every byte-level tokenizer has them
    then           letters of two bytes, one merge each
    then           special tokens, without bytes; the first opens each document

Guarantees: only printable ASCII and those letters are drawn: both decode alone, so that a table of
bytes by decoding and one of raw bytes agree on all that is drawn. Does not cover: merges across
characters; what a tokenizer that was trained does to text.
"""

import re
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from harness.streams.vocabulary import Vocabulary
from reference_model.data.byte_count import ByteTable

BYTES = 256
ASCII = tuple(chr(code) for code in range(0x20, 0x7F))
# Latin, Greek and Cyrillic letters: two bytes each, none of them changed by any normalisation.
LETTERS = tuple(
    chr(code)
    for first, last in ((0x00D8, 0x00DE), (0x03B1, 0x03C9), (0x0410, 0x044F))
    for code in range(first, last + 1)
)
REPLACED = len("\N{REPLACEMENT CHARACTER}".encode())  # what a lone byte decodes to


@dataclass(frozen=True)
class CharacterVocabulary(Vocabulary):
    """Bytes, letters and specials."""

    specials: tuple[str, ...] = ()

    @classmethod
    def with_specials(cls, specials: tuple[str, ...]) -> "CharacterVocabulary":
        """The alphabet of a contest that reserves these."""
        size = BYTES + len(LETTERS) + len(specials)
        return cls(size, "characters, one token each", None, specials)

    @cached_property
    def id_of(self) -> dict[str, int]:
        """Character -> id, of those that may be drawn."""
        letters = {letter: BYTES + place for place, letter in enumerate(LETTERS)}
        return {character: ord(character) for character in ASCII} | letters

    @cached_property
    def ranks(self) -> dict[bytes, int]:
        """Bytes of a token -> id, as byte-level tokenizers merge them; specials not among them."""
        single = {bytes([byte]): byte for byte in range(BYTES)}
        return single | {letter.encode(): self.id_of[letter] for letter in LETTERS}

    @cached_property
    def special_ids(self) -> dict[str, int]:
        """Name -> id."""
        return {name: BYTES + len(LETTERS) + place for place, name in enumerate(self.specials)}

    @cached_property
    def ordinary(self) -> np.ndarray:
        """(K,) int64, the ids that text is made of."""
        return np.array(sorted(self.id_of.values()), np.int64)

    @cached_property
    def boundary(self) -> int:
        """The first special opens each document."""
        return self.special_ids[self.specials[0]]

    @cached_property
    def table(self) -> ByteTable:
        """Bytes of every id, by decoding it alone: three for a lone byte from 0x80 up."""
        base = np.array(
            [1] * 128 + [REPLACED] * 128 + [2] * len(LETTERS) + [0] * len(self.specials)
        )
        none = np.zeros(self.size, bool)
        return ByteTable(base.astype(np.int64), none, base == 0)

    @cached_property
    def is_byte(self) -> np.ndarray:
        """(V,) bool, tokens that stand for a part of a character."""
        return (np.arange(self.size) >= 128) & (np.arange(self.size) < BYTES)

    def most_bytes(self, tokens: np.ndarray) -> np.ndarray:
        """(T,) int64 bytes of each of (T,) ids: every way of counting agrees on what is drawn."""
        return np.asarray(self.table.base[np.asarray(tokens, np.int64)])

    def longest(self, pattern: re.Pattern[str], most: int) -> np.ndarray:
        """(K,) int64, ascending: up to `most` characters that fit, those of two bytes first."""
        fits = [
            (-len(character.encode()), i)
            for character, i in self.id_of.items()
            if pattern.fullmatch(character)
        ]
        return np.sort(np.array([i for _, i in sorted(fits)[:most]], np.int64))

    def encode(self, text: str) -> np.ndarray:
        """(n,) int64: characters that are none of the alphabet become a space."""
        space = self.id_of[" "]
        return np.array([self.id_of.get(character, space) for character in text], np.int64)

    def text_of(self, tokens: np.ndarray) -> str:
        """The characters of (n,) ids that were drawn."""
        character_of = {i: character for character, i in self.id_of.items()}
        return "".join(character_of[int(token)] for token in tokens)
