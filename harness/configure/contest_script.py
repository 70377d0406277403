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
from harness.configure.configuration import Configuration
from harness.configure.run_spec import AtLength, RunSpec
from harness.configure.setting import Origin, OriginKind, SettingValue
from harness.configure.shrinking.target import ShrinkTarget, StreamShape
from harness.protocol.code_constants import CodeConstant, named_numbers_in
from harness.streams.characters import CharacterVocabulary
from harness.streams.stream_plan import RowPlan
from harness.streams.vocabulary import Vocabulary

RUN_S = 240.0
LONG_ROWS = 2


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
    def plan(self) -> RowPlan:
        """Every document fills one row, and the token that opens it is given."""
        return RowPlan.of_rows(self._rows.rows, self._rows.length + 1, RUN_S)

    @property
    def at_length(self) -> AtLength | None:
        """Two rows as long as the contest scores them, one a call."""
        if self.real_length <= self._rows.length:
            return None
        rows = replace(self._rows, rows=LONG_ROWS, batch=1, length=self.real_length)
        plan = RowPlan.of_rows(rows.rows, rows.length + 1, RUN_S)
        return AtLength(self._configuration(rows, rows.steps), plan)

    def first(self, stream: StreamShape, native: bool) -> Configuration:
        """The contest's sizes for a small run."""
        return self._configuration(self._rows, self._rows.steps)

    def next(self, stream: StreamShape, tried: Sequence[Attempted]) -> Configuration | None:
        """The file has one configuration."""
        return None if tried else self._configuration(self._rows, self._rows.steps)

    def longer(
        self, stream: StreamShape, configuration: Configuration, iterations: int
    ) -> Configuration:
        """More training steps."""
        return self._configuration(self._rows, iterations)

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

    def _configuration(self, rows: Rows, steps: int) -> Configuration:
        given = {"rows": rows.rows, "batch": rows.batch, "length": rows.length, "steps": steps}
        target = ShrinkTarget(seq_len=rows.length, iterations=steps, counted_clock=True)
        return Configuration(
            target=target,
            code_constants=dict(self._constants(given)),
            arguments=tuple(self._options(given)),
            why=f"the sizes of a small run of {self.contest.title}",
        )

    def _constants(self, given: Mapping[str, int]) -> Iterator[tuple[str, SettingValue]]:
        for size in self._of(Where.CONSTANT):
            for one in self._numbers(size.file, size.name):
                key = one.key if size.file == self.name else f"{size.file}:{one.key}"
                yield key, _setting(size, given, str(one.value))

    def _options(self, given: Mapping[str, int]) -> Iterator[str]:
        for size in self._of(Where.OPTION):
            yield f"{size.name}={_value(size, given)}"

    def _of(self, where: Where) -> list[Size]:
        return [size for size in self.contest.sizes if size.where is where]

    def _numbers(self, file: str, name: str) -> list[CodeConstant]:
        """Every number that the file gives this name."""
        source = self.switches.sources.get(file)
        if source is None or source.tree is None or not name:
            return []
        return [one for one in named_numbers_in(source.tree) if one.name == name]


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
