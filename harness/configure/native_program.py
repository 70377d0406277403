"""A native program as a subject: its manifest says what it can be told, and it is told no more.

    DATA_PATH/fineweb_val_000000.bin, TOKENIZER_PATH, ARTIFACT_PATH, VOCAB_SIZE, SEED, DEVICE, and
    the manifest's settings, in capitals (`harness.program`)

Only what counts towards its size is there to be read. It is given no training shards (DATA-2).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audits.facts.documented.manifest import NAME as MANIFEST
from harness.configure.attempted import Attempted
from harness.configure.configuration import Configuration
from harness.configure.declared_settings import shrunk
from harness.configure.run_spec import RunSpec
from harness.configure.setting import Origin, OriginKind, SettingValue
from harness.configure.shrinking.target import ShrinkTarget, StreamShape
from harness.streams.vocabulary import Vocabulary
from harness.submission import Submission, code_files

CHUNK_TOKENS = 256  # eight chunks of the usual short stream
_DATA = "./data"
_TOKENIZER = "./data/tokenizer.model"
_ARTIFACT = "artifact/artifact.bin"


@dataclass(frozen=True)
class NativeProgram:
    """Satisfies `Subject`."""

    submission: Submission
    artifact: Path
    tokenizer: Path
    stream_tokens: int  # of the stream that the settings were written for
    seed: int
    device: str

    trains = False
    plan = None
    at_length = None
    training_clock = None
    counted_line = None

    @property
    def name(self) -> str:
        """The text that runs, relative to its folder."""
        return self.submission.file_name

    @property
    def entry(self) -> Path:
        """The same as a path."""
        return self.submission.folder / self.name

    @property
    def logs(self) -> Mapping[str, str]:
        """A native folder holds none."""
        return {}

    @property
    def byte_tables(self) -> Sequence[str]:
        """It is given none."""
        return ()

    @property
    def declared(self) -> Sequence[float]:
        """A native manifest declares no score."""
        return ()

    def first(self, stream: StreamShape, native: bool) -> Configuration:
        """Chunks, windows and tables in proportion to the stream; everything else as declared."""
        if native:
            return self.as_declared()
        settings = self.submission.settings
        small = shrunk(settings, self.stream_tokens, stream.tokens, CHUNK_TOKENS)
        target = ShrinkTarget(seq_len=small["seq_len"], shrink_model=False)
        return Configuration(
            target, self._environment(small), why="the manifest's settings, shrunk"
        )

    def as_declared(self) -> Configuration:
        """Every setting as it stands in the manifest."""
        settings = self.submission.settings
        target = ShrinkTarget(seq_len=settings["seq_len"], shrink_model=False, native=True)
        return Configuration(target, self._environment(settings), why="the manifest's settings")

    foreseen = None
    optimises = False

    def next(self, stream: StreamShape, tried: Sequence[Attempted]) -> Configuration | None:
        """A program states its own settings: there is no other configuration."""
        return None

    @property
    def has_ranks(self) -> bool:
        """The protocol is of one process."""
        return False

    def longer(
        self, stream: StreamShape, configuration: Configuration, iterations: int
    ) -> Configuration:
        """It does not train before it is evaluated."""
        return configuration

    def vocabulary(self, configuration: Configuration, given: Sequence[Path]) -> Vocabulary:
        """The data's own."""
        return Vocabulary.of_tokenizer(self.tokenizer)

    def spec(self, configuration: Configuration, vocabulary: Vocabulary) -> RunSpec:
        """Its code, its artifact, and nothing else."""
        folder = self.submission.folder
        names = [str(path.relative_to(folder)) for path in code_files(folder)]
        fixed = {
            "DATA_PATH": _DATA,
            "TOKENIZER_PATH": _TOKENIZER,
            "ARTIFACT_PATH": _ARTIFACT,
            "VOCAB_SIZE": str(vocabulary.size),
            "SEED": str(self.seed),
            "DEVICE": self.device,
        }
        return RunSpec(
            root=folder,
            entry=self.name,
            files=tuple(names),
            environment=dict(configuration.environment)
            | {name: SettingValue(text, Origin(OriginKind.STAGE)) for name, text in fixed.items()},
            vocabulary=vocabulary,
            data_paths={"DATA_PATH": _DATA, "TOKENIZER_PATH": _TOKENIZER},
            readable=tuple(name for name in names if name.endswith(".py")),
            beside={_ARTIFACT: self.artifact},
        )

    def _environment(self, settings: Mapping[str, Any]) -> dict[str, SettingValue]:
        declared = self.submission.settings
        return {
            name.upper(): SettingValue(str(value), _origin(value, declared[name]))
            for name, value in settings.items()
        }


def _origin(value: object, declared: object) -> Origin:
    if value == declared:
        return Origin(OriginKind.FOLDER, MANIFEST)
    return Origin(OriginKind.SHRUNK, f"{value} for {declared}")
