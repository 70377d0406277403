"""scorefirst: one name for every command of the project.

Guarantees: the words behind a command's name reach it as they were typed, and its exit code is
returned; its help shows the name that it was called by. Nothing is imported before it is known
which command it is.
"""

import argparse
import importlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from audits.interruption import as_python_does, ends_at_once
from audits.tool import NAME, version

EPILOG = """\
examples:
  scorefirst evaluate records/2026-03-23_LeakyReLU --jobs 4   run it, and judge what it did
  scorefirst scan records/2026-03-23_LeakyReLU                read it; nothing is run
  scorefirst rules ORDER-2                                    what a rule says, with cases
  scorefirst COMMAND --help                                   options and exit codes
"""


@dataclass(frozen=True)
class Command:
    """One command; its module has `main(argv, prog)`."""

    module: str
    text: str


COMMANDS = {
    "evaluate": Command("harness.commands.evaluate", "run a submission and judge what it did"),
    "scan": Command("audits.scan", "read submissions and report what breaks the rules"),
    "claims": Command("harness.commands.claims", "do a folder's own numbers agree?"),
    "corpus": Command("audits.corpus.__main__", "scan every submission of a repository"),
    "doctor": Command(
        "harness.commands.doctor", "try hostile scripts on this machine, and say what holds"
    ),
    "guard": Command("harness.commands.guard", "may this commit be kept? one line and an object"),
    "gains": Command("harness.commands.gains", "is a loop's gain more than noise?"),
    "rules": Command("harness.commands.rules", "list the rules, or explain one"),
    "replay": Command("harness.commands.replay", "run the counterexample of a report again"),
    "verify": Command("harness.commands.verify", "check a report's evidence; nothing is run"),
    "gallery": Command("harness.commands.gallery", "show that known attacks are caught"),
    "train": Command("reference_model.train", "train the reference model"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command that is named first; returns its exit code."""
    given = list(sys.argv[1:] if argv is None else argv)
    with ends_at_once():
        chosen = _parser().parse_args(given[:1]).command
        command = importlib.import_module(COMMANDS[chosen].module)
    if argv is None:
        as_python_does()  # the commands that end otherwise say so
    code = command.main(given[1:], prog=f"{NAME} {chosen}")
    assert isinstance(code, int)
    return code


def _parser() -> argparse.ArgumentParser:
    listed = "\n".join(f"  {name:<10}{command.text}" for name, command in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog=NAME,
        usage=f"{NAME} [--version] [--help] COMMAND ...",
        description="Decides, with evidence, whether a submission's bits per byte is honest."
        f"\n\ncommands:\n{listed}",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"{NAME} {version()}")
    parser.add_argument("command", choices=COMMANDS, metavar="COMMAND", help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    sys.exit(main())
