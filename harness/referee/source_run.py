"""The source test's run: draw a stream from a source that we know, then score it like any other.

The source is what the predictor itself said before it adapted. Fresh workers draw and score, so
nothing of the drawing is remembered. Chunks, windows and tables are shrunk in proportion: one
document a chunk.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.arrays import Tokens
from harness.configure.declared_settings import shrunk
from harness.referee.ledger import Ledger
from harness.referee.predictor_run import predictor_worker, run_predictor
from harness.referee.run import Run, SourceRun
from harness.referee.setup import Setup
from harness.streams.drawn import Schedule, SourceStream, draw
from harness.streams.model_rows import ModelRows
from harness.streams.vocabulary import Vocabulary

N_DOCUMENTS = 8
DOCUMENT_TOKENS = 256  # 8 x 256 = 2,048 tokens, and one document per chunk of the shrunk run
OWN = "text sampled from the predictor before it adapts"
SOURCE_TOKENS = N_DOCUMENTS * DOCUMENT_TOKENS


def draw_source(
    setup: Setup,
    vocabulary: Vocabulary,
    stream_tokens: int,  # length of the stream that the settings were written for
) -> SourceStream:
    """Text sampled from the predictor before it adapts."""
    lengths = np.full(N_DOCUMENTS, DOCUMENT_TOKENS)
    plan = Schedule(lengths, np.zeros(N_DOCUMENTS, np.int64))
    return model_stream(setup, _short(setup, stream_tokens), vocabulary, plan, OWN)


def model_stream(
    setup: Setup,
    settings: Mapping[str, Any],
    vocabulary: Vocabulary,
    plan: Schedule,
    name: str,  # of the distribution
    strategy: tuple[str, str] | None = None,  # (kind, target); the submission's own when left out
) -> SourceStream:
    """A stream drawn from the rows of a fresh predictor. Raises SubmissionError, SandboxError."""
    n_tokens = int(plan.lengths.sum())
    with predictor_worker(setup, settings, n_tokens, vocabulary.size, "source-draw", strategy) as (
        worker,
        _,
    ):
        advance = setup.observer.counts("source: draw", int(plan.lengths.max()) - 1)

        def ask(windows: Tokens) -> npt.NDArray[np.float32]:
            rows = worker.ask("score", {"scored": 1}, {"windows": windows}).arrays["rows"]
            advance(1)
            return np.asarray(rows[:, 0])

        distribution = ModelRows(ask, int(settings["seq_len"]), name)
        return draw([distribution], plan, vocabulary.ordinary, vocabulary.boundary, setup.seed)


def source_evidence(setup: Setup, source: SourceStream, vocabulary: Vocabulary) -> SourceRun:
    """An empty evidence object; `score_source` fills it, and what it holds survives a crash."""
    ledger = Ledger(setup.out / "source", len(source.tokens))
    return SourceRun(source, Run(source, vocabulary, ledger))


def score_source(setup: Setup, evidence: SourceRun, stream_tokens: int) -> None:
    """Runs the submission on the drawn stream."""
    with evidence.run.ledger:
        run_predictor(setup, _short(setup, stream_tokens), evidence.run, "source")


def _short(setup: Setup, stream_tokens: int) -> dict[str, Any]:
    return shrunk(setup.submission.settings, stream_tokens, SOURCE_TOKENS, DOCUMENT_TOKENS)
