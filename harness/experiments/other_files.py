"""The base run once more, which finds other bytes when it opens files behind its training.

    artifact   that of the training control, whose weights learned from other shards and which lies
               there in any case
    foreign    that of a run on another validation stream, where tokens were scored too well by a
               plain softmax: if its own artifact held them, they are not any more
    shards     their own tokens in reverse order, where training shards are opened behind the
               artifact

Guarantees: no run is made where nothing that was written behind the training is opened before the
score, nor where a repeat printed another number. Does not cover: what it means (`checks/reloaded`,
`checks/file_reads`).
"""

from dataclasses import dataclass
from functools import partial

import numpy as np

from harness.checks.file_reads import check_turned, opened_behind
from harness.checks.reloaded import artifact_knew, check_reloaded, opened_again
from harness.experiments.altered import changed
from harness.experiments.experiment import Experiment
from harness.experiments.kept_files import Files
from harness.experiments.run_name import RunKind, RunName


@dataclass(frozen=True)
class OtherFiles(Experiment):
    """A run each."""

    def decide(self) -> None:
        """Fills `evidence.reloaded` and `evidence.shards_counted`."""
        evidence, base = self.evidence, self.evidence.base
        names, other = opened_again(base), evidence.get(RunKind.TRAINING)
        if not names or not evidence.repeats:
            return
        if turned := opened_behind(base, names):
            self._make(RunKind.TURNED, Files(turned=turned))
            evidence.shards_counted = check_turned(base, evidence.get(RunKind.TURNED), turned)
        if other is not None:
            files = Files(names, given=RunName(RunKind.TRAINING))
            self._make(RunKind.OTHER_ARTIFACT, files)
            exchanged = evidence.get(RunKind.OTHER_ARTIFACT)
            evidence.reloaded = check_reloaded(base, other, exchanged)

    def name_carrier(self) -> None:
        """Fills `evidence.held`: what beats the source is in the artifact."""
        evidence, base = self.evidence, self.evidence.base
        names, head = opened_again(base), base.headline
        if not names or not base.softmax_width or head is None:
            return
        drawn = np.flatnonzero(base.source.drawn)
        name, other = RunName(RunKind.FOREIGN), changed(base.source, drawn, self.seed)
        self.runner.make({name: partial(self.driver.run, name, other, files=Files(names))})
        if evidence.get(RunKind.FOREIGN) is None:
            return
        self._make(RunKind.FOREIGN_ARTIFACT, Files(names, given=name))
        evidence.held = artifact_knew(base, evidence.get(RunKind.FOREIGN_ARTIFACT))

    def _make(self, kind: RunKind, files: Files) -> None:
        name, source = RunName(kind), self.evidence.base.source
        self.runner.make({name: partial(self.driver.run, name, source, files=files)})
