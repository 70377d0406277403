"""The changed future at the length at which the contest scores, through the same scoring call.

Rows of a small run are short; code that asks how long its row is, or looks further back or ahead
than they are, shows at the real length alone. Two runs with noise in the weights, as the training
is short; a repeat and a second future only where something moved.
Where the contest scores each row alone, tokens of one row change, and the other row tells whether
anything was carried there.
Guarantees: no run where the rows have their real length already, or where something was proved.
Does not cover: rows of one call that know of each other at that length: it has one row a call.
"""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from harness.arrays import Ints
from harness.checks.cut import NONE, Cut, choose_cut, holds
from harness.checks.first_row import compare_rows
from harness.checks.future import compare, downgrade_if_model_selection
from harness.checks.rows_alone import carried
from harness.experiments.altered import changed
from harness.experiments.evidence import LouderFuture
from harness.experiments.experiment import Experiment
from harness.experiments.run_name import RunKind, RunName
from harness.protocol.job import Loudness
from harness.streams.drawn import SourceStream
from harness.trace.script_run import ScriptRun

BASE, REPEAT = RunName(RunKind.LENGTH), RunName(RunKind.LENGTH_REPEAT)


@dataclass(frozen=True)
class RealLength(Experiment):
    """The runs at that length."""

    def decide(self) -> None:
        """Fills `evidence.at_length`."""
        stream = self.driver.stream_at_length
        if stream is None:
            return
        self._make(BASE, stream)
        base = self.evidence.get(RunKind.LENGTH)
        if base is None or base.scored is None:
            self.evidence.skipped.setdefault(BASE, "its number was not reproduced")
            return
        kept = np.unique(base.capture.rows.position).astype(np.int64)
        cut = choose_cut(base.scored, stream.starts, witnesses=kept)
        later = NONE
        if self.driver.rows_alone:
            cut, later = _one_row(cut, stream.starts)
        self._future(stream, cut.changed, 1)
        self._compare(base, cut, later)
        found, rows = self.evidence.at_length, self.evidence.carried
        if (found is not None and found.needs_second_seed) or (rows is not None and rows.moved):
            self._make(REPEAT, stream)
            self._future(stream, cut.changed, 2)
            self._compare(base, cut, later)

    def _future(self, stream: SourceStream, places: np.ndarray, number: int) -> None:
        name = RunName(RunKind.LENGTH_FUTURE, number)
        self._make(name, changed(stream, places, self.seed + number))

    def _make(self, name: RunName, stream: SourceStream) -> None:
        run = partial(self.driver.run_at_length, name, stream, Loudness(self.seed))
        self.runner.make({name: run})

    def _compare(self, base: ScriptRun, cut: Cut, later: Ints) -> None:
        futures = self.evidence.all_of(RunKind.LENGTH_FUTURE)
        if base.scored is None or not futures or not holds(base.scored, cut):
            return
        again = self.evidence.get(RunKind.LENGTH_REPEAT)
        repeats = [again] if again is not None else [base]  # what moved nothing needs no repeat
        passes = [(self.seed + k, run.scored) for k, run in futures.items() if run.scored]
        found = compare(base.scored, [r.scored for r in repeats if r.scored], passes, cut)
        before = [r.scored for r in repeats if r.scored and r is not base]
        self.evidence.carried = carried(base.scored, before, [run for _, run in passes], later)
        row = compare_rows(base, repeats, list(futures.values()), cut, found.nothing_moved)
        self.evidence.at_length = LouderFuture(downgrade_if_model_selection(found), row)


def _one_row(cut: Cut, starts: Ints) -> tuple[Cut, Ints]:  # (D,) documents, each a row
    """The same cut, with changes in its first row alone; and what stays behind that."""
    behind = starts[starts > cut.first_changed]
    if not len(behind):
        return cut, NONE
    end = int(behind[0])
    later = np.concatenate([cut.changed, cut.context, cut.newest])
    inside = replace(
        cut,
        changed=cut.changed[cut.changed < end],
        context=cut.context[cut.context < end],
        newest=cut.newest[cut.newest < end],
    )
    return inside, np.sort(later[later >= end])
