"""What a contest is, as data: which file gives the score, what may not change, where data lies, and
which sizes a small run may take.

Guarantees: everything is frozen, and was checked against `audits/schemas/contest.schema.json` when
it was read. Does not cover: how a small run is made of it (`harness/configure/contest_script.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Family(StrEnum):
    """How the number that counts comes about: what an adapter has to know, all else being data."""

    FUNCTION = "function"  # a function in a frozen file is given the model
    INLINE = "inline"  # a loop at the end of the editable file
    OWN = "own"  # each script brings its own evaluation


class SizeRole(StrEnum):
    """What a size that a small run changes is a size of."""

    MODEL = "model"
    SCHEDULE = "schedule"
    SCORING = "scoring"  # the number of the small run is of fewer tokens: the verdict says so


class Where(StrEnum):
    """Where a size stands."""

    CONSTANT = "constant"  # a number that the code of a file names
    OPTION = "option"  # of the command line


@dataclass(frozen=True, slots=True)
class Frozen:
    """A file that no submission may change."""

    path: str  # relative to the folder
    sha256: tuple[str, ...]  # of the versions that are the contest's own; none: any content


@dataclass(frozen=True, slots=True)
class Files:
    """The files of a submission."""

    entry: str
    arguments: tuple[str, ...]  # of the entry, before those that a small run adds
    editable: tuple[str, ...]
    frozen: tuple[Frozen, ...]
    layout: tuple[str, ...]  # where all of them are there, it is this contest
    mark: str  # words of the entry without which it is not; may be empty


@dataclass(frozen=True, slots=True)
class Size:
    """A number that a small run exchanges, where the file has it."""

    where: Where
    file: str  # of a constant; of an option: empty
    name: str
    role: SizeRole
    value: str  # a whole number, or a product of names of `SYMBOLS` and numbers


SYMBOLS = ("rows", "batch", "length", "steps", "vocabulary")


@dataclass(frozen=True, slots=True)
class Rows:
    """What a small run scores."""

    rows: int  # of the validation stream
    batch: int  # rows that are scored in one call
    length: int  # targets of a row
    real: int  # those of a row that the contest scores, where no constant says it; 0: as many
    length_file: str  # where the constant stands that says it; may be empty
    length_name: str
    steps: int  # of the training


@dataclass(frozen=True, slots=True)
class Data:
    """The shards that the script opens."""

    kind: str  # parquet-text or bin-uint16
    folder: str  # "~" is the home of the run
    train: tuple[str, ...]  # file names
    validation: str
    column: str


@dataclass(frozen=True, slots=True)
class TokenizerFiles:
    """The tokenizer that the script loads."""

    kind: str  # tiktoken-pickle or gpt2
    file: str
    table: str  # bytes of each token, a torch tensor
    digest: str  # a file with the SHA-256 of the tokenizer, which one fork reads; may be empty
    specials: tuple[str, ...]  # the first opens each document


@dataclass(frozen=True, slots=True)
class Score:
    """The number that counts."""

    unit: str  # bits per byte or nats per token
    function: str  # "prepare:evaluate_bpb"; empty where there is none
    uncounted: str  # a sentence: what the contest's rule leaves out, which is no finding
    between_rows: str  # forbid, score-first or allow
    printed: str  # a regular expression of the line; group 1 is the number
    which: str  # first, last or least of several
    target: float  # that has to be reached, in a race to it; 0 where less is simply better


@dataclass(frozen=True, slots=True)
class Limits:
    """What a run may take; 0 where the contest says nothing."""

    train_s: float
    eval_s: float
    artifact_bytes: int
    clock: str  # self or outside
    free_steps: int


@dataclass(frozen=True, slots=True)
class Significance:
    """How a gain is shown to be real."""

    rule: str  # none, z or t
    sigma: float
    p: float
    margin: float  # nats by which a record has to be better
    results: str  # a file with every try; may be empty


@dataclass(frozen=True, slots=True)
class KnownText:
    """A validation set whose size is known."""

    n_bytes: int
    tokens: int  # where this many are scored; 0: whatever the tokenizer
    documents: int  # 0: not known


@dataclass(frozen=True, slots=True)
class Suspect:
    """Numbers of a log that together were seen where something was wrong."""

    rule: str
    numbers: Mapping[str, float]
    why: str


@dataclass(frozen=True, slots=True)
class PaperClaims:
    """What a folder of the contest has to say of its runs, and how its logs say it."""

    required: tuple[str, ...]  # patterns of files; `|` between such as will do
    texts: tuple[KnownText, ...]  # none: no denominator is claimed against
    ranks: int  # of the contest's machine; 0: not said
    limited: str  # a regular expression of tracks whose limits hold; empty: of each
    unlimited: str  # the same of tracks without limits; may be empty
    folder: str  # a regular expression of the folder's name; may be empty
    suspects: tuple[Suspect, ...]
    lines: Mapping[str, tuple[str, ...]]  # name of a number -> regular expressions of its lines


@dataclass(frozen=True, slots=True)
class Contest:
    """All of it."""

    name: str
    title: str
    upstream: str
    commit: str
    license: str
    family: Family
    files: Files
    score: Score
    limits: Limits
    significance: Significance
    rules: Mapping[str, str]  # rule -> what this contest says of it
    exempt: Mapping[str, str]  # rule that it does not have -> why
    # Of a contest whose scripts the harness can drive with these alone; else None and nothing.
    rows: Rows | None
    data: Data | None
    tokenizer: TokenizerFiles | None
    sizes: tuple[Size, ...]
    environment: Mapping[str, str]  # of a small run
    claims: PaperClaims

    @property
    def adapted(self) -> bool:
        """A small run is made of this file alone, instead of what is learned from the script."""
        return self.rows is not None and self.data is not None and self.tokenizer is not None
