"""The command line of an evaluation: words in, a Request out.

Does not cover which values and combinations make sense: the Request says that.
"""

import argparse

from audits.tool import NAME, version
from harness.request import ANY, OPTIONS, Request, path

PROG = f"{NAME} evaluate"
EPILOG = """\
examples:
  {prog} my_submission --data data/fineweb10B_sp1024 --device cuda
  {prog} my_submission --no-static --seed 7 --out /tmp/report
  {prog} records/2026-03-23_LeakyReLU --jobs 4
  {prog} train_gpt.py --quick
  {prog} records/2026-03-23_LeakyReLU --full --data data/fineweb10B_sp1024 --device cuda

exit codes: 0 clean, 1 violation, 2 the tool or its use failed, 3 review, 4 unrunnable, 130 and 143
interrupted by SIGINT and SIGTERM, with a report of what was known by then
(--exit-zero: 0 whenever a verdict was reached)
"""


def parser(prog: str = PROG) -> argparse.ArgumentParser:
    """Options that were not given are None in what it returns."""
    made = argparse.ArgumentParser(
        prog=prog,
        description="Decides whether a submission's bits per byte is the length of an honest code.",
        epilog=EPILOG.format(prog=prog),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("submission", type=path, help="the submission's folder, or a lone script")
    group = made.add_argument_group("options of some kinds of folder; the others refuse them")
    for option in OPTIONS:
        kinds = ", ".join(kind.name.lower() for kind in option.kinds)
        into, of = (made, "") if option.kinds is ANY else (group, f"{kinds}: ")
        into.add_argument(option.flag, dest=option.name, help=f"{of}{option.text}", **option.parsed)
    made.add_argument("--version", action="version", version=f"{NAME} {version()}")
    made.add_argument("--exit-zero", action="store_true", help="exit 0 whatever the verdict")
    return made


def request_of(arguments: argparse.Namespace) -> Request:
    """What was asked for."""
    given = {option.name: getattr(arguments, option.name) for option in OPTIONS}
    for name in ("tokenizers", "told"):
        if given[name] is not None:
            given[name] = tuple(given[name])
    return Request(arguments.submission, **given)
