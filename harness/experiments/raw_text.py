"""A run on text whose bytes are known, where the folder's tokenizer counts more than there are.

Guarantees: no tokenizer that counts what `str.encode` does costs a run. Does not cover: scripts
that tokenise text themselves.
"""

from dataclasses import dataclass
from functools import partial

from harness.experiments.experiment import Experiment
from harness.experiments.run_name import RunKind, RunName


@dataclass(frozen=True)
class OnRawText(Experiment):
    """The run on text of known bytes."""

    def decide(self) -> None:
        """Fills `evidence.raw_text`."""
        text = self.driver.raw_text
        if text is None or not text.overcounted:
            return
        self.evidence.raw_text = text
        name = RunName(RunKind.RAW_TEXT)
        self.runner.make({name: partial(self.driver.run, name, text.stream)})
