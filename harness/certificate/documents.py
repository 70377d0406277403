"""The denominator from the documents themselves: UTF-8 bytes that no tokenizer has counted.

A file of documents is JSON lines with a "text" each (as the contest's own), or one plain text. The
validation stream holds the first of them, one behind each boundary.

Guarantees: whether these are the stream's documents is tried by decoding some of them, evenly
spread; where they are not, nothing is said of bytes. Does not cover: tokens in front of the first
boundary, and a tokenizer that loses text (BYTES-3).
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

TRIED = 64  # documents that are decoded
LEAST_ALIKE = 0.5  # of those, that must come out as they stand in the file


@dataclass(frozen=True)
class RawCount:
    """Bytes of the stream's documents, counted twice."""

    documents: int
    raw_bytes: int  # of their UTF-8 text
    counted_bytes: int  # of their tokens, by the canonical table
    unlike: int  # documents whose two counts differ
    decoded: int  # documents that were tried
    alike: int  # of these, those that decode to the text of the file

    @property
    def are_these(self) -> bool:
        """The file holds the stream's documents."""
        return self.alike >= LEAST_ALIKE * max(self.decoded, 1)


def recount(
    path: Path,
    stream: Stream,
    vocabulary: Vocabulary,
    token_bytes: Ints,  # (T,) canonical bytes of each token behind its predecessor
) -> RawCount:
    """Raises UsageError where the file is none, or has fewer documents than the stream."""
    starts = stream.starts
    stops = np.append(starts[1:], len(stream.tokens))
    tried = set(np.linspace(0, len(starts) - 1, min(TRIED, len(starts))).astype(int).tolist())
    before = np.concatenate([[0], np.cumsum(token_bytes)])
    counted = before[stops] - before[starts]
    raw, alike = np.zeros(len(starts), np.int64), 0
    number = -1
    for number, text in enumerate(islice(_texts(path), len(starts))):
        raw[number] = len(text.encode("utf-8"))
        if number in tried:
            tokens = stream.tokens[starts[number] + 1 : stops[number]]
            alike += _decoded(vocabulary, tokens) == text
    if number + 1 < len(starts):
        raise UsageError(
            f"--documents {path}: {number + 1:,} documents, and the stream has {len(starts):,}"
        )
    unlike = int(np.count_nonzero(raw != counted))
    return RawCount(len(starts), int(raw.sum()), int(counted.sum()), unlike, len(tried), int(alike))


def _decoded(vocabulary: Vocabulary, tokens: Ints) -> str:
    if vocabulary.processor is None:
        return bytes((tokens - (vocabulary.size - 256)).tolist()).decode("utf-8", "replace")
    text: str = vocabulary.processor.decode(tokens.tolist())
    return text


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
