"""What a caller asks of an evaluation: its options, which kind of folder uses which, what is no
possible value, and the command that repeats it.

Guarantees: an option that the kind of folder does not use, a value that no run can have and a
combination without meaning are refused with UsageError before anything runs; a replay command
names every option whose default was changed, quoted for a shell, its paths absolute, so that it
runs from any folder. Does not cover what the options mean.
"""

import math
import os
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from audits.catalogue import PROFILES
from audits.contests import ContestError, load_contest
from audits.tool import NAME
from harness.errors import SubmissionError, UsageError
from harness.own_seed import SEEDS, own_seed
from harness.protocol.confinement import IsolationAsked
from harness.submission import NATIVE, Kind, read_submission

ANY = tuple(Kind)
SCRIPTS = (Kind.RECORD, Kind.PROGRAM)  # runs its own script, several times, on streams of ours
RECORDS = (Kind.RECORD,)


def _count(value: Any) -> str | None:
    return None if isinstance(value, int) and value >= 1 else "no whole number of at least 1"


def _seconds(value: Any) -> str | None:
    well = isinstance(value, int | float) and 0 < value < math.inf
    return None if well else "no number of seconds above 0"


def _seed(value: Any) -> str | None:
    well = isinstance(value, int) and 0 <= value < SEEDS
    return None if well else f"no whole number from 0 to {SEEDS - 1}"


def _files(value: Any) -> str | None:
    missing = [str(path) for path in value if not path.is_file()]
    return f"not there: no file {', '.join(missing)}" if missing else None


def _file(value: Any) -> str | None:
    return None if value.is_file() else "no such file"


def _settings(value: Any) -> str | None:
    wrong = [text for text in value if not re.fullmatch(r"[A-Za-z_]\w*=.*", text)]
    return f"{wrong[0]} is no NAME=VALUE" if wrong else None


def path(text: str | os.PathLike[str]) -> Path:
    """What was given for one. Raises UsageError for an empty text, which `Path` takes for `.`."""
    if not os.fspath(text):
        raise UsageError("an empty path names nothing: give a file or folder (`.` for this one)")
    return Path(text)


def _folder(value: Any) -> str | None:
    return None if value.is_dir() or not value.exists() else "no folder but a file"


@dataclass(frozen=True)
class Option:
    """One option of an evaluation."""

    flag: str
    name: str  # of its attribute in a Request
    kinds: tuple[Kind, ...]  # of folders that use it
    default: Any  # where it was not given
    text: str
    parsed: Mapping[str, Any] = field(default_factory=dict)  # how argparse takes it
    check: Callable[[Any], str | None] = lambda value: None  # what is wrong with a value

    def complaint(self, value: Any) -> str | None:
        """On a value that no run can have."""
        choices = self.parsed.get("choices", (value,))
        return self.check(value) if value in choices else f"none of {', '.join(choices)}"


_SWITCH = {"action": "store_const", "const": True}
_PATHS = {"action": "append", "type": path, "metavar": "FILE"}
_NUMBER = {"type": int, "metavar": "N"}
_WALL = {"type": float, "metavar": "S"}
USUAL_JOBS = 2
OPTIONS = (
    Option(
        "--out", "out", ANY, None, "report folder (default reports/NAME-SEED)",
        {"type": path}, _folder,
    ),
    Option(
        "--device", "device", ANY, "cpu", "where it runs; default cpu",
        {"choices": ("cpu", "cuda")},
    ),
    Option(
        "--isolation", "isolation", ANY, "whole",
        "what must be active before anything of the submission starts: whole (default), partial"
        " (what this machine allows) or none (limits alone); nothing is CLEAN but with whole",
        {"choices": tuple(IsolationAsked)},
    ),
    Option(
        "--seed", "seed", ANY, None,
        "draws probes and the source; default: one that no submission can know, the same again for"
        " the same files and user (the report names it)",
        _NUMBER, _seed,
    ),
    Option(
        "--profile", "profile", ANY, "strict", "of severities; default strict",
        {"choices": PROFILES},
    ),
    Option("--no-static", "no_static", ANY, False, "do not read the code", _SWITCH),
    Option(
        "--entry", "entry", RECORDS, None, "script to read and run, if the folder has several",
        {"metavar": "FILE"},
    ),
    Option(
        "--contest", "contest", RECORDS, None,
        "whose rules, evaluator and data they are: a name or a TOML file; default recognised",
        {"metavar": "NAME|FILE"},
    ),
    Option(
        "--data", "data", NATIVE, None, "folder of shards and tokenizer; default embedded; of an"
        " upstream folder, with --full",
        {"type": path},
    ),
    Option(
        "--time-limit", "time_limit_s", NATIVE, 3600.0,
        "seconds for a run on that data; default 3600; of an upstream folder, with --full",
        _WALL, _seconds,
    ),
    Option(
        "--quick", "quick", SCRIPTS, False,
        "the base run alone, behind a program's run on text: source, order, bytes", _SWITCH,
    ),
    Option(
        "--all", "all", SCRIPTS, False, "every run, also those that a proof makes needless",
        _SWITCH,
    ),
    Option(
        "--jobs", "jobs", SCRIPTS, None,
        "runs side by side, one core each; default 2 where a CPU has two", _NUMBER, _count,
    ),
    Option(
        "--budget", "budget_s", SCRIPTS, 600.0,
        "seconds for all runs on streams of ours; default 600", _WALL, _seconds,
    ),
    Option("--ranks", "ranks", RECORDS, 1, "processes of a run; default 1", _NUMBER, _count),
    Option(
        "--tokenizer", "tokenizers", RECORDS, (),
        "SentencePiece model to use where its vocabulary is the script's, may be repeated; default"
        " the folder's own, else one trained on the embedded corpus",
        _PATHS, _files,
    ),
    Option(
        "--full", "full", SCRIPTS, False,
        "the script as it is on the data, witnessed to a certificate that `verify` works out again",
        _SWITCH,
    ),
    Option(
        "--artifact", "artifact", RECORDS, None, "with --full: a file that lies beside the script",
        {"type": path, "metavar": "FILE"}, _file,
    ),
    Option(
        "--eval-only", "eval_only", RECORDS, False,
        "with --full and --artifact: its evaluation alone, where it reads a switch for that",
        _SWITCH,
    ),
    Option(
        "--documents", "documents", SCRIPTS, None,
        "with --full: the validation's text, JSON lines or plain; its bytes are the denominator",
        {"type": path, "metavar": "FILE"}, _file,
    ),
    Option(
        "--set", "told", RECORDS, (), "with --full: a variable that the script reads, may be"
        " repeated; the certificate names it",
        {"action": "append", "metavar": "NAME=VALUE"}, _settings,
    ),
)  # fmt: skip
OF_FULL = ("artifact", "eval_only", "documents", "told")
AT_FULL = ("data", "time_limit_s")  # of a record, with --full alone
NOT_FULL = ("quick", "all", "jobs", "budget_s", "tokenizers")


@dataclass(frozen=True)
class Request:
    """One evaluation as it was asked for. None: it was not said."""

    submission: Path  # a folder, or a lone script
    out: Path | None = None
    device: str | None = None
    isolation: str | None = None
    seed: int | None = None
    profile: str | None = None
    no_static: bool | None = None
    entry: str | None = None
    contest: str | None = None
    data: Path | None = None
    time_limit_s: float | None = None
    quick: bool | None = None
    all: bool | None = None
    jobs: int | None = None
    budget_s: float | None = None
    ranks: int | None = None
    tokenizers: tuple[Path, ...] | None = None
    full: bool | None = None
    artifact: Path | None = None
    eval_only: bool | None = None
    documents: Path | None = None
    told: tuple[str, ...] | None = None

    def check(self) -> Kind | None:
        """What kind of folder it is about; None where that cannot be read, which is for a report.

        Raises UsageError where no evaluation could be like that.
        """
        self._refuse_impossible()
        try:
            kind = read_submission(self.submission).kind
        except SubmissionError:
            return None
        self.refuse_unused(kind)
        return kind

    def _refuse_impossible(self) -> None:
        path = self.submission
        if not path.exists():
            raise UsageError(
                f"{path}: no such file or folder; give a submission's folder, or a lone script"
            )
        if path.is_file() and path.suffix != ".py":
            raise UsageError(f"{path}: no Python script; give a submission's folder, or its script")
        for option in OPTIONS:
            value = getattr(self, option.name)
            complaint = None if value is None else option.complaint(value)
            if complaint:
                raise UsageError(f"{option.flag} {_said(value)}: {complaint}")
        self._refuse_combinations()
        if self.contest is not None:
            self._refuse_contest(self.contest)

    def _refuse_combinations(self) -> None:
        if self.quick and self.all:
            raise UsageError(
                "--quick is the base run and --all is every run: leave one of them out"
            )
        if self.quick and (self.jobs or 1) > 1:
            raise UsageError(
                f"--quick runs nothing side by side, and --jobs {self.jobs} does: leave one of them"
                " out"
            )
        self._refuse_around_full()
        if self.entry is None:
            return
        folder = self.submission
        if folder.is_file() and self.entry != folder.name:
            raise UsageError(
                f"--entry {self.entry}: {folder} is a lone script and the only one that is read;"
                " leave --entry out, or give the folder"
            )
        if folder.is_dir() and not (folder / self.entry).is_file():
            raise UsageError(f"--entry {self.entry}: {folder} has no such file")

    def _refuse_around_full(self) -> None:
        flags = {option.name: option.flag for option in OPTIONS}
        for name in OF_FULL if not self.full else NOT_FULL:
            if getattr(self, name) is not None:
                why = "has none of the small runs it is for" if self.full else "is needed for it"
                raise UsageError(f"{flags[name]}: --full {why}")
        if self.full and self.data is None:
            raise UsageError("--full runs on your data: name their folder with --data DIR")
        if self.eval_only and self.artifact is None:
            raise UsageError("--eval-only evaluates an artifact: name it with --artifact FILE")

    @staticmethod
    def _refuse_contest(named: str) -> None:
        try:
            load_contest(named)
        except ContestError as error:
            raise UsageError(f"--contest {error}") from error

    def refuse_unused(self, kind: Kind) -> None:
        """Raises UsageError where an option was given that this kind of folder does not use."""
        used = ", ".join(o.flag for o in OPTIONS if o.kinds is not ANY and kind in o.kinds)
        for option in OPTIONS:
            at_full = self.full and kind in RECORDS and option.name in AT_FULL
            if kind not in option.kinds and not at_full and getattr(self, option.name) is not None:
                owners = " and ".join(f"{owner.name.lower()}s" for owner in option.kinds)
                raise UsageError(
                    f"{option.flag} is an option of {owners}, and {self.submission} is of the kind"
                    f" {kind.name.lower()}, which does not use it: leave it out"
                    f" (this kind has {used})"
                )

    def settled(self) -> "Settled":
        """With the default of each option that was not given."""
        values = {option.name: getattr(self, option.name) for option in OPTIONS}
        defaults = {option.name: option.default for option in OPTIONS}
        said = {name: value for name, value in values.items() if value is not None}
        defaults["jobs"] = self._usual_jobs(said)
        if "seed" not in said:
            defaults["seed"] = own_seed(self.submission)
        return Settled(self.submission, **defaults | said)

    @staticmethod
    def _usual_jobs(said: Mapping[str, Any]) -> int:
        """Runs of several processes, or on a GPU, have the machine for themselves."""
        alone = said.get("device") == "cuda" or said.get("ranks", 1) > 1 or said.get("full", False)
        return 1 if alone else min(USUAL_JOBS, os.cpu_count() or 1)


@dataclass(frozen=True)
class Settled:
    """A request in which every option has a value. None: there is no such thing."""

    submission: Path
    out: Path | None
    device: str
    isolation: str
    seed: int
    profile: str
    no_static: bool
    entry: str | None
    contest: str | None
    data: Path | None
    time_limit_s: float
    quick: bool
    all: bool
    jobs: int
    budget_s: float
    ranks: int
    tokenizers: tuple[Path, ...]
    full: bool
    artifact: Path | None
    eval_only: bool
    documents: Path | None
    told: tuple[str, ...]


def replay_command(request: Request) -> str:
    """The same evaluation again, for any folder and a machine that has scorefirst installed."""
    words = [NAME, "evaluate", _absolute(request.submission)]
    for option in OPTIONS:
        value = getattr(request, option.name)
        if value is None or value == option.default:
            continue
        for one in value if isinstance(value, tuple) else (value,):
            words += [option.flag] if one is True else _said_to(option.flag, _absolute(one))
    return " ".join(map(_quoted, words))


def _said_to(flag: str, value: str) -> list[str]:
    """A value that looks like an option has to stand in one word with its own."""
    return [f"{flag}={value}"] if value.startswith("-") else [flag, value]


def _quoted(word: str) -> str:
    """For a shell, on one line and visible: characters that cannot be shown as their bytes."""
    if word.isprintable():
        return shlex.quote(word)
    escaped = word.replace("\\", "\\\\").replace("'", "\\'")
    return f"$'{''.join(c if c.isprintable() else _as_bytes(c) for c in escaped)}'"


def _as_bytes(character: str) -> str:
    return "".join(f"\\{byte:03o}" for byte in os.fsencode(character))


def _absolute(value: object) -> str:
    return str(value.absolute() if isinstance(value, Path) else value)


def _said(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
