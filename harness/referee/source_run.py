"""The source test's run: draw a stream from a law that we know, then score it like any other.

The law is what the predictor itself said before it adapted (a program: its artifact under a sliding
window; where that does not load, our reference artifact). Fresh workers draw and score, so nothing
of the drawing is remembered. Chunks, windows and tables are shrunk in proportion: one document a
chunk.
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from harness.arrays import Tokens
from harness.errors import SubmissionError
from harness.referee.ledger import Ledger
from harness.referee.predictor_run import predictor_worker, run_predictor
from harness.referee.program_run import run_program
from harness.referee.run import Run, SourceRun
from harness.referee.setup import Setup, shrunk
from harness.streams.model_source import (
    DOCUMENT_TOKENS,
    N_DOCUMENTS,
    SourceStream,
    sample_source,
)
from harness.streams.stream import Alphabet

SOURCE_TOKENS = N_DOCUMENTS * DOCUMENT_TOKENS


def draw_source(
    setup: Setup,
    alphabet: Alphabet,
    stream_tokens: int,  # length of the stream that the settings were written for
    reference_artifact: Callable[[], Path],
) -> tuple[SourceStream, str]:
    """The stream, its law, and whose law it is."""
    if setup.submission.kind != "program":
        return _draw(setup, alphabet, stream_tokens, None), "the predictor, before it adapts"
    engine = ("engine", "sliding_window")
    try:
        return _draw(setup, alphabet, stream_tokens, engine), "the program's artifact"
    except SubmissionError:
        ours = dataclasses.replace(setup, artifact=reference_artifact())
        return _draw(ours, alphabet, stream_tokens, engine), "the reference artifact"


def source_evidence(setup: Setup, source: SourceStream, sampled_from: str) -> SourceRun:
    """An empty evidence object; `score_source` fills it, and what it holds survives a crash."""
    ledger = Ledger(setup.out / "source", len(source.stream.tokens))
    refereed = setup.submission.kind != "program"
    return SourceRun(source, Run(source.stream, ledger, refereed), sampled_from)


def score_source(setup: Setup, evidence: SourceRun, stream_tokens: int) -> None:
    """Runs the submission on the drawn stream."""
    settings = shrunk(setup.submission.settings, stream_tokens, SOURCE_TOKENS, DOCUMENT_TOKENS)
    run = run_predictor if evidence.run.refereed else run_program
    with evidence.run.ledger:
        run(setup, settings, evidence.run, "source")


def _draw(
    setup: Setup, alphabet: Alphabet, stream_tokens: int, strategy: tuple[str, str] | None
) -> SourceStream:
    full = setup.submission.settings
    settings = shrunk(full, stream_tokens, SOURCE_TOKENS, DOCUMENT_TOKENS)
    if strategy:  # an engine of ours: the program's own settings are not its to read
        settings = {k: settings[k] for k in ("chunk_tokens", "seq_len", "stride")}
    with predictor_worker(
        setup, settings, SOURCE_TOKENS, alphabet.size, "source-draw", strategy
    ) as (worker, _):
        advance = setup.progress("source: draw", SOURCE_TOKENS)

        def ask(windows: Tokens) -> npt.NDArray[np.float32]:
            rows = worker.ask("score", {"scored": 1}, {"windows": windows}).arrays["rows"]
            advance(N_DOCUMENTS)
            return np.asarray(rows[:, 0])

        return sample_source(ask, alphabet, settings["seq_len"], setup.seed)
