"""What the runs of a battery left. Filled by the battery's own thread alone, run after run."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np

from audits.facts.documented.printed_scores import Printed
from harness.arrays import Ints
from harness.checks.coverage import read_exchange
from harness.checks.cut import FEWEST_USED, Cut, shown_by
from harness.checks.first_row import FirstRow
from harness.checks.fitted import Fitted
from harness.checks.future import FutureChange
from harness.checks.left_out import LeftOut, check_left_out, left_out
from harness.checks.mass_estimate import MassEstimate
from harness.checks.mass_requery import proves_mass
from harness.checks.order import used_early
from harness.checks.ranks import RankChange
from harness.checks.rows_alone import Carried
from harness.checks.source import source_test
from harness.checks.status import Finding, Status
from harness.checks.two_tokens import TwoTokens
from harness.checks.uniform import PureTest, pure_test, refuted
from harness.configure.attempted import Lack
from harness.configure.run_spec import TrainingClock
from harness.experiments.run_name import RunKind, RunName
from harness.streams.raw_text import RawText
from harness.trace.script_run import ScriptRun


@dataclass(frozen=True)
class LouderFuture:
    """Another future of the script with noise in its weights."""

    future: FutureChange
    first_row: FirstRow | None

    @property
    def needs_second_seed(self) -> bool:
        """Something moved under the one there was."""
        row = self.first_row is not None and self.first_row.needs_second_seed
        return row or self.future.needs_second_seed

    @property
    def moved(self) -> bool:
        """Scores know later tokens, or a distribution its own."""
        row = self.first_row is not None and self.first_row.moved
        return row or self.future.status is Status.FAIL


@dataclass(frozen=True)
class HigherRates:
    """The script with higher learning rates of the steps that learn from the stream."""

    times: float  # as high
    base: ScriptRun
    early: ScriptRun  # other tokens at the beginning
    future: FutureChange | None = None

    @property
    def refuted(self) -> bool:
        """Its headline beats its source."""
        head = self.base.headline
        return head is not None and source_test(head, self.base.scored, self.base.source).refuted

    @property
    def moved(self) -> bool:
        """Scores know later tokens."""
        return self.future is not None and self.future.status is Status.FAIL


@dataclass
class Evidence:
    """Runs, and what was read off several of them together."""

    base: ScriptRun
    runs: dict[RunName, ScriptRun]
    reach: int = 0  # tokens that a context may span: further back, only updates can carry
    cut: Cut | None = None
    future: FutureChange | None = None
    first_row: FirstRow | None = None  # the distribution of the first changed position
    fitted: Fitted | None = None  # scores under futures of another kind
    louder: LouderFuture | None = None
    at_length: LouderFuture | None = None  # with rows as long as the contest scores them
    carried: Carried | None = None  # from a row to one that is scored by a later call
    rates: HigherRates | None = None
    ranks: RankChange | None = None  # what ranks know of each other's tokens
    uncounted: Finding | None = None  # tokens that were proved never to count
    remembered: Finding | None = None  # a number that no forward pass behind the artifact made
    reloaded: Finding | None = None  # whether the number comes from what was written
    shards_counted: Finding | None = None  # training shards that are opened behind that
    held: bool = False  # the artifact held what beats the source
    sums: Sequence[MassEstimate] = ()  # over the alphabet, at some positions
    pair: TwoTokens | None = None  # two tokens behind one prefix
    trains: bool = True  # it is given training shards
    clock: TrainingClock | None = None  # of the script's own, that ends its training
    table_entries: int | None = None  # of the smallest table that the stream fills
    skipped: dict[RunName, str] = field(default_factory=dict)  # why a run was not made
    declared: Collection[str] = ()  # kinds of the numbers that submission.json names
    unexplained: Sequence[Printed] = ()  # claims that no captured scores explain
    raw_text: RawText | None = None  # of which the folder's tokenizer counts too many bytes
    lacks: Sequence[Lack] = ()  # what the base run was to do and did not, in any configuration

    def get(self, kind: RunKind, number: int = 0) -> ScriptRun | None:
        """A run that was made and came to its end."""
        run = self.runs.get(RunName(kind, number))
        return run if run is not None and run.finished else None

    def all_of(self, kind: RunKind) -> dict[int, ScriptRun]:
        """By number, those that were made and came to their end."""
        found = {name.number: run for name, run in self.runs.items() if name.kind is kind}
        return {number: run for number, run in sorted(found.items()) if run.finished}

    @property
    def repeats(self) -> bool:
        """The same run printed the same number again."""
        again = read_exchange("nothing", self.base, self.get(RunKind.REPEAT))
        return again is not None and again.same

    @property
    def used_early(self) -> Ints:
        """(u,) positions that an update had used before they were scored."""
        base = self.base
        if base.scored is None or base.uses is None:
            return np.empty(0, np.int64)
        return used_early(base.scored, base.uses, base.earlier)

    @property
    def best(self) -> bool:
        """What counts was seen to be the best of several scores each time."""
        return self.base.scored is not None and len(self.base.scored.best) > 0

    @property
    def unchanged(self) -> bool:
        """Most of what an update had used early stayed under each future: it could not show."""
        cut, used = self.cut, self.used_early
        return cut is not None and len(used) >= FEWEST_USED and not shown_by(cut.changed, used)

    @property
    def too_heavy(self) -> bool:
        """Distributions weigh more than one, by copies that are as good as whole runs."""
        return proves_mass(self.sums)

    @property
    def refuted(self) -> bool:
        """The headline beats its source."""
        base = self.base
        if base.headline is None:
            return False
        return source_test(base.headline, base.scored, base.source).refuted

    @property
    def pure(self) -> list[PureTest]:
        """The headline on uniform ids alone, draw by draw."""
        return self._headline_on(RunKind.UNIFORM)

    @property
    def pure_refuted(self) -> bool:
        """The headline beats uniform ids."""
        return refuted(self.pure) is not None

    @property
    def drawn_refuted(self) -> bool:
        """The headline beats uniform ids or tokens of unequal price, or leaves out dear ones."""
        if self.pure_refuted or refuted(self.uneven) is not None:
            return True
        return bool(check_left_out(self.left_out))

    @property
    def uneven(self) -> list[PureTest]:
        """The headline on tokens of unequal price, draw by draw."""
        return self._headline_on(RunKind.UNEVEN)

    def _headline_on(self, kind: RunKind) -> list[PureTest]:
        runs = self.all_of(kind).values()
        return [test for run in runs if (test := pure_test(run, self.base)) is not None]

    @property
    def left_out(self) -> list[LeftOut]:
        """What the headline does not count there, draw by draw, where it was reproduced."""
        runs = (one.run for one in self.uneven if one.reproduced)
        return [found for run in runs if (found := left_out(run, self.reach)) is not None]

    @property
    def moved(self) -> bool:
        """Other futures proved that scores know them."""
        found = (self.first_row, self.louder, self.at_length, self.rates, self.ranks)
        if any(one is not None and one.moved for one in found):
            return True
        return self.future is not None and self.future.status is Status.FAIL

    @property
    def mixed(self) -> bool:
        """The headline was rebuilt, of scores that are no plain softmax outputs."""
        base = self.base
        return base.scored is not None and base.finished and not base.softmax_width
