"""From a request to a written report: what `from harness import evaluate, scan` and the command
run.

Guarantees: wrong use raises UsageError before anything runs, and never SystemExit; a submission
that cannot be run is a report with the verdict UNRUNNABLE, not an exception; one that is killed has
left a report that says so. Nothing is printed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path

import torch

from harness.errors import UsageError
from harness.evaluation import Evaluation
from harness.experiments.plan import Effort
from harness.interrupts import Interrupted, held_back
from harness.observer import Observer
from harness.options import Options
from harness.protocol.confinement import IsolationAsked
from harness.report.markdown import render_markdown
from harness.report.model import Report
from harness.report_folder import REPORTS, ReportFolder
from harness.request import Request, Settled, replay_command
from harness.request import path as given_path
from harness.verdict.decide import Verdict
from reference_model.data.cache import cache_folder
from reference_model.data.errors import DataError
from reference_model.data.folder import DataFolder
from reference_model.data.tokenizer import load_tokenizer


@dataclass(frozen=True)
class Done:
    """What an evaluation left."""

    report: Report
    interrupted: Interrupted | None  # by a signal, where the caller turns signals into that
    broken: Exception | None  # an error of ours, half-way


def evaluate(
    path: str | PathLike[str],
    *,
    profile: str = "strict",
    seed: int | None = None,
    out: str | PathLike[str] | None = None,
    device: str = "cpu",
    isolation: str = "whole",
    static: bool = True,
    entry: str | None = None,
    contest: str | None = None,
    data: str | PathLike[str] | None = None,
    time_limit_s: float | None = None,
    quick: bool | None = None,
    all: bool | None = None,
    jobs: int | None = None,
    budget_s: float | None = None,
    ranks: int | None = None,
    tokenizers: Sequence[str | PathLike[str]] | None = None,
    full: bool | None = None,
    artifact: str | PathLike[str] | None = None,
    eval_only: bool | None = None,
    documents: str | PathLike[str] | None = None,
    told: Mapping[str, str] | None = None,
    observer: Observer | None = None,
) -> Report:
    """Evaluates a submission's folder or lone script and writes the report folder: `out`, or the
    one of `reports/` that the command would choose.

    The keywords are the options of `scorefirst evaluate` by the same names but for five: `budget_s`
    is --budget, `time_limit_s` --time-limit, `tokenizers` every --tokenizer, `told` every --set,
    and `static=False` --no-static. What the kind of folder does not use must be left out. Raises
    UsageError for wrong use, HarnessError where we failed; a submission that fails is a report,
    UNRUNNABLE. Where we broke down half-way, the report is written all the same, and the error
    raised behind it, but where a violation was proved: that is given.
    """
    request = Request(
        submission=given_path(path),
        out=None if out is None else given_path(out),
        device=device,
        isolation=isolation,
        seed=seed,
        profile=profile,
        no_static=None if static else True,
        entry=entry,
        contest=contest,
        data=None if data is None else given_path(data),
        time_limit_s=time_limit_s,
        quick=quick or None,
        all=all or None,
        jobs=jobs,
        budget_s=budget_s,
        ranks=ranks,
        tokenizers=None if tokenizers is None else tuple(map(given_path, tokenizers)),
        full=full or None,
        artifact=None if artifact is None else given_path(artifact),
        eval_only=eval_only or None,
        documents=None if documents is None else given_path(documents),
        told=None if told is None else tuple(f"{name}={text}" for name, text in told.items()),
    )
    request.check()
    chosen = request.settled()
    with ReportFolder.chosen(chosen.out, chosen.submission, request.seed) as folder:
        done = carry_out(request, observer or Observer(), folder.path)
    if done.broken is not None and done.report.verdict is not Verdict.VIOLATION:
        raise done.broken
    return done.report


def carry_out(request: Request, observer: Observer, out: Path) -> Done:
    """The evaluation of a request that was checked, into a folder that the caller holds."""
    chosen = request.settled()
    request = replace(request, seed=chosen.seed)
    if chosen.device == "cuda" and not torch.cuda.is_available():
        raise UsageError("--device cuda: torch sees no CUDA device; leave the option out for CPU")
    data = _data(chosen)
    evaluation = Evaluation(_options(chosen, out, data, replay_command(request), observer))
    _write(evaluation.unfinished(), out)
    try:
        report = evaluation.run()
    except BaseException:  # wrong use: there is nothing to report on
        for name in REPORTS:
            (out / name).unlink(missing_ok=True)
        raise
    _write(report, out)
    return Done(report, evaluation.interrupted, evaluation.broken)


def _write(report: Report, out: Path) -> None:
    """For programs and for people; the second says that both are there."""
    with held_back():
        report.write(out)
        page = render_markdown(report.to_json())
        (out / "report.md").write_text(page, encoding="utf-8", errors="backslashreplace")


def _options(
    chosen: Settled, out: Path, data: DataFolder | None, replay: str, observer: Observer
) -> Options:
    return Options(
        folder=chosen.submission,
        out=out,
        replay=replay,
        seed=chosen.seed,
        device=chosen.device,
        isolation=IsolationAsked(chosen.isolation),
        profile=chosen.profile,
        static=not chosen.no_static,
        entry=chosen.entry,
        contest=chosen.contest,
        observer=observer,
        data=data,
        time_limit_s=chosen.time_limit_s,
        effort=Effort.QUICK if chosen.quick else Effort.ALL if chosen.all else Effort.DEFAULT,
        budget_s=chosen.budget_s,
        jobs=chosen.jobs,
        ranks=chosen.ranks,
        tokenizers=chosen.tokenizers,
        full=chosen.full,
        artifact=chosen.artifact,
        eval_only=chosen.eval_only,
        documents=chosen.documents,
        told=dict(text.split("=", 1) for text in chosen.told),
    )


def _data(chosen: Settled) -> DataFolder | None:
    """What the caller chose to score a native submission on; what cannot be read is wrong use."""
    folder = chosen.data
    try:
        for path in chosen.tokenizers:
            load_tokenizer(path)
        cache_folder()  # one that cannot be made is the caller's to mend, whatever is built there
        return DataFolder.open(folder) if folder else None
    except DataError as error:
        raise UsageError(str(error)) from error
