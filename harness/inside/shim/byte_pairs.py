"""`tiktoken.Encoding`, for a vocabulary whose tokens are bytes or whole characters.

The numbers stay right: no merge of such a vocabulary crosses a character, so however text is split
first, each character gives the same tokens. Not covered: vocabularies with longer merges, and the
registry of encodings that tiktoken downloads: both end the run by name.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from harness.inside.shim.unserved import unserved

get_encoding = unserved("tiktoken.get_encoding")


class Encoding:
    """As scripts ask it."""

    def __init__(
        self,
        name: str,
        *,
        pat_str: str,
        mergeable_ranks: Mapping[bytes, int],
        special_tokens: Mapping[str, int],
        explicit_n_vocab: int | None = None,
    ) -> None:
        self.name, self._pat_str = name, pat_str
        self._mergeable_ranks, self._special_tokens = dict(mergeable_ranks), dict(special_tokens)
        self.max_token_value = max([*mergeable_ranks.values(), *special_tokens.values()])
        self._bytes = {i: raw for raw, i in mergeable_ranks.items()}
        self._bytes |= {i: text.encode() for text, i in special_tokens.items()}
        self._known: dict[str, tuple[int, ...]] = {}
        if any(_is_longer(raw) for raw in mergeable_ranks):
            unserved("tiktoken with merges across characters")()

    def __getstate__(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "pat_str": self._pat_str,
            "mergeable_ranks": self._mergeable_ranks,
            "special_tokens": self._special_tokens,
        }

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        Encoding.__init__(self, **state)

    @property
    def n_vocab(self) -> int:
        """Ids that there are."""
        return self.max_token_value + 1

    @property
    def special_tokens_set(self) -> set[str]:
        """Their names."""
        return set(self._special_tokens)

    @property
    def eot_token(self) -> int:
        """Of encodings that have one by the usual name."""
        return self._special_tokens["<|endoftext|>"]

    def encode_ordinary(self, text: str) -> list[int]:
        """Character by character."""
        known = self._known
        for character in set(text).difference(known):
            known[character] = self._of(character)
        return [i for character in text for i in known[character]]

    def _of(self, character: str) -> tuple[int, ...]:
        raw = character.encode("utf-8", "replace")
        whole = self._mergeable_ranks.get(raw)
        one_by_one = (self._mergeable_ranks[raw[i : i + 1]] for i in range(len(raw)))
        return tuple(one_by_one) if whole is None else (whole,)

    def encode(self, text: str, *, allowed_special: Collection[str] = (), **_: Any) -> list[int]:
        """Names of specials stand for themselves only where they are allowed."""
        allowed = self.special_tokens_set if allowed_special == "all" else set(allowed_special)
        for name in sorted(map(str, allowed), key=len, reverse=True):
            if name in text:
                before, _name, behind = text.partition(name)
                parts = [self.encode(part, allowed_special=allowed) for part in (before, behind)]
                return [*parts[0], self._special_tokens[name], *parts[1]]
        return self.encode_ordinary(text)

    def encode_ordinary_batch(
        self, text: Sequence[str], *, num_threads: int = 8
    ) -> list[list[int]]:
        """One after the other."""
        return [self.encode_ordinary(one) for one in text]

    def encode_batch(self, text: Sequence[str], **options: Any) -> list[list[int]]:
        """One after the other."""
        options.pop("num_threads", None)
        return [self.encode(one, **options) for one in text]

    def encode_single_token(self, text_or_bytes: str | bytes) -> int:
        """The id of a special or of a token's own bytes."""
        if isinstance(text_or_bytes, str):
            if text_or_bytes in self._special_tokens:
                return self._special_tokens[text_or_bytes]
            text_or_bytes = text_or_bytes.encode()
        return self._mergeable_ranks[text_or_bytes]

    def decode_single_token_bytes(self, token: int) -> bytes:
        """Raw."""
        return self._bytes[token]

    def decode_bytes(self, tokens: Sequence[int]) -> bytes:
        """Raw."""
        return b"".join(self._bytes[int(token)] for token in tokens)

    def decode(self, tokens: Sequence[int], errors: str = "replace") -> str:
        """As text."""
        return self.decode_bytes(tokens).decode("utf-8", errors)

    def token_byte_values(self) -> list[bytes]:
        """Of all that are no specials, in the order of their bytes."""
        return sorted(self._mergeable_ranks)


def _is_longer(raw: bytes) -> bool:
    try:
        return len(raw) > 1 and len(raw.decode()) > 1
    except UnicodeDecodeError:
        return True
