"""Text whose size is known before any tokenizer saw it: bytes by `str.encode`.

A tokenizer without a piece for a lone space spells it as three byte pieces; each decodes, and each
counts, so that no table and no decoding finds the two bytes that the text never held.

Guarantees: documents are whole words of Python's language reference, opened by a boundary; none
begins with a space. Does not cover: text in other languages; vocabularies of plain bytes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pydoc_data.topics import topics

import numpy as np

from harness.streams.stream import Stream
from harness.streams.vocabulary import Vocabulary

WORDS = 60  # of a document
MORE = 0.005  # relative: normalisation adds less to English text


@dataclass(frozen=True, eq=False)
class RawText:
    """A stream, and what its targets weigh."""

    stream: Stream
    n_bytes: int  # UTF-8, of the text
    counted: int  # of the same, token by token, by the contest's rule

    @property
    def overcounted(self) -> bool:
        """The tokenizer spells out more than there is."""
        return self.counted > self.n_bytes * (1 + MORE)


def raw_text(vocabulary: Vocabulary, n_tokens: int) -> RawText | None:
    """At most `n_tokens` tokens, in whole documents; None without a tokenizer."""
    if vocabulary.processor is None:
        return None
    ids: list[int] = []
    starts, n_bytes = [], 0
    for document in _documents():
        encoded = vocabulary.processor.EncodeAsIds(document)
        if len(ids) + 1 + len(encoded) > n_tokens:
            break
        starts.append(len(ids))
        ids += [vocabulary.boundary, *encoded]
        n_bytes += len(document.encode())
    tokens = np.array(ids, np.int64)
    stream = Stream(tokens, np.array(starts, np.int64))
    return RawText(stream, n_bytes, int(vocabulary.token_bytes(tokens)[1:].sum()))


def _documents() -> Iterator[str]:
    for name in sorted(topics):
        words = topics[name].split()
        for start in range(0, len(words), WORDS):
            yield " ".join(words[start : start + WORDS])
