"""What every refereed run needs to know."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.predictor import Geometry
from harness.submission import DEFAULTS, Submission

Progress = Callable[[str, int], Callable[[int], None]]  # (phase, total) -> advance(n)


def silent(phase: str, total: int) -> Callable[[int], None]:
    """No progress is shown."""
    return lambda n: None


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
