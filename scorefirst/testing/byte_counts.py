"""BYTES-1 of a counting function: no token counts for more bytes than it stands for.

Asked are every id behind a document's beginning and behind an ordinary token, and English text,
whose bytes are known before any tokenizer saw it.

Guarantees: a count below the canonical one only hurts its author, and passes. Does not cover:
tokenizers that are no SentencePiece models.
"""

from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import sentencepiece as spm

from harness.arrays import Ints
from harness.checks.bytes import RULE
from harness.errors import UsageError
from harness.streams.raw_text import MORE, raw_text
from harness.streams.vocabulary import Vocabulary
from scorefirst.testing.failures import broken

TEXT_TOKENS = 8192
CURE = (
    "count the UTF-8 bytes of a piece without its leading space sign, one more for that space"
    " unless the token before is a control or unknown one, 1 for a byte token, 0 for control tokens"
)
Count = Callable[[Ints, Ints], Any]


def assert_bytes(
    count_fn: Count,  # (n,) previous ids, (n,) ids -> (n,) bytes of each id, or their sum
    tokenizer: str | PathLike[str] | spm.SentencePieceProcessor,
) -> None:
    """Raises where a token, or text, counts for more bytes than it has."""
    vocabulary = _vocabulary(tokenizer)
    every = np.arange(vocabulary.size)
    for before in (vocabulary.boundary, int(vocabulary.ordinary[-1])):
        _compare(count_fn, vocabulary, np.full(len(every), before), every)
    text = raw_text(vocabulary, TEXT_TOKENS)
    assert text is not None  # there is a tokenizer
    tokens = text.stream.tokens
    _compare(count_fn, vocabulary, tokens[:-1], tokens[1:])
    counted = int(np.sum(_ask(count_fn, tokens[:-1], tokens[1:])))
    if counted > text.n_bytes * (1 + MORE) + len(text.stream.starts):
        raise broken(
            RULE,
            f"text of {text.n_bytes:,} bytes counts for {counted:,}",
            f"its {len(tokens):,} tokens spell out what the text does not hold",
            "train the tokenizer with a piece for a lone space, or divide by the bytes of the text",
        )


def _vocabulary(tokenizer: str | PathLike[str] | spm.SentencePieceProcessor) -> Vocabulary:
    if isinstance(tokenizer, spm.SentencePieceProcessor):
        model = tokenizer.serialized_model_proto()
        return Vocabulary(tokenizer.vocab_size(), "the caller's", model)
    return Vocabulary.of_tokenizer(Path(tokenizer))


def _compare(count_fn: Count, vocabulary: Vocabulary, previous: Ints, ids: Ints) -> None:
    """Token by token; sums are taken apart only where they are too large."""
    ours = vocabulary.table.count(previous, ids)
    theirs = _ask(count_fn, previous, ids)
    if theirs.ndim == 0:
        if int(theirs) <= int(ours.sum()):
            return
        pairs = zip(previous[:, None], ids[:, None], strict=True)
        theirs = np.array([int(_ask(count_fn, before, one)) for before, one in pairs])
    above = np.flatnonzero(theirs > ours)
    if len(above):
        raise _counterexample(vocabulary, previous, ids, (theirs, ours, above))


def _counterexample(
    vocabulary: Vocabulary, previous: Ints, ids: Ints, found: tuple[Ints, Ints, Ints]
) -> AssertionError:
    theirs, ours, above = found
    assert vocabulary.processor is not None
    spelt = vocabulary.processor.id_to_piece
    at = int(above[0])
    before, one = int(previous[at]), int(ids[at])
    return broken(
        RULE,
        f"{len(np.unique(ids[above])):,} of {vocabulary.size:,} ids count for more bytes than they"
        " stand for",
        f"position {at}, id {one} {spelt(one)!r} behind {before} {spelt(before)!r}: {theirs[at]}"
        f" bytes counted, and {ours[at]} by the contest's rule",
        CURE,
    )


def _ask(count_fn: Count, previous: Ints, ids: Ints) -> Any:
    """(n,) bytes, or () their sum; of one pair, the sum."""
    given = np.asarray(count_fn(previous.copy(), ids.copy()))
    if given.shape == ids.shape and len(ids) > 1:
        return given
    if given.size == 1:
        return given.reshape(())
    raise UsageError(
        f"count_fn gave {given.shape} for {len(ids)} ids: return {len(ids)} counts, or their sum"
    )
