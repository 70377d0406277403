"""The script of a contest that is a file: what it is told comes from that file alone.

Guarantees: no line of the folder is changed; sizes are exchanged while its files are compiled, each
by the role that the contest gives it, and only where the file has it. Its clock counts looks, so
that two runs take the same steps. Does not cover: families whose number is a loop of the script's.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from math import prod
from pathlib import Path

from audits.contests import Contest, Rows, Size, SizeRole, Where
from audits.switches import Switches
from harness.configure.attempted import Attempted
from harness.configure.configuration import Configuration, configured
from harness.configure.run_spec import AtLength, RunSpec, TrainingClock
from harness.configure.setting import Origin, OriginKind, SettingValue
from harness.configure.shrinking.target import ShrinkTarget, StreamShape
from harness.protocol.code_constants import CodeConstant, named_numbers_in
from harness.protocol.job import RunState
from harness.streams.characters import CharacterVocabulary
from harness.streams.stream_plan import RowPlan, StreamPlan
from harness.streams.vocabulary import Vocabulary

RUN_S = 240.0
LONG_ROWS = 2
LAYERS = 2
IDS = "bin-uint16"  # shards of ids, not of text
SELF = "self"  # who has the clock
# Its code says how many rows a batch has, and all that are scored are fewer: no batch is.
NO_BATCH, MORE_ROWS = "ZeroDivisionError", 8
FORBIDDEN = "forbid"  # what passes between rows
BEHIND = 2  # tokens that loaders want behind the last target
TRAIN_TIMES = 4  # a loader that ends with its shard has to hold every step


class ContestScript:
    """A folder of a contest; satisfies `Subject`."""

    trains = True
    has_ranks = False
    foreseen = None
    byte_tables: Sequence[str] = ()
    declared: Sequence[float] = ()

    def __init__(self, contest: Contest, switches: Switches) -> None:
        rows, tokenizer = contest.rows, contest.tokenizer
        assert rows is not None and tokenizer is not None
        self.contest, self.switches = contest, switches
        self._rows = rows
        self._numbers_of: dict[str, tuple[CodeConstant, ...]] = {}
        self._alphabet = CharacterVocabulary.with_specials(tokenizer.specials)

    @property
    def name(self) -> str:
        """The text that runs, relative to its folder."""
        return self.contest.files.entry

    @property
    def entry(self) -> Path:
        """The same as a path."""
        return self.switches.target.root / self.name

    @property
    def counted_line(self) -> tuple[str, str]:
        """As the contest's file says it."""
        return self.contest.score.printed, self.contest.score.which

    @property
    def logs(self) -> Mapping[str, str]:
        """The folder's own logs."""
        return self.switches.target.config.logs.texts

    @property
    def optimises(self) -> bool:
        """As every script of these contests does."""
        return True

    @property
    def real_length(self) -> int:
        """Targets of a row as the contest scores it."""
        found = [one.value for one in self._numbers(self._rows.length_file, self._rows.length_name)]
        return int(found[0]) if found else self._rows.real or self._rows.length

    @property
    def plan(self) -> StreamPlan:
        """Of text, every document fills one row, and the token that opens it is given; of ids, rows
        are cut out of the stream wherever they end, and each of its tokens is a target.
        """
        return self._plan(self._rows)

    @property
    def at_length(self) -> AtLength | None:
        """Two rows as long as the contest scores them, one a call."""
        if self.real_length <= self._rows.length:
            return None
        rows = replace(self._rows, rows=LONG_ROWS, batch=1, length=self.real_length)
        forbidden = self.contest.score.between_rows == FORBIDDEN
        alone = forbidden and isinstance(self.plan, RowPlan)  # else a document spans rows
        return AtLength(self._configuration(rows, rows.steps), self._plan(rows), alone)

    @property
    def training_clock(self) -> TrainingClock | None:
        """Where its seconds are a number of the code that a small run exchanges."""
        limits = self.contest.limits
        if limits.clock != SELF or not any(map(self._is_time, self.contest.sizes)):
            return None
        return TrainingClock(self._rows.steps, limits.free_steps)

    def _is_time(self, size: Size) -> bool:
        """In some contests the same number is one of steps: an option of the command line."""
        constant = size.where is Where.CONSTANT and size.value == "steps"
        return constant and bool(self._numbers(size.file, size.name))

    def first(self, stream: StreamShape, native: bool) -> Configuration:
        """The contest's sizes for a small run."""
        return self._configuration(self._rows, self._rows.steps)

    def next(self, stream: StreamShape, tried: Sequence[Attempted]) -> Configuration | None:
        """Where that took too long, sizes that only the script names shrink as well; where it
        failed, the model keeps its own sizes: they may not be these together; where no batch was
        scored, there are more rows.
        """
        first = self._configuration(self._rows, self._rows.steps)
        if not tried:
            return first
        if len(tried) > 1:
            return None
        if tried[0].outcome.state is RunState.FAILED:
            if tried[0].outcome.cause.startswith(NO_BATCH):
                return self._configuration(self._rows, self._rows.steps, factor=MORE_ROWS)
            return self._configuration(self._rows, self._rows.steps, model=False)
        if tried[0].outcome.state is not RunState.TIMED_OUT:
            return None
        target = replace(first.target, own_sizes=True, layers=LAYERS)
        named = configured(self.switches, stream, target).code_constants
        own = {key: value for key, value in named.items() if key.count(":") == 1}  # of the entry
        why = "numbers that only the script names, made small as well"
        constants = own | dict(first.code_constants)
        return replace(first, target=target, code_constants=constants, why=why)

    def longer(
        self, stream: StreamShape, configuration: Configuration, iterations: int
    ) -> Configuration:
        """More training steps."""
        return self._configuration(self._rows, iterations, factor=configuration.stream_factor)

    def vocabulary(self, configuration: Configuration, given: Sequence[Path]) -> Vocabulary:
        """Characters, whatever tokenizer the contest trains."""
        return self._alphabet

    def spec(self, configuration: Configuration, vocabulary: Vocabulary) -> RunSpec:
        """The folder as it is."""
        target = self.switches.target
        return RunSpec(
            root=target.root,
            entry=self.name,
            files=None,
            environment=configuration.environment,
            vocabulary=vocabulary,
            data_paths={},
            code_constants=configuration.code_constants,
            arguments=(*self.contest.files.arguments, *configuration.arguments),
            readable=self.switches.files,
            contest=self.contest,
        )

    def _plan(self, rows: Rows) -> StreamPlan:
        data = self.contest.data
        assert data is not None
        if data.kind != IDS:
            return RowPlan.of_rows(rows.rows, rows.length + 1, RUN_S)
        tokens = rows.rows * rows.length + BEHIND
        return StreamPlan(tokens, TRAIN_TIMES * tokens, rows.length, (2, 1, 1), RUN_S)

    def _configuration(
        self, rows: Rows, steps: int, *, model: bool = True, factor: int = 1
    ) -> Configuration:
        given = {
            "rows": rows.rows * factor,
            "batch": rows.batch,
            "length": rows.length,
            "steps": steps,
        }
        given["vocabulary"] = self._alphabet.size
        target = ShrinkTarget(seq_len=rows.length, iterations=steps, counted_clock=True)
        return Configuration(
            target=target,
            environment=dict(self._environment()),
            code_constants=dict(self._constants(given, model=model)),
            arguments=tuple(self._options(given, model=model)),
            why=f"the sizes of a small run of {self.contest.title}"
            + ("" if model else ", with the model's own")
            + (f", and {factor} times as many rows" if factor > 1 else ""),
            stream_factor=factor,
        )

    def _constants(
        self, given: Mapping[str, int], *, model: bool
    ) -> Iterator[tuple[str, SettingValue]]:
        for size in self._of(Where.CONSTANT, model=model):
            for one in self._numbers(size.file, size.name):
                key = one.key if size.file == self.name else f"{size.file}:{one.key}"
                yield key, _setting(size, given, str(one.value))

    def _environment(self) -> Iterator[tuple[str, SettingValue]]:
        for name, text in self.contest.environment.items():
            yield name, SettingValue(text, Origin(OriginKind.FIXED, "of the contest"))

    def _options(self, given: Mapping[str, int], *, model: bool) -> Iterator[str]:
        for size in self._of(Where.OPTION, model=model):
            yield f"{size.name}={_value(size, given)}"

    def _of(self, where: Where, *, model: bool) -> list[Size]:
        found = [size for size in self.contest.sizes if size.where is where]
        return [size for size in found if model or size.role is not SizeRole.MODEL]

    def _numbers(self, file: str, name: str) -> list[CodeConstant]:
        """Every number that the file gives this name, else one that ends so: `DEFAULT_DEPTH`, where
        `DEPTH` is what was chosen of several.
        """
        found = self._named(file) if name else ()
        exact = [one for one in found if one.name == name]
        return exact or [one for one in found if one.name.endswith(f"_{name}")]

    def _named(self, file: str) -> tuple[CodeConstant, ...]:
        """All numbers of a file, read once: each run asks for eight."""
        if file not in self._numbers_of:
            source = self.switches.sources.get(file)
            tree = None if source is None else source.tree
            self._numbers_of[file] = () if tree is None else tuple(named_numbers_in(tree))
        return self._numbers_of[file]


def scoring_sizes(contest: Contest) -> list[str]:
    """What of the scoring itself a small run has another size of."""
    return [size.name for size in contest.sizes if size.role is SizeRole.SCORING]


def _value(size: Size, given: Mapping[str, int]) -> int:
    words = size.value.split(" * ")
    return prod(int(word) if word.isdigit() else given[word] for word in words)


def _setting(size: Size, given: Mapping[str, int], was: str) -> SettingValue:
    text = str(_value(size, given))
    where = f"{text} for {was}, a size of the {size.role}"
    # A scoring size follows the stream, so that all of it is scored.
    kind = OriginKind.STAGE if size.role is SizeRole.SCORING else OriginKind.SHRUNK
    return SettingValue(text, Origin(kind, where))
