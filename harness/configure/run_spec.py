"""What one run is told and given: the same for a record folder and for a native program.

A `Subject` is what is evaluated: it knows which configurations to try and makes a `RunSpec` of one.
From a spec on nothing asks any more what kind of folder it was.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from audits.contests import Contest
from harness.configure.attempted import Attempted
from harness.configure.configuration import Configuration
from harness.configure.setting import SettingValue
from harness.configure.shrinking.target import StreamShape
from harness.streams.stream_plan import StreamPlan
from harness.streams.vocabulary import Vocabulary


@dataclass(frozen=True)
class RunSpec:
    """One run; everything but its tokens."""

    root: Path  # the submission's folder
    entry: str  # the text that runs, relative to it
    files: tuple[str, ...] | None  # what is copied of the folder; None: all of it
    environment: Mapping[str, SettingValue]
    vocabulary: Vocabulary
    data_paths: Mapping[str, str]  # name -> where the script looks for data or a tokenizer
    class_patches: Mapping[str, SettingValue] = field(default_factory=dict)
    code_constants: Mapping[str, SettingValue] = field(default_factory=dict)
    entries: Mapping[str, SettingValue] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()
    readable: tuple[str, ...] = ()  # Python files that the entry reaches
    beside: Mapping[str, Path] = field(default_factory=dict)  # place in the stage -> file
    contest: Contest | None = None  # whose text, shards and tokenizer the script reads
    sidecar: bool = False  # it reads the bytes of each validation token; others would see a shard


@dataclass(frozen=True)
class AtLength:
    """How a script is run with rows as long as its contest scores them."""

    configuration: Configuration
    plan: StreamPlan
    rows_alone: bool  # the contest lets nothing pass from row to row


@dataclass(frozen=True)
class TrainingClock:
    """Of a contest whose scripts end their training by a clock of their own."""

    short_s: int  # of a usual run
    free_steps: int  # which the clock need not count


class Subject(Protocol):
    """What is evaluated, in any configuration."""

    @property
    def name(self) -> str:
        """The text that runs, relative to its folder."""

    @property
    def entry(self) -> Path:
        """The same as a path."""

    @property
    def trains(self) -> bool:
        """It is given training shards."""

    @property
    def plan(self) -> StreamPlan | None:
        """How much it reads, where it says so itself."""

    @property
    def at_length(self) -> AtLength | None:
        """Where its usual rows are shorter than those that its contest scores."""

    @property
    def training_clock(self) -> TrainingClock | None:
        """Of a contest whose scripts end their training by a clock of their own."""

    @property
    def counted_line(self) -> tuple[str, str] | None:
        """The expression of the printed line that counts, and which of several."""

    @property
    def logs(self) -> Mapping[str, str]:
        """What its folder holds of earlier runs: file name -> text."""

    @property
    def byte_tables(self) -> Sequence[str]:
        """Names of tables of bytes a token that it reads and its folder does not hold."""

    @property
    def declared(self) -> Sequence[float]:
        """Bits per byte that its folder declares."""

    def first(self, stream: StreamShape, native: bool) -> Configuration:
        """The usual configuration; `native`: its own sizes, only shorter."""

    def next(self, stream: StreamShape, tried: Sequence[Attempted]) -> Configuration | None:
        """Another one, by what came of those; None when there is none."""

    @property
    def foreseen(self) -> Sequence[str] | None:
        """Settings that reading found; None: it is told all that it asks for."""

    @property
    def optimises(self) -> bool:
        """Its code takes gradients, and steps."""

    @property
    def has_ranks(self) -> bool:
        """Its code hands something from one rank to another, or asks how many there are."""

    def longer(
        self, stream: StreamShape, configuration: Configuration, iterations: int
    ) -> Configuration:
        """The same with more training steps, where it can be told."""

    def vocabulary(self, configuration: Configuration, given: Sequence[Path]) -> Vocabulary:
        """The vocabulary that it has in a configuration; `given`: tokenizers of the user."""

    def spec(self, configuration: Configuration, vocabulary: Vocabulary) -> RunSpec:
        """A run in that configuration."""
