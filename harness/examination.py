"""A script, run as it was submitted and judged: of a record folder, or a native program.

Guarantees: what was proved before a run broke off, or before the time was over, stays proved.
"""

import contextlib
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from harness.checks.bytes import bytes_per_token, counted_elsewhere
from harness.checks.status import Finding, Level, Status
from harness.configure.configuration import Configuration
from harness.configure.run_spec import Subject
from harness.experiments.announced import Announced
from harness.experiments.driver import ScriptDriver
from harness.experiments.evidence import Evidence
from harness.experiments.plan import Battery
from harness.experiments.run_name import BASE, TEXT, RunName
from harness.experiments.staged_run import Limits
from harness.options import Options
from harness.protocol.job import Outcome
from harness.sandbox import quota
from harness.sandbox.pool import Pool
from harness.score import Score
from harness.streams.drawn import SourceStream
from harness.streams.stream import Stream
from harness.streams.stream_plan import STREAM_PLANS
from harness.streams.vocabulary import Vocabulary
from harness.trace.script_run import ScriptRun
from harness.verdict.judge import Judged, judge
from harness.verdict.on_text import judge_text
from harness.verdict.table import Table

KEPT = ("stream.npy", "rank*/*.arrow", "output.log")  # of a run: read, captured, printed


@dataclass
class Examination:
    """Fills itself while it goes; holds what a report needs."""

    options: Options
    subject: Subject
    pool: Pool = field(repr=False)  # where all of its runs are made
    drawn: SourceStream | None = None  # the validation stream, where it was drawn beforehand
    text: ScriptRun | None = None  # the run on text, which gives the score that is shown
    text_vocabulary: Vocabulary | None = field(default=None, repr=False)
    text_tail: int = 0  # positions that a canonical truncation may drop at its end
    evidence: Evidence | None = None
    judged: Judged | None = None
    driver: ScriptDriver | None = field(default=None, repr=False)
    announced: Announced = field(init=False, repr=False)  # all its runs

    def __post_init__(self) -> None:
        self.announced = Announced(self.options.observer)

    def run(self) -> None:
        """Drives and judges. Raises SubmissionError where the script printed no number."""
        options = self.options
        self.driver = self._driver()
        base = self.driver.find_configuration()
        battery = Battery(
            self.driver,
            options.effort,
            options.seed,
            self.driver.limits.deadline,
            options.jobs,
            self.driver.claim.declared,
        )
        self.evidence = battery.begin(base)
        self.evidence.lacks = self.driver.lacks
        battery.complete(self.evidence)
        self.judge()

    def judge(self) -> None:
        """What the runs so far say; nothing where there is none to judge."""
        if self.evidence is None or self.driver is None:
            return
        base = self.evidence.base
        tail = 2 * self.driver.chunk_tokens  # tokens behind the last whole sequence, at most
        vocabulary, tokens = self.driver.vocabulary, base.source.tokens
        token_bytes, is_byte = vocabulary.token_bytes(tokens), vocabulary.is_byte[tokens]
        self.judged = judge(self.evidence, token_bytes, is_byte, tail)

    def run_on_text(self, text: Stream, configuration: Configuration, time_limit_s: float) -> None:
        """The run that gives the score. Raises SubmissionError where it prints none."""
        self.driver = self._driver()
        self.text = self.driver.run_on_text(text, configuration, time_limit_s)
        self.text_vocabulary = self.driver.vocabulary
        self.text_tail = 2 * configuration.target.seq_len

    def _driver(self) -> ScriptDriver:
        options = self.options
        deadline = time.monotonic() + options.budget_s
        return ScriptDriver(
            self.subject,
            self.pool,
            options.runs,
            options.seed,
            Limits(options.device, options.ranks, options.isolation, deadline),
            self.subject.plan or STREAM_PLANS[options.device],
            options.tokenizers,
            self.drawn,
            self.announced,
        )

    @property
    def tables(self) -> list[Table]:
        """Findings with the reasons beside them: of the battery, and of the run on text."""
        if self.judged is None:
            return list(self._on_text())
        tables = self.subject.byte_tables
        elsewhere = [counted_elsewhere(tables)] if tables else []
        return [
            Table(self.judged.findings, (*self.judged.reasons, *elsewhere)),
            Table(self._left_out()),
            *self._on_text(),
        ]

    def clear(self) -> None:
        """Takes away what runs that were broken off may have left."""
        for place in (*self.options.runs.glob("*/stage"), *self.options.runs.glob("*/root")):
            with contextlib.suppress(OSError):
                quota.remove(place)
                place.parent.rmdir()  # of a stage; a run's own folder is not empty

    def _on_text(self) -> list[Table]:
        if self.text is None or self.text_vocabulary is None:
            return []
        vocabulary, tokens = self.text_vocabulary, self.text.stream.tokens
        base = self.evidence.base if self.evidence else None
        token_bytes, is_byte = vocabulary.token_bytes(tokens), vocabulary.is_byte[tokens]
        return [judge_text(self.text, base, token_bytes, is_byte, self.text_tail)]

    def _left_out(self) -> list[Finding]:
        """A setting of the folder that could not be given was not examined."""
        assert self.driver is not None
        names = sorted(self.driver.chosen.target.omitted)
        if not names:
            return []
        text = (
            f"the folder says that it ran with {', '.join(names)}, which names files that it does"
            " not hold, or which the script cannot read; it was run without"
        )
        return [Finding("MISC-3", Status.UNKNOWN, Level.BLACK_BOX, text)]

    @property
    def score(self) -> Score | None:
        """The headline on text, where there was a run on it; else of the base run."""
        run = self.text or (self.evidence.base if self.evidence else None)
        if run is None or self.driver is None or run.scored is None or run.headline is None:
            return None
        tokens = len(np.unique(run.scored.position))
        vocabulary = self.text_vocabulary or self.driver.vocabulary
        token_bytes = vocabulary.token_bytes(run.stream.tokens)
        counted = bytes_per_token(run.headline, run.scored, token_bytes)
        return Score(run.scored.mean * tokens, tokens, round(counted * tokens))

    @property
    def made(self) -> Mapping[str, Outcome]:
        """Every run by name, and how it ended."""
        found = {} if self.text is None else {str(TEXT): self.text.outcome}
        runs = self.evidence.runs.items() if self.evidence else ()
        return found | {str(name): run.outcome for name, run in runs}

    def files(self, home: Path) -> list[str]:
        """What the runs read, captured and printed, as paths relative to `home`."""
        tried = len(self.driver.tried) if self.driver else 0
        names = [TEXT, *(RunName.attempt(number) for number in range(1, max(tried, 1) + 1))]
        names += [name for name in (self.evidence.runs if self.evidence else ()) if name != BASE]
        folders = [self.options.runs / str(name) for name in names]
        found = [file for out in folders for form in KEPT for file in sorted(out.glob(form))]
        return [os.path.relpath(file, home) for file in found]
