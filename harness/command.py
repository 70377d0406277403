"""The command line of an evaluation: its options, which kind of folder uses which, and the command
that repeats an evaluation.

Guarantees: an option that the kind of folder does not use is refused, never ignored. A replay
command names every option that was given, quoted for a shell, its paths absolute, so that it runs
from any folder. Does not cover what the options mean.
"""

import argparse
import math
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from audits.catalogue import PROFILES
from audits.tool import version
from harness.errors import HarnessError
from harness.submission import NATIVE, Kind

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

SCRIPTS = (Kind.RECORD, Kind.PROGRAM)  # runs its own script, several times, on streams of ours
RECORDS = (Kind.RECORD,)


@dataclass(frozen=True)
class KindOption:
    """An option that only some kinds of folder use."""

    flag: str
    kinds: tuple[Kind, ...]
    default: Any  # where it was not given
    text: str
    parsed: Mapping[str, Any] = field(default_factory=dict)  # how argparse takes it

    @property
    def name(self) -> str:
        """Of its attribute in the parsed arguments; None there says that it was not given."""
        return self.flag.removeprefix("--").replace("-", "_")


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of at least 1")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds above 0")
    return seconds


_SWITCH = {"action": "store_const", "const": True}
_FILES = {"action": "append", "type": Path, "metavar": "FILE"}
OPTIONS = (
    KindOption(
        "--data",
        NATIVE,
        None,
        "folder of shards and tokenizer; default embedded",
        {"type": Path},
    ),
    KindOption(
        "--time-limit",
        NATIVE,
        3600.0,
        "seconds for a run on that data; default 3600",
        {"type": _seconds, "metavar": "S"},
    ),
    KindOption("--quick", SCRIPTS, False, "one run: source, order, bytes", _SWITCH),
    KindOption(
        "--all", SCRIPTS, False, "every run, also those that a proof makes needless", _SWITCH
    ),
    KindOption(
        "--jobs",
        SCRIPTS,
        1,
        "runs side by side, one core each; default 1",
        {"type": _count, "metavar": "N"},
    ),
    KindOption(
        "--budget",
        SCRIPTS,
        600.0,
        "seconds for all runs on streams of ours; default 600",
        {"type": _seconds, "metavar": "S"},
    ),
    KindOption(
        "--ranks", RECORDS, 1, "processes of a run; default 1", {"type": _count, "metavar": "N"}
    ),
    KindOption(
        "--tokenizer",
        RECORDS,
        (),
        "SentencePiece model to use where its vocabulary is the script's, may be repeated; default"
        " the folder's own, else one trained on the embedded corpus",
        _FILES,
    ),
)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m harness.evaluate",
        description="Decides whether a submission's bits per byte is the length of an honest code.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("submission", type=Path, help="the submission's folder, or a lone script")
    parser.add_argument("--out", type=Path, help="report folder (default reports/NAME-SEED)")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--seed", type=int, default=1337, help="draws probes and the source (1337)")
    parser.add_argument("--profile", choices=PROFILES, default="strict")
    parser.add_argument("--entry", metavar="FILE", help="script to read, if the folder has several")
    parser.add_argument("--no-static", action="store_true", help="do not read the code")
    group = parser.add_argument_group("options of some kinds of folder; the others refuse them")
    effort = group.add_mutually_exclusive_group()
    for option in OPTIONS:
        kinds = ", ".join(kind.name.lower() for kind in option.kinds)
        into = effort if option.name in ("quick", "all") else group
        into.add_argument(option.flag, help=f"{kinds}: {option.text}", **option.parsed)
    parser.add_argument("--version", action="version", version=f"scorefirst {version()}")
    parser.add_argument("--exit-zero", action="store_true", help="exit 0 whatever the verdict")
    return parser


PARSER = _parser()


def refuse_unused(arguments: argparse.Namespace, kind: Kind) -> None:
    """Raises HarnessError where an option was given that this kind of folder does not use."""
    used = ", ".join(option.flag for option in OPTIONS if kind in option.kinds)
    for option in OPTIONS:
        if kind not in option.kinds and getattr(arguments, option.name) is not None:
            owners = " and ".join(f"{owner.name.lower()}s" for owner in option.kinds)
            raise HarnessError(
                f"{option.flag} is an option of {owners}, and {arguments.submission} is of the kind"
                f" {kind.name.lower()}, which does not use it: leave it out (this kind has {used})"
            )


def settled(arguments: argparse.Namespace) -> argparse.Namespace:
    """The arguments, with the default of each option that was not given."""
    found = argparse.Namespace(**vars(arguments))
    for option in OPTIONS:
        if getattr(found, option.name) is None:
            setattr(found, option.name, option.default)
    return found


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
