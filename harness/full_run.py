"""A whole evaluation, witnessed: the script as it was submitted, on the caller's data, with nothing
made small; what it left becomes a ledger, its account, and a certificate.

Guarantees: one run, isolated and recorded as every other one; data and script are hashed before it,
and the validation shards again behind it; every number of the certificate but times, sizes and
hashes follows from the ledger alone. A run that broke off leaves the ledger up to there. Does not
cover what one run on real text cannot decide (`report.gaps.WHOLE`).
"""

import os
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from audits.bounded import Unfinished
from audits.contests import Limits as ContestLimits
from audits.facts.documented.printed_scores import (
    Printed,
    declared_score,
    headline,
    is_of_training,
    printed_numbers,
)
from harness.certificate.account import Account, Accounting, Scope
from harness.certificate.documents import RawCount, recount
from harness.certificate.findings import ORDER, Sizes, Whole, findings
from harness.certificate.gather import Gathered, gather
from harness.certificate.passages import shared_positions
from harness.checks.file_reads import TRAINING
from harness.configure.configuration import Configuration
from harness.configure.run_spec import Subject
from harness.configure.setting import texts
from harness.errors import HarnessError
from harness.experiments.announced import Announced
from harness.experiments.machine_fault import require_machine
from harness.experiments.run_name import WHOLE
from harness.experiments.staged_run import Limits, staged_run
from harness.experiments.unrunnable import unrunnable
from harness.options import Options
from harness.protocol.job import Job, Outcome, RunState
from harness.protocol.schema import EventKind
from harness.report.driven_json import attempt_json, configuration_json, run_json
from harness.report.hashes import file_sha256, sha256_of
from harness.sandbox import quota
from harness.sandbox.pool import Pool
from harness.score import Score
from harness.streams.stream import validation_stream
from harness.streams.vocabulary import Vocabulary
from harness.trace.printed_log import read_log
from harness.trace.reader import BrokenCapture
from harness.verdict.table import Table
from reference_model.data.folder import DataFolder
from reference_model.data.shards import read_shard

LEDGER = "ledger"
ROWS = 128  # positions whose whole distributions are kept, evenly spread
ROW_ENTRIES = 1 << 17
READ_S = 3600.0
MOST_ASKED = 1 << 20  # early uses whose passage is looked for in shards
MOST_FILES = 1_000  # of the stage, that a certificate names


@dataclass
class FullRun:
    """Fills itself while it goes; holds what a report needs."""

    options: Options
    subject: Subject
    configuration: Configuration
    data: DataFolder
    limits: ContestLimits
    pool: Pool = field(repr=False)
    outcome: Outcome | None = None
    numbers: tuple[Printed, ...] = ()
    headline: Printed | None = None
    changes: tuple[str, ...] = ()
    left: dict[str, int] = field(default_factory=dict)  # file of the stage -> bytes behind the run
    gathered: Gathered | None = None
    account: Account | None = None
    whole: Whole | None = None
    faults: tuple[str, ...] = ()
    announced: Announced = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.announced = Announced(self.options.observer)
        self.vocabulary = Vocabulary.of_tokenizer(self.data.tokenizer)
        self.stream = validation_stream(self.data, self.vocabulary)
        self.token_bytes = self.vocabulary.token_bytes(self.stream.tokens)
        self.raw = self._raw()  # before the run: a file that is none is wrong use
        self.before = self._data_hashes()

    def run(self) -> None:
        """Raises SubmissionError where no number was printed, SandboxError where that is the
        machine's fault; the ledger is there all the same.
        """
        self.outcome = outcome = self._driven()
        self.account_for()
        require_machine(outcome, self.subject.spec(self.configuration, self.vocabulary))
        if self._data_hashes() != self.before:
            raise HarnessError(f"{self.data.root}: its shards are others than before the run")
        if self.headline is None or outcome.state is not RunState.ENDED:
            raise unrunnable(self.subject.entry, outcome, 1)

    # -- the run ----------------------------------------------------------------------------------

    def _driven(self) -> Outcome:
        options = self.options
        limits = Limits(options.device, options.ranks, options.isolation)
        given = self.subject, self.configuration, self.vocabulary, (self.stream, ()), self._out
        files = self.data if self.subject.trains else None  # a program is given the stream alone
        staged = staged_run(*given, limits, options.time_limit_s, files)
        with self.announced.run(WHOLE) as outcomes, staged as stage:
            self.changes = stage.changes
            job = replace(stage.job, rows=self._rows(), long=True)
            outcome = self.pool.run(job)
            outcomes.append(outcome)
            self.left = _left(job)
        return outcome

    @property
    def _out(self) -> Path:
        return self.options.runs / str(WHOLE)

    def _rows(self) -> tuple[int, ...]:
        """On a CPU; an accelerator's host would have to wait for them."""
        if self.options.device != "cpu":
            return ()
        most = min(ROWS, ROW_ENTRIES // self.vocabulary.size, self.stream.n_scored)
        places = np.linspace(0, self.stream.n_scored, most + 2)[1:-1].astype(int)
        return tuple(np.unique(np.maximum(places, 1)).tolist())

    # -- what it left -----------------------------------------------------------------------------

    def account_for(self) -> None:
        """The ledger, its account, and what they say."""
        log = read_log(self._out / "output.log")
        self.numbers = tuple(printed_numbers(log))
        said = declared_score(self.subject.logs.values(), self.subject.declared)
        head = headline(self.numbers, said)
        ended = self.outcome is not None and self.outcome.state is RunState.ENDED
        self.headline = None if head and not ended and is_of_training(head, self.numbers) else head
        into = self.options.out / LEDGER
        shutil.rmtree(into, ignore_errors=True)
        try:
            self.gathered = gather(
                self._out, self.headline, self.stream.tokens, self.token_bytes, into, READ_S
            )
        except (BrokenCapture, Unfinished) as error:
            self.faults = (str(error),)
            return
        accounting = Accounting(self.gathered.ledger, self.scope)
        self.account = accounting.made()
        self.whole = self._whole(self.gathered, accounting, self.account)
        for name in ("rank*", "seals*", "stream.npy"):  # the ledger holds them
            for path in self._out.glob(name):
                quota.remove(path) if path.is_dir() else path.unlink()

    @property
    def scope(self) -> Scope:
        """What the ledger is held against."""
        tail = min(2 * self.configuration.target.seq_len, self.stream.n_scored)
        return Scope(self.stream.n_scored, tail)

    def _whole(self, gathered: Gathered, accounting: Accounting, found: Account) -> Whole:
        assert self.outcome is not None
        capture, limits = gathered.ledger.capture(), self.limits
        trains = self.subject.trains and not self.options.eval_only
        reads = [str(capture.text[e]) for e in capture.events(EventKind.READ)]
        saves = [str(capture.text[e]) for e in capture.events(EventKind.SAVE)]
        ranks = self.options.ranks
        return Whole(
            account=found,
            scope=self.scope,
            printed=self.headline,
            gap=gathered.chosen.gap if gathered.chosen else None,
            faults=tuple(capture.errors),
            excused=self._excused(accounting, found, reads),
            alphabet=self.vocabulary.size,
            most_bytes=int(self.token_bytes.max(initial=0)),
            stream_bytes=int(self.token_bytes[1:].sum()),
            documents=len(self.stream.starts),
            sizes=self._sizes(saves, reads),
            raw=self.raw,
            train_limit_s=limits.train_s if trains else 0.0,
            eval_limit_s=limits.eval_s,
            hardware=f"{ranks} process{'es' if ranks > 1 else ''} on {self.options.device}",
        )

    def _excused(self, accounting: Accounting, found: Account, reads: list[str]) -> dict[str, int]:
        """Early uses whose passage a training shard holds too, or that open a document. Of very
        many, by their first million.
        """
        used = {name: getattr(found, name) for _, name, _ in ORDER}
        if not any(one.tokens for one in used.values()):
            return {}
        opened = {Path(path).name for path in reads if TRAINING.search(path)}
        named = {f"fineweb_train_{n:06d}.bin": p for n, p in enumerate(self.data.train_shards)}
        shards = [path for name, path in named.items() if name in opened] or self.data.train_shards
        tokens = [read_shard(path) for path in shards]
        places = accounting.early_positions()
        aside = {}
        for name, at in places.items():
            asked = at[:MOST_ASKED]
            excused = shared_positions(self.stream.tokens, asked, tokens)
            excused |= np.isin(asked, self.stream.starts)
            aside[name] = round(float(excused.mean()) * len(at)) if len(at) else 0
        return aside

    def _sizes(self, saves: list[str], reads: list[str]) -> Sizes:
        """The artifact: what was saved last of all that was read again, as it lies there."""
        # Of a program the artifact is given, and the report has its size anyway.
        limit = self.limits.artifact_bytes if self.subject.trains else 0
        code = self._code_bytes()
        if self.options.artifact is not None and self.options.eval_only:
            file = self.options.artifact
            return Sizes(code, file.name, file.stat().st_size, limit)
        again = [path for path in dict.fromkeys(reversed(saves)) if path in set(reads)]
        again = [path for path in again if path in self.left]
        if not again:
            return Sizes(code, "", 0, limit)
        return Sizes(code, again[0], self.left[again[0]], limit, alone=len(again) == 1)

    def _code_bytes(self) -> int:
        spec = self.subject.spec(self.configuration, self.vocabulary)
        names = {spec.entry, *spec.readable}
        return sum((spec.root / name).stat().st_size for name in names)

    def _raw(self) -> RawCount | None:
        path = self.options.documents
        given = self.stream, self.vocabulary, self.token_bytes
        return None if path is None else recount(path, *given)

    # -- what a report shows ----------------------------------------------------------------------

    @property
    def tables(self) -> list[Table]:
        """Findings."""
        return [] if self.whole is None else [Table(findings(self.whole))]

    @property
    def score(self) -> Score | None:
        """The number that was printed, where its scores are in the ledger."""
        found = self.account
        if found is None or self.whole is None or self.whole.gap is None or not found.tokens:
            return None
        return Score(found.mean * found.tokens, found.tokens, found.n_bytes)

    def files(self, home: Path) -> list[str]:
        """What was printed; the certificate names the files of the ledger itself."""
        log = self._out / "output.log"
        return [os.path.relpath(log, home)] if log.exists() else []

    def certificate(self) -> dict[str, Any] | None:
        """The part of report.json that `scorefirst verify` works out again."""
        if self.whole is None or self.gathered is None:
            return None
        ledger = self.gathered.ledger
        artifact = self.options.artifact
        told = texts(self.configuration.environment)
        return {
            "witnessed": self.whole.witnessed,
            **self.whole.as_json(),
            "data": self.before,
            "script_sha256": file_sha256(self.subject.entry),
            "artifact_sha256": file_sha256(artifact) if artifact else None,
            "eval_only": self.options.eval_only,
            "ledger": {
                "folder": LEDGER,
                "bytes": ledger.n_bytes,
                "sha256": {path.name: file_sha256(path) for path in ledger.files},
            },
            "ranks": self.options.ranks,
            "device": self.options.device,
            "seeds": {"process": 0, "script": told.get("SEED")},
            "files": self.left,
        }

    def driven_json(self) -> dict[str, Any]:
        """The `driven` part: the same keys as of small runs, those of a battery empty."""
        outcome = self.outcome
        runs = {} if outcome is None else {str(WHOLE): outcome}
        return {
            "entry": self.subject.name,
            "broken_off": self.announced.under_way,
            "attempts": [
                attempt_json(self.configuration, one, kept=one.state is RunState.ENDED)
                for one in runs.values()
            ],
            "configuration": configuration_json(self.configuration),
            "changes": [*self.changes],
            "headline": self.headline.text if self.headline else None,
            "reconstruction": self.whole.gap if self.whole else None,
            "coverage": self.account.tokens / self.scope.targets if self.account else None,
            "numbers": [],
            "numbers_left_out": len(self.numbers),
            "runs": {name: run_json(one) for name, one in runs.items()},
            "not_run": {},
            "power": [],
            "reads": [],
            "walls": [*outcome.isolation] if outcome else [],
            "capture_errors": [*(self.whole.faults if self.whole else self.faults)],
        }

    def _data_hashes(self) -> dict[str, Any]:
        files = {path.name: sha256_of(path) for path in self.data.val_shards}
        return {"validation_sha256": files, "tokenizer_sha256": self.data.tokenizer_sha256()}


def _left(job: Job) -> dict[str, int]:
    """Plain files of the stage, by their paths in it, as they lie there behind the run."""
    found: dict[str, int] = {}
    for folder, _, names in os.walk(job.stage):
        for path in (Path(folder) / name for name in names):
            if path.is_file() and not path.is_symlink():
                found[str(path.relative_to(job.stage))] = path.stat().st_size
    return dict(sorted(found.items())[:MOST_FILES])
