"""Where to ask again with another future: the edges where leaks live, drawn from the run's seed.

Twenty-two cuts, two each at chunk edges, window edges and document edges and sixteen inside
windows; a stream too short for a kind gets interior ones instead. Each comes with two different
futures, because a move counts only when both repeat it: one may be noise. Documents end where they
did in sixteen of them; in the other six a document opens, or does not, at the cut: a predictor has
to foretell a boundary like any other token.
"""

from collections.abc import Iterable

import numpy as np

from harness.arrays import Tokens
from harness.predictor import Geometry
from harness.streams.perturb import altered_future, other_documents
from harness.streams.stream import Stream
from harness.streams.vocabulary import Vocabulary
from harness.streams.windows import Chunk, chunks

N_CUTS = 16
N_OPENED = 6
OPENED = "document opened"


def probe_cuts(
    stream: Stream, vocabulary: Vocabulary, geometry: Geometry, seed: int
) -> dict[int, tuple[str, Tokens, Tokens]]:
    """cut -> (kind, future one, future two)."""
    rng = np.random.default_rng([seed, 0xCA5A])
    kinds = dict(_choose(stream, chunks(geometry, vocabulary.size), rng))

    def future(cut: int) -> Tokens:
        if kinds[cut] == OPENED:
            return other_documents(stream, cut, vocabulary.ordinary, vocabulary.boundary, rng)
        return altered_future(stream, cut, vocabulary.ordinary, rng)

    return {cut: (kind, future(cut), future(cut)) for cut, kind in sorted(kinds.items())}


def _choose(
    stream: Stream, cut_chunks: Iterable[Chunk], rng: np.random.Generator
) -> list[tuple[int, str]]:
    """Cuts by kind. Only positions that are also an input of their batch can leak through it."""
    everything = list(cut_chunks)
    batches = [batch for chunk in everything for batch in chunk.batches]
    no_input = {b.targets[-1] for b in batches}  # the last target of a batch is given nowhere in it
    edges = {
        "chunk edge": [
            p for c in everything for p in (c.start, c.start + 1, c.stop - 3, c.stop - 2)
        ],
        "document edge": [int(p) + d for p in stream.starts for d in (0, 1)],
        "window edge": [
            b.targets.start + i * b.scored for b in batches for i in range(b.n_windows)
        ],
    }
    chosen: dict[int, str] = {}
    anywhere = range(1, len(stream.tokens))
    for kind, positions in [*edges.items(), ("interior", anywhere), (OPENED, anywhere)]:
        wanted = {"interior": N_CUTS - len(chosen), OPENED: N_OPENED}.get(kind, 2)
        for p in map(int, rng.permutation(np.unique(positions))):
            if wanted and 1 <= p < len(stream.tokens) and p not in no_input and p not in chosen:
                chosen[p] = kind
                wanted -= 1
    return sorted(chosen.items())
