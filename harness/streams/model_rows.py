"""Text sampled from a model's own rows, cut to the ordinary ids and divided by their sum.

Drawn token by token in float64, so that q is known to the last bit, whatever the model is; it looks
like language, so code that behaves on noise, or waits for repeated contexts, works as in the
contest. The rows are those that a predictor gives *before it adapts*, behind a document's own
tokens only.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.arrays import Floats, Nats, Tokens
from harness.streams.distributions import Document

Ask = Callable[[Tokens], npt.NDArray[np.float32]]  # (D, n) windows -> (D, V) nats, next token


@dataclass(frozen=True, eq=False)
class ModelRows:
    """Satisfies `Distribution`."""

    ask: Ask
    seq_len: int  # longest window that `ask` takes, tokens
    name: str

    def documents(
        self, lengths: Tokens, ordinary: Tokens, boundary: int, rng: np.random.Generator
    ) -> list[Document]:
        """All documents side by side."""
        shape = (len(lengths), 1 + int(lengths.max()))
        tokens, log_q = np.full(shape, boundary, np.int64), np.zeros(shape)
        for n in range(1, shape[1]):
            rows = self.ask(tokens[:, max(0, n - self.seq_len) : n]).astype(np.float64)
            tokens[:, n], log_q[:, n] = _draw(rows, ordinary, rng)
        rows_of = zip(tokens, log_q, lengths, strict=True)
        return [(ids[1 : 1 + n], nats[1 : 1 + n]) for ids, nats, n in rows_of]


def _draw(
    rows: Floats,  # (D, V) nats
    ordinary: Tokens,
    rng: np.random.Generator,
) -> tuple[Tokens, Nats]:
    """One ordinary token per row, and its log-probability under the row's own restriction."""
    logits = rows[:, ordinary]
    q = np.exp(logits - logits.max(axis=1, keepdims=True))
    q /= q.sum(axis=1, keepdims=True)
    cumulative = q.cumsum(axis=1)
    u = rng.random((len(q), 1)) * cumulative[:, -1:]
    index = (cumulative <= u).sum(axis=1)
    return ordinary[index], np.log(q[np.arange(len(q)), index])
