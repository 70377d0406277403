"""The script of a record folder as a subject: what can be told to it was learned by reading it."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from audits.bounded import Bounds, Unfinished, in_child
from audits.folder import NothingToScan
from audits.folder import UsageError as NotReadable
from audits.switches import Switches, read_switches
from harness.configure.attempted import Attempted
from harness.configure.attempts import next_configuration
from harness.configure.configuration import (
    Configuration,
    first_configuration,
    native_target,
    trained_longer,
)
from harness.configure.data_places import SIDECAR, data_arguments, data_environment, data_paths
from harness.configure.run_spec import RunSpec
from harness.configure.setting import texts
from harness.configure.shrinking.target import ShrinkTarget, StreamShape
from harness.configure.told_defaults import with_own_defaults
from harness.configure.vocabulary_choice import byte_tables_elsewhere, vocabulary_of
from harness.configure.whole_run import whole_run
from harness.errors import SubmissionError, UsageError
from harness.protocol.asked import Way
from harness.streams.vocabulary import Vocabulary

_STEPS = re.compile(r"\.backward\(.*\.step\(", re.DOTALL)
_RANKS = re.compile(
    r"\b(all_reduce|all_gather|reduce_scatter|all_to_all|broadcast|broadcast_object_list|isend|irecv"
    r"|init_process_group|WORLD_SIZE|get_world_size)\b"
)
READ = Bounds()
READ_CURE = "make its code and its papers plain: nothing that a reader drowns in"
CURE = "give the folder that holds the submission's script, or the script itself"


class RecordScript:
    """An unmodified script; satisfies `Subject`."""

    trains = True
    plan = None
    at_length = None
    training_clock = None
    counted_line = None

    def __init__(self, switches: Switches) -> None:
        self.switches = switches
        self.beside: Mapping[str, Path] = {}  # place in the stage -> file of the caller

    @property
    def name(self) -> str:
        """The text that runs, relative to its folder."""
        return self.switches.target.entry

    @property
    def entry(self) -> Path:
        """The same as a path."""
        return self.switches.target.root / self.name

    @property
    def logs(self) -> Mapping[str, str]:
        """The folder's own logs."""
        return self.switches.target.config.logs.texts

    @property
    def byte_tables(self) -> Sequence[str]:
        """Names of tables of bytes a token that the folder does not hold."""
        return byte_tables_elsewhere(self.switches)

    @property
    def declared(self) -> Sequence[float]:
        """What submission.json says, and the means that go with it."""
        return self.switches.target.config.logs.figures

    def first(self, stream: StreamShape, native: bool) -> Configuration:
        """Everything small; native: everything as the folder ran it."""
        target = native_target(self.switches) if native else ShrinkTarget()
        return first_configuration(self.switches, stream, target)

    def whole(
        self, native: bool, given: Mapping[str, str], artifact: Path | None, eval_only: bool
    ) -> Configuration:
        """Nothing made small. Raises UsageError where it cannot be told so."""
        told = whole_run(self.switches, native, given, artifact, eval_only)
        self.beside = told.beside
        return told.configuration

    def next(self, stream: StreamShape, tried: Sequence[Attempted]) -> Configuration | None:
        """Chosen by what the script asked for, did not do, and complained of."""
        for attempted in tried[-1:]:
            told = attempted.asked, self.switches, attempted.configuration
            asked = with_own_defaults(*told)
            self.switches = self.switches.with_asked(
                {one.name: one.default for one in asked if one.way is Way.ENVIRONMENT},
                {one.name: one.default for one in asked if one.way is Way.OPTION},
                {one.name: one.default for one in asked if one.way is Way.ENTRY},
            )
        return next_configuration(self.switches, stream, tried)

    @property
    def foreseen(self) -> Sequence[str]:
        """What it is known to ask for, with a value, by reading it and by the runs so far."""
        switches = [one.name for one in self.switches.switches.values() if one.default]
        options = [flag.name for flag in self.switches.flags.values() if flag.default]
        return [*self.switches.settings, *switches, *options, *self.switches.entries]

    @property
    def optimises(self) -> bool:
        """By its text."""
        return _STEPS.search(self.switches.text) is not None

    @property
    def has_ranks(self) -> bool:
        """By its text."""
        return _RANKS.search(self.switches.text) is not None

    def longer(
        self, stream: StreamShape, configuration: Configuration, iterations: int
    ) -> Configuration:
        """More training steps, where a switch says how many."""
        return trained_longer(self.switches, stream, configuration, iterations)

    def vocabulary(self, configuration: Configuration, given: Sequence[Path]) -> Vocabulary:
        """What the script asks for under the configuration."""
        return vocabulary_of(self.switches, texts(configuration.environment), given)

    def spec(self, configuration: Configuration, vocabulary: Vocabulary) -> RunSpec:
        """The folder as it was submitted; a lone script without what lies beside it."""
        switches, target = self.switches, self.switches.target
        environment = dict(configuration.environment) | data_environment(switches, vocabulary)
        alone = target.files == (target.entry,) and not (target.root / "README.md").is_file()
        return RunSpec(
            root=target.root,
            entry=target.entry,
            files=(target.entry,) if alone else None,
            environment=environment,
            vocabulary=vocabulary,
            data_paths=data_paths(switches, texts(environment)),
            class_patches=configuration.class_patches,
            code_constants=configuration.code_constants,
            entries=configuration.entries,
            arguments=(*configuration.arguments, *data_arguments(switches, vocabulary)),
            readable=switches.files,
            beside=self.beside,
            sidecar=SIDECAR in switches.text,
        )


def read_record(path: Path, entry: str | None = None, bounds: Bounds = READ) -> RecordScript:
    """A folder or a lone script. Raises SubmissionError without a script, or where it cannot be
    read, UsageError where it is not clear which one is meant.

    A child does it first: what it survives, within its bounds, this process does again, since what
    is read is more than can be sent.
    """
    try:
        in_child(lambda: bool(read_switches(path, entry)), bounds)
        return RecordScript(read_switches(path, entry))
    except Unfinished as why:
        raise SubmissionError(f"{path}: cannot be read: {why}", READ_CURE) from why
    except NothingToScan as error:
        raise SubmissionError(str(error), CURE) from error
    except NotReadable as error:
        raise UsageError(str(error)) from error
