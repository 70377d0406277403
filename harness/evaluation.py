"""One evaluation, step by step: read, scan, data, artifact, score, source, drive, judge.

Every phase adds to the evidence; a phase that breaks off because of the submission or the machine
ends the running, not the report: what was proved stays proved, what was not reached is not passed.
So does a signal, where the command turned it into `Interrupted`, and an error of ours half-way:
the report is there, and `broken` holds the error for the caller to raise.
"""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from audits.bounded import Bounds
from audits.contests import Contest, Recognised, chosen_contest, load_contest
from audits.folder import NothingToScan
from audits.folder import UsageError as NotReadable
from audits.guarded import scan_guarded
from audits.rules import CHECKS
from harness.artifacts import reference_artifact, resolve_artifact
from harness.checks.contest_files import check_frozen
from harness.checks.refereed.mass import worst_gap
from harness.checks.size import Size, check_size
from harness.checks.static import check_static, first_lines
from harness.checks.status import Finding
from harness.claims.checks import check_claims
from harness.claims.evidence import weighed
from harness.claims.reading import claims_of
from harness.claims.said import as_json
from harness.configure.contest_script import ContestScript, scoring_sizes
from harness.configure.native_program import NativeProgram
from harness.configure.record_script import RecordScript, read_record
from harness.configure.run_spec import Subject
from harness.errors import HarnessError, SandboxError, SubmissionError, UsageError
from harness.examination import Examination
from harness.full_run import FullRun
from harness.interrupts import Interrupted, held_back, within
from harness.options import Options
from harness.own_seed import handed_on
from harness.protocol.confinement import IsolationPart
from harness.referee.artifact_text import artifact_text
from harness.referee.ledger import Ledger
from harness.referee.run import Run, SourceRun
from harness.referee.setup import Setup
from harness.referee.source_run import draw_source, score_source, source_evidence
from harness.referee.twin import run_with_twins
from harness.report.checkout import commit_of
from harness.report.driven_json import driven_json
from harness.report.hashes import evidence_sha256, file_sha256, folder_sha256
from harness.report.model import Report
from harness.report.summary import less_isolated
from harness.sandbox.pool import Pool
from harness.score import Score
from harness.streams.stream import Stream, validation_stream
from harness.streams.stream_plan import STREAM_PLANS
from harness.streams.vocabulary import Vocabulary
from harness.submission import Kind, Submission, code_files, overlooked, read_submission
from harness.verdict.refereed import refereed_source, refereed_table
from harness.verdict.table import RuleStatus, Table, verdict
from reference_model.data.corpus import embedded_data
from reference_model.data.errors import DataError
from reference_model.data.folder import DataFolder

CONTEST = "parameter_golf"  # whose shards a whole run reads, and whose budgets hold for programs
UNFINISHED = "it was killed, or the machine went down, before it could say what was established"
JUDGE_S = 1.0  # for judging what is known when a signal ends the evaluation
JUDGE_BROKEN_S = 60.0  # the same where nobody waits: we broke down
OUR_FAULT = "this is a fault of scorefirst, not of the submission: please report it with its log"


@dataclass
class Evaluation:
    """A submission under evaluation; holds the evidence as it comes in."""

    options: Options
    findings: list[Finding] = field(default_factory=list)  # of reading its code
    tables: list[Table] = field(default_factory=list)  # all findings, with the reasons beside them
    seconds: dict[str, float] = field(default_factory=dict)
    submission: Submission | None = None
    data: DataFolder | None = None
    contest: Recognised | None = None  # of a record
    claims: dict[str, Any] | None = None  # of its papers, as the report tells them
    artifact: Path | None = None
    main: Run | None = None
    source: SourceRun | None = None
    active: list[tuple[IsolationPart, ...]] = field(default_factory=list)  # around each predictor
    examination: Examination | None = None
    whole: FullRun | None = None
    failure: str | None = None
    cure: str = ""
    read: tuple[str, ...] = ()  # rules that the code was read for
    phase: str = ""  # that is under way
    interrupted: Interrupted | None = None
    broken: Exception | None = None  # an error of ours, which ended it

    def unfinished(self) -> Report:
        """What stays where nobody is left to say how it ended; for the time before `run`."""
        self.failure = UNFINISHED
        report = replace(self._report(), interrupted=signal.SIGKILL.name)
        self.failure = None
        return report

    def run(self) -> Report:
        """Every phase, then the report, however they end. Raises UsageError only."""
        try:
            self._gather()
            with self._phase("judge"):
                self.tables = self._judged(self.examination)
        except Interrupted as stop:
            self.interrupted = stop
            self._conclude(str(stop), JUDGE_S)
        except UsageError:
            raise
        except Exception as error:  # noqa: BLE001 - it is in the report, and goes up behind it
            self._broke(error)
            self._conclude(_said(error), JUDGE_BROKEN_S)
        with held_back():
            return self._reported()

    def _broke(self, error: Exception) -> None:
        self.broken, self.cure = error, "" if isinstance(error, HarnessError) else OUR_FAULT

    def _reported(self) -> Report:
        """Without what was run, where that cannot be told any more; what it proved is told."""
        try:
            report = self._report()
            report.to_json()
        except Exception as error:  # noqa: BLE001 - a report that says so is still a report
            self._broke(error)
            self.failure = f"{_said(error)} while the report was made"
            self.examination = None
            return self._report()
        return report

    def _gather(self) -> None:
        try:
            self._phases()
        except (SubmissionError, SandboxError) as error:
            self.failure, self.cure = str(error), error.cure
            if self.submission is not None and self.submission.kind is Kind.RECORD:
                hint = overlooked(self.options.folder)
                self.failure += f"; {hint}" if hint else ""

    def _conclude(self, why: str, limit_s: float) -> None:
        """Judges what there is, as far as nobody has to wait for it."""
        self.failure = f"{why} during {self.phase}"
        known = copy(self.examination)  # judged beside, so that all of it counts or nothing
        if known is not None:
            known.clear()
            runs = known.announced.under_way
            self.failure += f" (run {', '.join(runs)})" if runs else ""

        def work() -> list[Table]:
            if known is not None:
                known.judge()
            return self._judged(known)

        try:
            self.tables = within(limit_s, work)
            self.examination = known
        except Exception as error:  # noqa: BLE001 - of evidence that is not whole
            self.tables = [Table(self.findings)]
            left = str(error) or "there was no time left"
            self.failure += f"; what had been run is not judged ({left})"

    def _phases(self) -> None:
        if less := less_isolated(self.options.isolation):
            self.options.observer.read([less.removeprefix("; ")])
        with self._phase("read"):
            self.submission = read_submission(self.options.folder)
            if self.submission.kind is Kind.RECORD:
                self.contest = chosen_contest(self.options.folder, self.options.contest)
            self.findings += self._of_contest()
        if self.contest is not None and self.options.folder.is_dir():
            with self._phase("claims"):
                self._claim(self.contest.contest)
        if self.options.static:
            with self._phase("scan"):
                self._scan()
        if self.options.full:
            self._witness()
            return
        if self.submission.kind is Kind.RECORD:
            with self._phase("drive"), self._pool() as pool:
                self.examination = Examination(self.options, self._subject(), pool)
                self.examination.run()
            return
        with self._phase("data"):
            self.data = self._opened()
        with self._phase("artifact"):
            self.artifact = resolve_artifact(self.submission, self._data)
        setup = self._setup(self.submission, self.artifact)
        vocabulary = Vocabulary.of_tokenizer(setup.tokenizer)
        text = validation_stream(self._data, vocabulary)
        if self.submission.kind is Kind.PROGRAM:
            with self._pool() as pool:
                self._drive_program(setup, vocabulary, text, pool)
            return
        with self._phase("score"):
            self._score(setup, Run(text, vocabulary, self._ledger(text)))
        with self._phase("source"):
            self._source_test(setup, vocabulary, text)

    def _of_contest(self) -> list[Finding]:
        """What its file says of the folder; a scan says it too."""
        if self.contest is None or self.options.static:
            return []
        return check_frozen(self.contest.contest, self.options.folder)

    def _claim(self, contest: Contest) -> None:
        """What its papers say of its numbers, against each other and the files."""
        claims = claims_of(self.options.folder, contest, self._bounds)
        found = check_claims(claims, contest)
        self.findings += weighed(found)
        self.claims = as_json(claims, found, whole=False)

    def _subject(self) -> Subject:
        """The script of a folder, by its contest's file where that tells all that a run needs."""
        options = self.options
        assert self.contest is not None
        contest = self.contest.contest
        if not contest.adapted:
            return read_record(options.folder, options.entry, self._bounds)
        folder, entry = options.folder, options.entry or self.contest.entry
        if folder.is_file():  # what it is scored by lies beside it
            folder, entry = folder.parent, folder.name
        record = read_record(folder, entry, self._bounds)
        return ContestScript(contest, record.switches)

    def _witness(self) -> None:
        """One whole run on the data."""
        assert self.submission is not None
        with self._phase("data"):
            self.data = self._opened()
        options, subject = self.options, self._whole_subject()
        if isinstance(subject, NativeProgram):
            configuration = subject.as_declared()
        else:
            told = options.device == "cuda", options.told, options.artifact, options.eval_only
            configuration = subject.whole(*told)
        contest = self.contest.contest if self.contest else load_contest(CONTEST)
        with self._phase("drive"), self._pool() as pool:
            given = options, subject, configuration, self._data, contest.limits
            self.whole = FullRun(*given, pool)
            self.whole.run()

    def _whole_subject(self) -> RecordScript | NativeProgram:
        assert self.submission is not None
        if self.submission.kind is Kind.RECORD:
            subject = self._subject()
            if isinstance(subject, RecordScript):
                return subject
            raise UsageError(f"--full reads shards of {CONTEST}, and this contest has others")
        with self._phase("artifact"):
            self.artifact = resolve_artifact(self.submission, self._data)
        setup = self._setup(self.submission, self.artifact)
        tokens = len(self._data.validation_tokens())
        return self._program(setup, tokens)

    def _program(self, setup: Setup, stream_tokens: int) -> NativeProgram:
        given = setup.submission, setup.artifact, setup.tokenizer, stream_tokens
        return NativeProgram(*given, handed_on(setup.seed), setup.device)

    def _drive_program(
        self, setup: Setup, vocabulary: Vocabulary, text: Stream, pool: Pool
    ) -> None:
        """On text for the score, and on text sampled from its artifact for the proofs."""
        program = self._program(setup, len(text.tokens))
        self.examination = Examination(self.options, program, pool)
        with self._phase("score"):
            self.examination.run_on_text(text, program.as_declared(), setup.time_limit_s)
        with self._phase("source"):
            self.examination.drawn = artifact_text(
                setup,
                vocabulary,
                STREAM_PLANS[setup.device],
                lambda: reference_artifact("tiny", self._data),
            )
        with self._phase("drive"):
            self.examination.run()

    def _pool(self) -> Pool:
        return Pool(self.options.jobs, self.options.device)

    def _ledger(self, text: Stream) -> Ledger:
        return Ledger(self.options.out / "main", len(text.tokens))

    def _scan(self) -> None:
        """Always under `strict`: the catalogue's severities make the other profile's verdict."""
        try:
            options = self.options
            report = scan_guarded(
                options.folder,
                "strict",
                options.entry,
                bounds=self._bounds,
                contest=options.contest,
            )
        except NothingToScan:
            return  # a declared engine: the code is ours
        except NotReadable as error:
            raise UsageError(str(error)) from error
        found = check_static(report)
        self.findings += found
        self.options.observer.read([*first_lines(report, found, self.options.profile)])
        self.read = () if report.unjudged else tuple(CHECKS)

    @property
    def _bounds(self) -> Bounds:
        """Of reading the submission's files."""
        usual = Bounds()
        return replace(usual, wall_s=min(usual.wall_s, self.options.budget_s))

    def _score(self, setup: Setup, run: Run) -> None:
        self.main = run
        with run.ledger:
            run_with_twins(setup, run)

    def _source_test(self, setup: Setup, vocabulary: Vocabulary, text: Stream) -> None:
        source = draw_source(setup, vocabulary, len(text.tokens))
        self.source = source_evidence(setup, source, vocabulary)
        score_source(setup, self.source, len(text.tokens))

    def _judged(self, examination: Examination | None) -> list[Table]:
        """Evidence to findings."""
        findings, tables = list(self.findings), list[Table]()
        if self.submission is not None and self.artifact is not None:
            size = Size(self.submission.code_bytes, self.artifact.stat().st_size)
            findings.append(check_size(size))
        if self.source is not None:
            findings.append(refereed_source(self.source))
        if self.main is not None:
            tables.append(refereed_table(self.main))
        if examination is not None:
            tables += examination.tables
        if self.whole is not None:
            tables += self.whole.tables
        return [Table(findings), *tables]

    def _report(self) -> Report:
        submission, run = self.submission, self.main
        return Report(
            submission={
                "name": submission.name if submission else self.options.folder.name,
                "folder": _with_name(self.options.folder),
                "commit": commit_of(self.options.folder),
                "kind": submission.kind if submission else "unreadable",
                "code_bytes": submission.code_bytes if submission else 0,
                "artifact_bytes": self.artifact.stat().st_size if self.artifact else None,
                "artifact_sha256": file_sha256(self.artifact) if self.artifact else None,
                "code_sha256": self._code_sha256(),
            },
            profile=self.options.profile,
            score=self._score_shown(),
            rules=self._rules(),
            ran=self.failure is None,
            seconds=self.seconds,
            failure=self.failure,
            cure=self.cure or None,
            interrupted=self.interrupted.by.name if self.interrupted else None,
            isolation=self.options.isolation,
            worker_isolation=[p for p in IsolationPart if all(p in one for one in self.active)],
            read=self.read,
            folder=str(self.options.out),
            replay=self.options.replay,
            extra={
                "data": _named(self.data),
                "seed": self.options.seed,
                "device": self.options.device,
                "settings": dict(submission.settings) if submission else {},
                "worst_mass_gap": worst_gap(run) if run else None,
                "driven": self._driven(),
                **({"certificate": self.whole.certificate()} if self.whole else {}),
                "evidence": self._files(),
                **self._contest_told(),
                **({} if self.claims is None else {"claims": self.claims}),
                "evidence_sha256": evidence_sha256(self.options.out, self._files()),
            },
        )

    def _driven(self) -> dict[str, Any] | None:
        if self.whole is not None:
            return self.whole.driven_json()
        return driven_json(self.examination) if self.examination else None

    def _contest_told(self) -> dict[str, Any]:
        """Whose file told how to run it; nothing of Parameter Golf."""
        if self.contest is None or not self.contest.said:
            return {}
        contest = self.contest.contest
        told = {"name": contest.name, "title": contest.title, "why": self.contest.why}
        return {"contest": told | {"scoring_sizes": scoring_sizes(contest)}}

    def _rules(self) -> dict[str, RuleStatus]:
        """Without what a contest does not have: bytes, where its number is nats a token."""
        found = verdict(*self.tables)
        nats = self.contest is not None and self.contest.contest.score.unit == "nats per token"
        return {r: s for r, s in found.items() if not (nats and r.startswith("BYTES-"))}

    def _code_sha256(self) -> str | None:
        if self.submission is None:
            return None
        if self.submission.target and self.submission.kind is Kind.RECORD:  # a lone script
            return file_sha256(self.options.folder)
        return folder_sha256(self.options.folder, code_files(self.options.folder))

    def _files(self) -> list[str]:
        """Evidence beside the report."""
        if self.whole is not None:
            return self.whole.files(self.options.out)
        if self.examination is not None:
            return self.examination.files(self.options.out)
        names = ["main/ledger.jsonl", "main/scores.npz", "twin/ledger.jsonl", "source/ledger.jsonl"]
        return [name for name in names if (self.options.out / name).exists()]

    def _score_shown(self) -> Score | None:
        if self.whole is not None:
            return self.whole.score
        if self.examination is not None:
            return self.examination.score
        return _score_of(self.main) if self.main and self.main.complete else None

    def _setup(self, submission: Submission, artifact: Path) -> Setup:
        o = self.options
        return Setup(
            submission,
            artifact,
            self._data.tokenizer,
            o.device,
            o.seed,
            o.time_limit_s,
            o.out,
            o.observer,
            o.isolation,
            self.active,
        )

    def _opened(self) -> DataFolder:
        """What a native submission is scored on: the embedded data, where nobody chose."""
        try:
            return self.options.data or embedded_data()
        except DataError as error:
            raise HarnessError(str(error)) from error

    @property
    def _data(self) -> DataFolder:
        assert self.data is not None  # only native submissions ask, once it is opened
        return self.data

    @contextmanager
    def _phase(self, name: str) -> Iterator[None]:
        self.phase, started = name, time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = time.monotonic() - started


def _said(error: Exception) -> str:
    if isinstance(error, HarnessError):
        return f"the harness failed ({error})"
    return f"the harness itself failed ({type(error).__name__}: {error})"


def _score_of(run: Run) -> Score:
    return Score(run.nats, run.stream.n_scored, run.n_bytes)


def _with_name(folder: Path) -> str:
    """`.` and `..` name nothing to a reader."""
    return str(folder if folder.name not in ("", "..") else folder.resolve())


def _named(data: DataFolder | None) -> dict[str, str] | None:
    return {"folder": str(data.root), "hash": data.fingerprint()} if data else None
