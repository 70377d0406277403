"""The command line of an evaluation: its options, and the command that repeats one.

Guarantees: a replay command names every option that was given, quoted for a shell, its paths
absolute, so that it runs from any folder. Does not cover what the options mean.
"""

import argparse
import shlex
from pathlib import Path

from audits.catalogue import PROFILES
from audits.tool import version

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
    parser.add_argument("--version", action="version", version=f"scorefirst {version()}")
    parser.add_argument("--exit-zero", action="store_true", help="exit 0 whatever the verdict")
    return parser


PARSER = _parser()


def replay_command(arguments: argparse.Namespace) -> str:
    """The same evaluation again, for any folder and a Python that has scorefirst installed."""
    words = ["python", "-m", "harness.evaluate", _absolute(arguments.submission)]
    for name, value in vars(arguments).items():
        if name == "submission" or value == PARSER.get_default(name):
            continue
        flag = f"--{name.replace('_', '-')}"
        values = value if isinstance(value, list) else [value]
        for one in values:
            words += [flag] if one is True else [flag, _absolute(one)]
    return shlex.join(words)


def _absolute(value: object) -> str:
    return str(value.absolute() if isinstance(value, Path) else value)
