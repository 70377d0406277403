"""What every refereed run needs to know."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.observer import Observer
from harness.predictor import Geometry
from harness.protocol.confinement import IsolationAsked, IsolationPart
from harness.submission import DEFAULTS, Submission


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
    observer: Observer
    isolation: IsolationAsked = IsolationAsked.WHOLE
    active: list[tuple[IsolationPart, ...]] = field(default_factory=list)  # of it, a worker


def geometry(settings: Mapping[str, Any], stream_tokens: int) -> Geometry:
    """The cut that settings ask for."""
    return Geometry(**{k: int(settings[k]) for k in DEFAULTS}, stream_tokens=stream_tokens)
