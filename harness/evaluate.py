"""python -m harness.evaluate: a submission folder in, a verdict with evidence out.

Exit codes: 0 clean, 1 violation, 2 the tool or its use failed, 3 review, 4 unrunnable.
"""

import argparse
import re
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from harness.artifacts import CACHE
from harness.command import PARSER, refuse_unused, replay_command, settled
from harness.errors import HarnessError, SubmissionError
from harness.evaluation import Evaluation
from harness.experiments.plan import Effort
from harness.options import Options
from harness.report.markdown import render_markdown
from harness.report.terminal import render_terminal
from harness.submission import NATIVE, Kind, read_submission
from harness.verdict.decide import EXIT_CODES, Verdict
from reference_model.data.corpus import embedded_data
from reference_model.data.errors import DataError
from reference_model.data.folder import DataFolder

EXIT_TOOL_FAILED = 2


def main(argv: list[str] | None = None) -> int:
    """Runs the command; returns the exit code."""
    arguments = PARSER.parse_args(argv)
    try:
        verdict = _evaluate(arguments)
    except (HarnessError, DataError, OSError) as error:
        print(f"scorefirst: {error}", file=sys.stderr)
        return EXIT_TOOL_FAILED
    except Exception:  # noqa: BLE001 - exit 1 means VIOLATION; a bug of ours must never read as one
        traceback.print_exc()
        print("scorefirst: the harness itself failed; nothing was judged", file=sys.stderr)
        return EXIT_TOOL_FAILED
    return 0 if arguments.exit_zero else EXIT_CODES[verdict]


def _evaluate(arguments: argparse.Namespace) -> Verdict:
    if arguments.device == "cuda" and not torch.cuda.is_available():
        raise HarnessError("--device cuda: torch sees no CUDA device; leave the option out for CPU")
    kind = _kind(arguments.submission)
    if kind is not None:
        refuse_unused(arguments, kind)
    replay = replay_command(arguments)
    arguments = settled(arguments)
    out = arguments.out or Path("reports") / f"{_slug(arguments.submission)}-{arguments.seed}"
    out.mkdir(parents=True, exist_ok=True)
    options = Options(
        folder=arguments.submission,
        out=out,
        seed=arguments.seed,
        device=arguments.device,
        profile=arguments.profile,
        static=not arguments.no_static,
        entry=arguments.entry,
        progress=_progress,
        data=_data(arguments.data) if kind in NATIVE else None,
        time_limit_s=arguments.time_limit,
        effort=_effort(arguments),
        budget_s=arguments.budget,
        jobs=arguments.jobs,
        ranks=arguments.ranks,
        tokenizers=tuple(arguments.tokenizer),
    )
    report = Evaluation(options).run()
    path = report.write(out)
    as_json = report.as_json()
    (out / "report.md").write_text(render_markdown(as_json, replay), encoding="utf-8")
    print(render_terminal(as_json))
    print(f"report.md, report.json and the ledgers are in\n{path.parent}")
    return report.verdict


def _kind(folder: Path) -> Kind | None:
    """None where it cannot be read: the report says why."""
    try:
        return read_submission(folder).kind
    except SubmissionError:
        return None


def _data(folder: Path | None) -> DataFolder:
    return DataFolder.open(folder) if folder else embedded_data(CACHE / "data" / "embedded")


def _effort(arguments: argparse.Namespace) -> Effort:
    return Effort.QUICK if arguments.quick else Effort.ALL if arguments.all else Effort.DEFAULT


def _progress(phase: str, total: int) -> Callable[[int], None]:
    """A bar on the terminal; in a log, a line each half minute at most."""
    bar: Any = tqdm(
        total=total,
        desc=f"{phase:>12}",
        unit="tok",
        file=sys.stderr,
        mininterval=0.5 if sys.stderr.isatty() else 30.0,
    )

    def advance(n: int) -> None:
        bar.update(n)
        if bar.n >= total:
            bar.close()

    return advance


def _slug(folder: Path) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", folder.resolve().name) or "submission"


if __name__ == "__main__":
    sys.exit(main())
