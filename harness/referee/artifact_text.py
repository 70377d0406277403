"""A stream for a native program: text sampled from its own artifact, under a plain sliding window.

Where the artifact does not load there, our reference artifact is sampled instead: the source of the
stream is known either way, only how much of it the program can know differs.
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path

from harness.errors import SubmissionError
from harness.referee.setup import Setup
from harness.referee.source_run import model_stream
from harness.streams.drawn import SourceStream, schedule
from harness.streams.stream_plan import StreamPlan
from harness.streams.vocabulary import Vocabulary
from harness.submission import Kind

ENGINE = (Kind.ENGINE, "sliding_window")
OWN = "text sampled from the program's artifact"
REFERENCE = "text sampled from the reference artifact"
WINDOW_TOKENS = 64  # as the short run's own


def artifact_text(
    setup: Setup,
    vocabulary: Vocabulary,
    plan: StreamPlan,
    reference_artifact: Callable[[], Path],
) -> SourceStream:
    """As long as any validation stream of the plan, and cut into documents alike."""
    documents = schedule(plan.stream_tokens, (1,), plan.document_tokens, setup.seed)
    settings = {"seq_len": WINDOW_TOKENS, "stride": 16, "chunk_tokens": 256}
    try:
        return model_stream(setup, settings, vocabulary, documents, OWN, ENGINE)
    except SubmissionError:
        ours = dataclasses.replace(setup, artifact=reference_artifact())
        return model_stream(ours, settings, vocabulary, documents, REFERENCE, ENGINE)
