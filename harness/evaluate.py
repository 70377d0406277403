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

from audits.catalogue import PROFILES
from harness.artifacts import CACHE
from harness.errors import HarnessError
from harness.evaluation import Evaluation, Options
from harness.examination import Request
from harness.experiments.plan import Effort
from harness.report.markdown import render_markdown
from harness.report.terminal import render_terminal
from harness.verdict.decide import EXIT_CODES, Verdict
from reference_model.data.corpus import embedded_data
from reference_model.data.errors import DataError
from reference_model.data.folder import DataFolder

EPILOG = """\
examples:
  python -m harness.evaluate submissions/legal/score_first_ttt
  python -m harness.evaluate my_submission --data data/fineweb10B_sp1024 --device cuda
  python -m harness.evaluate my_submission --no-static --seed 7 --out /tmp/report
  python -m harness.evaluate records/2026-03-23_LeakyReLU --jobs 2
  python -m harness.evaluate train_gpt.py --quick

exit codes: 0 clean, 1 violation, 2 the tool or its use failed, 3 review, 4 unrunnable
(--exit-zero: 0 whenever a verdict was reached)
"""

EXIT_TOOL_FAILED = 2


def main(argv: list[str] | None = None) -> int:
    """Runs the command; returns the exit code."""
    arguments = _parser().parse_args(argv)
    try:
        verdict = _evaluate(arguments, sys.argv[1:] if argv is None else argv)
    except (HarnessError, DataError, OSError) as error:
        print(f"scorefirst: {error}", file=sys.stderr)
        return EXIT_TOOL_FAILED
    except Exception:  # noqa: BLE001 - exit 1 means VIOLATION; a bug of ours must never read as one
        traceback.print_exc()
        print("scorefirst: the harness itself failed; nothing was judged", file=sys.stderr)
        return EXIT_TOOL_FAILED
    return 0 if arguments.exit_zero else EXIT_CODES[verdict]


def _evaluate(arguments: argparse.Namespace, argv: list[str]) -> Verdict:
    if arguments.device == "cuda" and not torch.cuda.is_available():
        raise HarnessError("--device cuda: torch sees no CUDA device; leave the option out for CPU")
    data = (
        DataFolder.open(arguments.data)
        if arguments.data
        else embedded_data(CACHE / "data" / "embedded")
    )
    out = arguments.out or Path("reports") / f"{_slug(arguments.submission)}-{arguments.seed}"
    out.mkdir(parents=True, exist_ok=True)
    options = Options(
        folder=arguments.submission,
        out=out,
        data=data,
        device=arguments.device,
        seed=arguments.seed,
        profile=arguments.profile,
        static=not arguments.no_static,
        entry=arguments.entry,
        time_limit_s=arguments.time_limit,
        progress=_progress,
        drive=_drive_request(arguments, out),
    )
    report = Evaluation(options).run()
    path = report.write(out)
    as_json = report.as_json()
    replay = f"python -m harness.evaluate {' '.join(argv)}"
    (out / "report.md").write_text(render_markdown(as_json, replay), encoding="utf-8")
    print(render_terminal(as_json))
    print(f"report.md, report.json and the ledgers are in\n{path.parent}")
    return report.verdict


def _drive_request(arguments: argparse.Namespace, out: Path) -> Request:
    effort = Effort.QUICK if arguments.quick else Effort.ALL if arguments.all else Effort.DEFAULT
    return Request(
        path=arguments.submission,
        out=out / "runs",
        seed=arguments.seed,
        effort=effort,
        entry=arguments.entry,
        device=arguments.device,
        ranks=arguments.ranks,
        jobs=arguments.jobs,
        time_limit_s=arguments.budget,
        tokenizers=tuple(arguments.tokenizer),
    )


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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m harness.evaluate",
        description="Decides whether a submission's bits per byte is the length of an honest code.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("submission", type=Path, help="the submission's folder, or a lone script")
    parser.add_argument("--out", type=Path, help="report folder (default reports/NAME-SEED)")
    parser.add_argument(
        "--data", type=Path, help="folder of shards with a tokenizer (default embedded)"
    )
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--seed", type=int, default=1337, help="draws probes and the source (1337)")
    parser.add_argument("--profile", choices=PROFILES, default="strict")
    parser.add_argument("--entry", metavar="FILE", help="script to read, if the folder has several")
    parser.add_argument("--no-static", action="store_true", help="do not read the code")
    parser.add_argument(
        "--time-limit", type=float, default=3600.0, metavar="S", help="seconds per run (3600)"
    )
    driven = parser.add_argument_group("unmodified record folders")
    effort = driven.add_mutually_exclusive_group()
    effort.add_argument("--quick", action="store_true", help="one run: source, order, bytes")
    effort.add_argument("--all", action="store_true", help="every run, also after a proof")
    driven.add_argument("--ranks", type=int, default=1, metavar="N", help="processes of a run (1)")
    driven.add_argument(
        "--jobs", type=int, default=1, metavar="N", help="runs side by side, one core each (1)"
    )
    driven.add_argument(
        "--budget", type=float, default=600.0, metavar="S", help="seconds for all runs (600)"
    )
    driven.add_argument(
        "--tokenizer",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="SentencePiece model to use where its vocabulary is the script's; may be repeated"
        " (default: the folder's own, else one trained on the embedded corpus)",
    )
    parser.add_argument("--exit-zero", action="store_true", help="exit 0 whatever the verdict")
    return parser


if __name__ == "__main__":
    sys.exit(main())
