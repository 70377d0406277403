"""What every run needs to know, and how a run on a short stream is shrunk in proportion."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.predictor import Geometry
from harness.submission import DEFAULTS, Submission

Progress = Callable[[str, int], Callable[[int], None]]  # (phase, total) -> advance(n)


@dataclass(frozen=True)
class Setup:
    """A submission with everything it is given, but no stream."""

    submission: Submission
    artifact: Path
    tokenizer: Path
    device: str
    seed: int
    time_limit_s: float  # per run
    out: Path  # where logs and ledgers go
    progress: Progress


def geometry(settings: Mapping[str, Any], stream_tokens: int) -> Geometry:
    """The cut that settings ask for."""
    return Geometry(**{k: int(settings[k]) for k in DEFAULTS}, stream_tokens=stream_tokens)


def shrunk(
    settings: Mapping[str, Any],
    stream_tokens: int,  # of the stream that the settings were written for
    short_tokens: int,  # of the short stream
    chunk_tokens: int,  # chunk of the short stream
) -> dict[str, Any]:
    """Settings for a short stream: windows per chunk and the load of tables stay, sizes go.

    A hashed cache lies in proportion to its load (tokens per bucket): 2,048 tokens in 4,194,304
    buckets save 5 nats, in 128 buckets 10,233 (design section 2), so `buckets` shrinks with the
    stream.
    """
    seq_len = max(min(settings["seq_len"], chunk_tokens // 4), 1)
    stride = max(seq_len * settings["stride"] // settings["seq_len"], 1)
    small = {**settings, "chunk_tokens": chunk_tokens, "seq_len": seq_len, "stride": stride}
    if isinstance(settings.get("buckets"), int):
        exact = settings["buckets"] * short_tokens / stream_tokens
        small["buckets"] = (
            1 << max(round(exact) - 1, 1).bit_length()
        )  # a power of two, as masks need
    return small
