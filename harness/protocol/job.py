"""One run of a script: what it is given (`Job`) and how it ended (`Outcome`).

Both are plain data that cross a process boundary as JSON. Paths are absolute.
"""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from harness.protocol.confinement import Confinement, IsolationPart
from harness.protocol.question import Question


@dataclass(frozen=True)
class Loudness:
    """What a run does so that a leak is heard; by itself, nothing."""

    noise: int | None = None  # seed of what is added to trained weights; None: they stay
    behind: int = 0  # noise only behind so many printed lines with numbers and opened files
    rate_times: float = 1.0  # learning rates of steps that learn from the stream


@dataclass(frozen=True, kw_only=True)
class Job(Confinement):
    """What one run of a script is given: its stage is a private copy of its folder."""

    script: str  # the text that runs, relative to the stage
    stream: Path  # .npy, (T,) int64: the validation tokens, for aligning what is captured
    environment: Mapping[str, str] = field(default_factory=dict)
    class_patches: Mapping[str, str] = field(default_factory=dict)  # "H.model_dim" -> value
    code_constants: Mapping[str, str] = field(default_factory=dict)  # "51:BUCKETS" -> number
    entries: Mapping[str, str] = field(default_factory=dict)  # "model.dim 512" -> number
    arguments: tuple[str, ...] = ()
    frozen: tuple[str, ...] = ()  # files that the script may not change, relative to the stage
    scorer: str = ""  # the function of one of them that gives the number, by its name alone
    ranks: int = 1
    capture: bool = True
    # The only one of its script: with the kernels of the machine; as on an accelerator modules are
    # passed by, and plain numbers not followed.
    long: bool = False
    seed: int = 0  # of random, numpy and torch, before the script's first line; below 2**32
    questions: tuple[Question, ...] = ()  # for a single rank; the run ends behind the last
    rows: tuple[int, ...] = ()  # positions whose whole distributions are kept; on a CPU
    louder: Loudness = Loudness()
    # A file that the script writes and opens again -> a file of ours whose bytes it then finds.
    exchanged: Mapping[str, str] = field(default_factory=dict)
    # A shard -> notes of input and output behind which its tokens are found in reverse order.
    turned: Mapping[str, int] = field(default_factory=dict)
    compiled: bool = True  # what it compiles; on a CPU nothing ever is
    counted_clock: bool = False  # the script's clock goes on by a second whenever it looks at it,
    gradients_take_time: bool = False  # or whenever it takes a gradient, and by little at a look
    # Settings that were told or are known; a script that asks for another size ends where its work
    # begins. None: it goes on.
    foreseen: tuple[str, ...] | None = None

    @property
    def log(self) -> Path:
        """Everything the script printed, stdout and stderr together."""
        return self.out / "output.log"

    @classmethod
    def _fields(cls, raw: dict[str, Any]) -> dict[str, Any]:
        own: dict[str, Any] = {"stream": Path(raw["stream"])}
        own |= {"arguments": tuple(raw["arguments"]), "frozen": tuple(raw["frozen"])}
        own |= {"rows": tuple(raw["rows"])}
        own |= {"questions": tuple(map(Question.from_plain, raw["questions"]))}
        own |= {"louder": Loudness(**raw["louder"])}
        foreseen = None if raw["foreseen"] is None else tuple(raw["foreseen"])
        return super()._fields(raw) | own | {"foreseen": foreseen}


class RunState(StrEnum):
    """How a run ended."""

    ENDED = "ended"  # exit code 0
    FAILED = "failed"  # an exception, a signal or another exit code
    TIMED_OUT = "timed out"
    NOT_STARTED = "not started"  # ours or the machine's fault


@dataclass(frozen=True)
class Left:
    """What a run left, as it was seen from outside of its ranks."""

    running: bool = False  # a process, when every rank had ended well
    unreachable: int = 0  # packets for which its network had no way out
    most_bytes: int = 0  # that its folders held at any time


@dataclass(frozen=True)
class Outcome:
    """How a run ended. Whatever it had printed and captured until then is kept."""

    state: RunState
    wall_s: float
    cause: str = ""  # "ModuleNotFoundError: No module named 'fla'"; empty when it ended well
    where: str = ""  # "train_gpt.py:123", the innermost line of the submission's own files
    exit_code: int | None = None
    isolation: tuple[IsolationPart, ...] = ()  # the parts that were active
    left: Left = Left()

    def as_json(self) -> str:
        """One line."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str | bytes) -> "Outcome":
        """The inverse of `as_json`."""
        raw: dict[str, Any] = json.loads(text)
        parts = tuple(map(IsolationPart, raw["isolation"]))
        left = Left(**raw["left"])
        return cls(**{**raw, "state": RunState(raw["state"]), "isolation": parts, "left": left})
