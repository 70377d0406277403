"""The same stream with other tokens at some places: length, boundaries and their spacing stay, so
code that cuts at documents sees the same shape; but in `other_documents`.
"""

from dataclasses import replace

import numpy as np

from harness.arrays import Tokens
from harness.streams.drawn import SourceStream
from harness.streams.stream import Stream

OTHER_DOCUMENT_TOKENS = 24  # mean, where other documents are put: several begin in any window


def replaced(
    tokens: Tokens,  # (T,) int64
    places: Tokens,  # (k,) whose tokens change
    ordinary: Tokens,  # (n,) ascending ids that may stand there
    rng: np.random.Generator,
) -> Tokens:  # (T,) int64
    """Another ordinary token at each of the places."""
    index = np.searchsorted(ordinary, tokens[places])
    step = rng.integers(1, len(ordinary), size=len(places))
    other = tokens.copy()
    other[places] = ordinary[(index + step) % len(ordinary)]
    return other


def redraw(
    stream: SourceStream,
    places: Tokens,  # (k,) whose tokens change
    seed: int,
) -> Tokens:  # (T,) int64
    """Other tokens at those of the places that were drawn."""
    rng = np.random.default_rng([seed, 0xF11B])
    return replaced(stream.tokens, places[stream.drawn[places]], stream.ordinary, rng)


def redraw_alike(
    stream: SourceStream,
    places: Tokens,  # (k,) whose tokens change
    kinds: Tokens,  # (V,) of each id
    seed: int,
) -> Tokens:  # (T,) int64
    """Other tokens of the same kind at those of the places that were drawn; a token that is the
    only one of its kind stays.
    """
    rng = np.random.default_rng([seed, 0xA11C])
    places = places[stream.drawn[places]]
    tokens, here = stream.tokens.copy(), kinds[stream.tokens[places]]
    for kind in np.unique(here):
        same = stream.ordinary[kinds[stream.ordinary] == kind]
        if len(same) > 1:
            tokens = replaced(tokens, places[here == kind], same, rng)
    return tokens


def altered_future(
    stream: Stream,
    cut: int,  # first position whose token changes
    ordinary: Tokens,  # (n,) ascending
    rng: np.random.Generator,
) -> Tokens:  # (T,) int64
    """Another token everywhere from `cut` on, but where a document opens."""
    places = np.setdiff1d(np.arange(cut, len(stream.tokens)), stream.starts)
    return replaced(stream.tokens, places, ordinary, rng)


def other_documents(
    stream: Stream,
    cut: int,  # first position whose token changes
    ordinary: Tokens,  # (n,) ascending
    boundary: int,
    rng: np.random.Generator,
) -> Tokens:  # (T,) int64
    """Other tokens from `cut` on, where a document now opens if none did, and other ones behind
    it: for who may not know where documents end.
    """
    n_tokens = len(stream.tokens)
    tokens = replaced(stream.tokens, np.arange(cut, n_tokens), ordinary, rng)
    opens = np.flatnonzero(rng.random(n_tokens - cut) < 1 / OTHER_DOCUMENT_TOKENS) + cut
    tokens[opens[opens > cut]] = boundary
    if stream.tokens[cut] != boundary:
        tokens[cut] = boundary
    return tokens


def with_token(stream: SourceStream, position: int, token: int) -> SourceStream:
    """The stream with another token at one position."""
    tokens = stream.tokens.copy()
    tokens[position] = token
    return replace(stream, tokens=tokens)
