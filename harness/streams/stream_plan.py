"""How much a script is given to read: of the validation stream, and to train on.

On a CPU a few thousand tokens of several distributions for a model made small; on a GPU a quarter
of a million tokens of one, the uniform one, for the model as it is. Does not cover: the script's
own sizes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from harness.streams.distributions import Distribution, Markov, Repeats, Uniform
from harness.streams.drawn import Schedule, SourceStream, draw, rows_of, schedule
from harness.streams.reference_text import reference_tokens
from harness.streams.vocabulary import Vocabulary


@dataclass(frozen=True)
class StreamPlan:
    """The streams of a run."""

    stream_tokens: int  # of validation, the token before the first target included
    train_tokens: int  # of a training shard; scripts read them round and round
    document_tokens: int  # mean
    shares: tuple[int, int, int]  # of the tokens: uniform, repeats, text
    run_s: float  # a run may take

    def drawn(
        self,
        vocabulary: Vocabulary,
        seed: int,
        split: int = 0,
        factor: int = 1,
        only: Distribution | None = None,  # instead of the plan's own distributions
    ) -> SourceStream:
        """The validation stream (`split` 0), `factor` times as long, or a training shard."""
        plan = self._documents((1,) if only else self.shares, seed, split, factor)
        distributions: list[Distribution] = (
            [only] if only else [Uniform(), Repeats(), Markov(reference_tokens(vocabulary))]
        )
        return draw(distributions, plan, vocabulary.ordinary, vocabulary.boundary, seed, split)

    def _documents(self, shares: Sequence[float], seed: int, split: int, factor: int) -> Schedule:
        n_tokens = self.train_tokens if split else (self.stream_tokens - 1) * factor + 1
        return schedule(n_tokens, shares, self.document_tokens, seed, split)


TRAIN_TIMES = 4  # as many rows in a training shard as are scored


@dataclass(frozen=True)
class RowPlan(StreamPlan):
    """The same for a script that reads rows: every document fills one, whatever packs them."""

    row_tokens: int = 0

    @classmethod
    def of_rows(cls, rows: int, row_tokens: int, run_s: float) -> "RowPlan":
        """More rows to train on: forty steps over as few as are scored learn them by heart, and
        what a model wastes on uniform ids hides what was stolen (7.5 nats a token of 5.2 there).
        """
        n_tokens = rows * row_tokens
        return cls(n_tokens, TRAIN_TIMES * n_tokens, row_tokens, (2, 1, 1), run_s, row_tokens)

    def drawn(
        self,
        vocabulary: Vocabulary,
        seed: int,
        split: int = 0,
        factor: int = 1,
        only: Distribution | None = None,
    ) -> SourceStream:
        """Rows of the plan's distributions, or of one alone."""
        stream = super().drawn(vocabulary, seed, split, factor, only)
        return replace(stream, row_tokens=self.row_tokens)

    def _documents(self, shares: Sequence[float], seed: int, split: int, factor: int) -> Schedule:
        n_tokens = self.train_tokens if split else self.stream_tokens * factor
        return rows_of(n_tokens, self.row_tokens, shares)


STREAM_PLANS = {
    "cpu": StreamPlan(2_049, 16_384, 160, (2, 1, 1), 240.0),  # 32 sequences of 64
    # 1,240 tokens is the contest's mean document. A million took #1413 more than four minutes a
    # run on one H200, most of it adaptation; these are four chunks of 32,768, the longest that
    # records adapt on.
    "cuda": StreamPlan(131_073, 2_097_152, 1_240, (1, 0, 0), 900.0),
}
