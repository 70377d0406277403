"""A stream of exactly known law: text sampled from a model's own rows, in independent documents.

Every document opens with the boundary token (given: q = 1) and is then drawn, token by token, in
float64 from the rows that a predictor gave *before it adapted*, cut to the ordinary ids and divided
by their sum. The law q is therefore known to the last bit, whatever the predictor is. Documents
restart the context, so nothing links one to the next; the schedule of boundaries is fixed and
published here.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.arrays import Tokens
from harness.streams.stream import Alphabet, Stream

N_DOCUMENTS = 8
DOCUMENT_TOKENS = 256  # 8 x 256 = 2,048 tokens, and one document per chunk of the shrunk run


@dataclass(frozen=True)
class SourceStream:
    """Drawn tokens and the law that they were drawn from."""

    stream: Stream
    log_q: npt.NDArray[
        np.float64
    ]  # (T,) nats: log-probability of each token drawn; 0 at boundaries

    @property
    def drawn(self) -> npt.NDArray[np.bool_]:
        """(T,) positions that were drawn, not scheduled."""
        return np.asarray(self.stream.tokens != self.stream.alphabet.bos_id)


def sample_source(
    ask: Callable[[Tokens], npt.NDArray[np.float32]],  # (D, n) windows -> (D, V) nats, next token
    alphabet: Alphabet,
    seq_len: int,  # longest window that `ask` takes, tokens
    seed: int,
) -> SourceStream:
    """Draws N_DOCUMENTS documents side by side."""
    rng = np.random.default_rng([seed, 0x50CE])
    tokens = np.full((N_DOCUMENTS, DOCUMENT_TOKENS), alphabet.bos_id, np.int64)
    log_q = np.zeros(tokens.shape)
    for n in range(1, DOCUMENT_TOKENS):
        rows = ask(tokens[:, max(0, n - seq_len) : n]).astype(np.float64)
        tokens[:, n], log_q[:, n] = _draw(rows, alphabet.ordinary, rng)
    return SourceStream(Stream(tokens.reshape(-1), alphabet), log_q.reshape(-1))


def _draw(
    rows: npt.NDArray[np.float64],  # (D, V) nats
    ordinary: Tokens,
    rng: np.random.Generator,
) -> tuple[Tokens, npt.NDArray[np.float64]]:
    """One ordinary token per row, and its log-probability under the row's own restriction."""
    logits = rows[:, ordinary]
    q = np.exp(logits - logits.max(axis=1, keepdims=True))
    q /= q.sum(axis=1, keepdims=True)
    cumulative = q.cumsum(axis=1)
    u = rng.random((len(q), 1)) * cumulative[:, -1:]
    index = (cumulative <= u).sum(axis=1)
    return ordinary[index], np.log(q[np.arange(len(q)), index])
