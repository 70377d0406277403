"""An unmodified record folder, examined: read its switches, drive its script, judge the evidence.

Guarantees: what was proved before a run broke off, or before the time was over, stays proved.
"""

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from harness.checks.bytes import check_bytes, counted_elsewhere
from harness.checks.file_reads import reads_of
from harness.checks.order import check_order, order_view
from harness.checks.source import SourceTest
from harness.checks.status import Finding, Level, Status
from harness.configure.configuration import Configuration
from harness.configure.run_spec import Subject
from harness.experiments.driver import Limits, ScriptDriver
from harness.experiments.evidence import Evidence
from harness.experiments.plan import Battery
from harness.experiments.run_name import BASE, TEXT, RunName
from harness.options import Options
from harness.sandbox.pool import Pool
from harness.score import Score
from harness.streams.drawn import SourceStream
from harness.streams.stream import Stream
from harness.streams.stream_plan import STREAM_PLANS
from harness.trace.script_run import ScriptRun
from harness.verdict.judge import Judged, judge
from harness.verdict.table import Table

KEPT = ("stream.npy", "rank*/*.arrow", "output.log")  # of a run: read, captured, printed


@dataclass
class Examination:
    """Fills itself while it goes; holds what a report needs."""

    options: Options
    subject: Subject
    drawn: SourceStream | None = None  # the validation stream, where it was drawn beforehand
    text: ScriptRun | None = None  # the run on text, which gives the score that is shown
    evidence: Evidence | None = None
    judged: Judged | None = None
    driver: ScriptDriver | None = field(default=None, repr=False)

    def run(self) -> None:
        """Drives and judges. Raises SubmissionError where the script printed no number."""
        options = self.options
        with Pool(options.jobs, options.device) as pool:
            self.driver = self._driver(pool)
            deadline = self.driver.limits.deadline
            base = self.driver.find_configuration()
            battery = Battery(
                self.driver,
                options.effort,
                options.seed,
                deadline,
                options.jobs,
                self.driver.claim.declared,
            )
            self.evidence = battery.run(base)
        tail = 2 * self.driver.chunk_tokens  # tokens behind the last whole sequence, at most
        vocabulary, tokens = self.driver.vocabulary, base.source.tokens
        token_bytes, is_byte = vocabulary.token_bytes(tokens), vocabulary.is_byte[tokens]
        self.judged = judge(self.evidence, token_bytes, is_byte, tail)

    def run_on_text(self, text: Stream, configuration: Configuration, time_limit_s: float) -> None:
        """The run that gives the score. Raises SubmissionError where it prints none."""
        with Pool(1, self.options.device) as pool:
            self.driver = self._driver(pool)
            self.text = self.driver.run_on_text(text, configuration, time_limit_s)

    def _driver(self, pool: Pool) -> ScriptDriver:
        options = self.options
        deadline = time.monotonic() + options.budget_s
        return ScriptDriver(
            self.subject,
            pool,
            options.runs,
            options.seed,
            Limits(options.device, options.ranks, deadline),
            STREAM_PLANS[options.device],
            options.tokenizers,
            self.drawn,
        )

    @property
    def tables(self) -> list[Table]:
        """Findings with the reasons beside them: of the battery, and of the run on text."""
        if self.judged is None or self.driver is None:
            return []
        tables = self.subject.byte_tables
        elsewhere = [counted_elsewhere(tables)] if tables else []
        return [
            Table(self.judged.findings, (*self.judged.reasons, *elsewhere)),
            Table([*self._left_out(), *self._on_text()]),
        ]

    def _on_text(self) -> list[Finding]:
        """Every position of the text scored, over the bytes that it has."""
        run = self.text
        if run is None or self.driver is None or run.headline is None:
            return []
        vocabulary, tokens = self.driver.vocabulary, run.stream.tokens
        order = None
        if run.scored is not None and run.uses is not None:
            order = order_view(run.scored, run.uses, np.arange(1, len(tokens)))
        found = [status for status in check_order(order) if status.rule == "PASS-3"]
        token_bytes, is_byte = vocabulary.token_bytes(tokens), vocabulary.is_byte[tokens]
        bytes_ = check_bytes(run.headline, run.scored, token_bytes, run.stream.starts, is_byte)
        return [*found, bytes_]

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
        positions, mean = np.unique(run.scored.position), run.scored.mean
        n_bytes = int(self.driver.vocabulary.token_bytes(run.stream.tokens)[positions].sum())
        shown = run.headline.bits_per_byte
        return Score(mean * len(positions), len(positions), n_bytes, shown)

    def as_json(self) -> dict[str, Any] | None:
        """The `driven` part of the report; None where nothing was driven."""
        if self.driver is None:
            return None
        shown: dict[str, Any] = {
            "entry": self.subject.name,
            "attempts": [
                {
                    "why": attempt.configuration.why,
                    "how": attempt.outcome.state,
                    "cause": attempt.outcome.cause,
                    "where": attempt.outcome.where,
                    "wall_s": attempt.outcome.wall_s,
                }
                for attempt in self.driver.tried
            ],
            "configuration": self._configuration(),
            "changes": _in_words(self.driver.changes),
            "headline": None,
            "reconstruction": None,
            "coverage": None,
            "numbers": [],
            "runs": {},
            "not_run": {},
            "power": [],
            "reads": [],
            "walls": self._isolation(),
            "capture_errors": [],
        }
        if self.evidence is not None and self.judged is not None:
            shown |= _driven(self.evidence, self.judged)
        return shown

    def files(self, home: Path) -> list[str]:
        """What the runs read, captured and printed, as paths relative to `home`."""
        tried = len(self.driver.tried) if self.driver else 0
        names = [TEXT, *(RunName.attempt(number) for number in range(1, max(tried, 1) + 1))]
        names += [name for name in (self.evidence.runs if self.evidence else ()) if name != BASE]
        folders = [self.options.runs / str(name) for name in names]
        found = [file for out in folders for form in KEPT for file in sorted(out.glob(form))]
        return [os.path.relpath(file, home) for file in found]

    def _isolation(self) -> list[str]:
        """The parts that were active in every run."""
        assert self.driver is not None
        outcomes = [attempt.outcome for attempt in self.driver.tried]
        if self.evidence is not None:
            outcomes += [run.outcome for run in self.evidence.runs.values()]
        first = outcomes[0].isolation if outcomes else ()
        return [part for part in first if all(part in o.isolation for o in outcomes)]

    def _configuration(self) -> Mapping[str, Mapping[str, str]]:
        """Every value that the script was told, and who says so."""
        assert self.driver is not None
        if not self.driver.tried:
            return {}
        last = self.driver.tried[-1].configuration
        told = self.driver.chosen if self.evidence else last
        return {
            key: {"value": v.text, "source": str(v.origin), "origin": v.origin.kind}
            for key, v in sorted(told.settings.items())
        }


def _in_words(changes: Mapping[str, Sequence[str]]) -> list[str]:
    """Each change that was made to the script; with its runs, where not every run had it."""
    runs: dict[str, list[str]] = {}
    for run, texts in changes.items():
        for text in texts:
            runs.setdefault(text, []).append(run)
    return [
        text if len(had) == len(changes) else f"{text} (in {'; '.join(had)})"
        for text, had in runs.items()
    ]


def _driven(evidence: Evidence, judged: Judged) -> dict[str, Any]:
    base = evidence.base
    return {
        "headline": base.headline.text if base.headline else None,
        "reconstruction": base.scored.gap if base.scored else None,
        "coverage": base.scored.coverage if base.scored else None,
        "numbers": [_number(base, test) for test in judged.tests],
        "runs": {
            str(name): {
                "how": run.outcome.state,
                "wall_s": run.outcome.wall_s,
                "cause": run.outcome.cause,
            }
            for name, run in evidence.runs.items()
        },
        "not_run": {str(name): why for name, why in evidence.skipped.items()},
        "power": [
            {
                "class": p.name,
                "applies": p.applies,
                "shown": p.shown,
                "saved_nats": p.below_source,
                "text": p.text,
            }
            for p in judged.powers
        ],
        "reads": [asdict(read) for read in reads_of(base)],
        "capture_errors": base.capture.errors,
    }


def _number(base: ScriptRun, test: SourceTest) -> dict[str, Any]:
    """One printed number: what was saved against the source, and how well it was rebuilt."""
    scored = base.passes.get(test.printed.line)
    return {
        "line": test.printed.line,
        "tag": test.printed.tag,
        "nats_per_token": test.printed.nats_per_token,
        "bits_per_byte": test.printed.bits_per_byte,
        "diagnostic": test.printed.diagnostic,
        "saved_nats": test.below_source,
        "saved_nats_per_token": test.below_source_per_token,
        "reconstruction": scored.gap if scored else None,
    }
