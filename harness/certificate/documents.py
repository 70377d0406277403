"""The denominator from the documents themselves: UTF-8 bytes that no tokenizer has counted.

A file of documents is JSON lines with a "text" each (as the contest's own), or one plain text. The
validation stream holds the first of them, one behind each boundary.

Guarantees: whether these are the stream's documents is tried by encoding some of them, evenly
spread; where they are not, nothing is said of bytes. A last document that the shards cut short
counts as its tokens do. Does not cover: tokens in front of the first boundary, and a tokenizer that
loses text (BYTES-3): the bytes that it folds away are in the denominator of raw text.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from harness.arrays import Ints
from harness.errors import UsageError
from harness.streams.stream import Stream
from harness.streams.vocabulary import Vocabulary

TRIED = 64  # documents that are encoded
LEAST_ALIKE = 0.5  # of those, whose ids must be the shards'


@dataclass(frozen=True)
class RawCount:
    """Bytes of the stream's documents, counted twice."""

    documents: int
    raw_bytes: int  # of their UTF-8 text
    counted_bytes: int  # of their tokens, by the canonical table
    unlike: int  # documents whose two counts differ
    tried: int  # documents that were encoded
    alike: int  # of these, those whose ids are the stream's

    @property
    def are_these(self) -> bool:
        """The file holds the stream's documents."""
        return self.alike >= LEAST_ALIKE * max(self.tried, 1)


def recount(
    path: Path,
    stream: Stream,
    vocabulary: Vocabulary,
    token_bytes: Ints,  # (T,) canonical bytes of each token behind its predecessor
) -> RawCount:
    """Raises UsageError where the file is none, or has fewer documents than the stream."""
    starts, last = stream.starts, len(stream.starts) - 1
    stops = np.append(starts[1:], len(stream.tokens))
    tried = {*np.linspace(0, last, min(TRIED, last + 1)).astype(int).tolist(), last}
    before = np.concatenate([[0], np.cumsum(token_bytes)])
    counted = before[stops] - before[starts]
    raw, alike, number = np.zeros(last + 1, np.int64), 0, -1
    for number, text in enumerate(islice(_texts(path), last + 1)):
        raw[number] = len(text.encode("utf-8"))
        if number in tried:
            ids, mine = (
                _encoded(vocabulary, text),
                stream.tokens[starts[number] + 1 : stops[number]],
            )
            alike += ids[: len(mine)] == mine.tolist()
            if number == last and len(mine) < len(ids):
                raw[number] = counted[number]
    if number < last:
        raise UsageError(
            f"--documents {path}: {number + 1:,} documents, and the stream has {last + 1:,}"
        )
    unlike = int(np.count_nonzero(raw != counted))
    return RawCount(last + 1, int(raw.sum()), int(counted.sum()), unlike, len(tried), int(alike))


def _encoded(vocabulary: Vocabulary, text: str) -> list[int]:
    if vocabulary.processor is None:
        return [byte + vocabulary.size - 256 for byte in text.encode("utf-8")]
    ids: list[int] = vocabulary.processor.encode(text)
    return ids


def _texts(path: Path) -> Iterator[str]:
    try:
        with path.open(encoding="utf-8") as file:
            if path.suffix != ".jsonl":
                yield file.read()
                return
            for line in file:
                if line.strip():
                    yield json.loads(line)["text"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"--documents {path}: cannot be read ({error!r})") from error
