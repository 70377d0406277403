"""The contract between a refereed submission and the harness. This file *is* the protocol, version
1.

A submission names a factory in its manifest, `"predictor": "file.py:factory"`, or declares one of
our engines. The factory is called once, in a process of its own, and returns a Predictor:

    def factory(context: PredictorContext) -> Predictor: ...

The referee, in another process, holds the stream. For every chunk it asks for distributions, keeps
the score, and only then hands over the tokens that it has scored:

    chunk 0                      chunk 1
    log_probs log_probs ...      log_probs log_probs ...
                           adapt                        adapt   (never after the last chunk)

Guarantees to the submission: windows overlap only as declared (`seq_len`, `stride`); `adapt` gets
every scored token exactly once, in order. Asked of the submission: `log_probs` changes no state,
its rows depend on each window's own prefix only, and each row is a distribution over the whole
alphabet.
"""

from __future__ import annotations  # a manifest is read without torch

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from torch import Tensor

PROTOCOL_VERSION = 1
SLAB_BYTES = 64_000_000  # of all arrays of one message: a question asks for no more rows than that


@dataclass(frozen=True)
class Geometry:
    """How a stream is cut. All values are tokens."""

    seq_len: int  # longest window that log_probs is given
    stride: int  # positions scored per window, all windows but the first
    chunk_tokens: int  # positions scored between two calls of adapt
    stream_tokens: int  # length of the stream, the first token included

    @property
    def n_chunks(self) -> int:
        """Chunks in the stream; the first token is given, not scored."""
        return -(-(self.stream_tokens - 1) // self.chunk_tokens)


@dataclass(frozen=True)
class PredictorContext:
    """What a factory is given."""

    artifact: Path  # the counted artifact; the only data from training
    tokenizer: Path  # the SentencePiece model of the stream
    folder: Path  # the submission's own folder
    geometry: Geometry
    settings: Mapping[str, object]  # the manifest's `settings` (an engine: its hyperparameters)
    device: str  # "cpu" or "cuda"
    seed: int


@runtime_checkable
class Predictor(Protocol):
    """A causal, normalised, adaptive code."""

    vocab_size: int

    def log_probs(
        self,
        windows: Tensor,  # (B, L) int64 - token ids, each row a stretch of the stream
        scored: int,  # how many trailing positions of each row are asked for
    ) -> Tensor:  # (B, scored, V) float32, nats - row [b, -scored + i] is for the *next* token
        """The next-token log-distribution after each of the last `scored` tokens of each window."""
        ...

    def adapt(
        self,
        tokens: Tensor,  # (n + 1,) int64 - the token before the chunk, then the chunk just scored
    ) -> None:
        """Learn from tokens whose scores are already in the ledger."""
        ...


@runtime_checkable
class Rewindable(Protocol):
    """Optional: a predictor whose `log_probs` keeps caches offers these, so a probe leaves no
    trace. `snapshot` comes before every question.
    """

    def snapshot(self) -> object:
        """Everything that `restore` needs."""
        ...

    def restore(self, state: object) -> None:
        """Back to the moment of `snapshot`."""
        ...
