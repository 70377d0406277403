"""Every number that a folder gives, with the file and line that give it.

Guarantees: frozen and plain, so that it can be sent by the child that read it; a number keeps the
name that it has in its file, and its unit (`_s` seconds, `_bytes`). Tagged evaluations stay apart.
Does not cover: what follows from them (`checks`), and figures that no name explains.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Place:
    """Where something stands."""

    file: str  # relative to the folder
    line: int  # from one; 0: the whole file

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


@dataclass(frozen=True)
class Number:
    """One figure."""

    name: str
    value: float
    place: Place


@dataclass(frozen=True)
class Evaluation:
    """One printed score of a log."""

    tag: str
    nats_per_token: float | None
    bits_per_byte: float | None
    half_unit: float  # of the last printed place
    seconds: float | None  # that the same line gives
    diagnostic: bool
    place: Place
    same_unit: bool = True  # its loss is named as one of tokens, not of bytes

    def implied_bytes(self, tokens: float) -> float | None:
        """Of text: what the two numbers and the tokens come to."""
        if not self.nats_per_token or not self.bits_per_byte or not self.same_unit:
            return None
        found = self.nats_per_token / math.log(2) * tokens / self.bits_per_byte
        return found if math.isfinite(found) else None


@dataclass(frozen=True)
class Log:
    """One log."""

    file: str
    evaluations: tuple[Evaluation, ...] = ()
    headline: Evaluation | None = None  # the last that claims something
    numbers: Mapping[str, tuple[Number, ...]] = field(default_factory=dict)  # in order, by name
    words: Mapping[str, str] = field(default_factory=dict)  # versions and the like
    settings: Mapping[str, str] = field(default_factory=dict)
    unread: str = ""  # why some of it was not read

    def last(self, name: str) -> Number | None:
        """What it says of this in the end."""
        found = self.numbers.get(name, ())
        return found[-1] if found else None

    def value(self, name: str) -> float | None:
        """The same, bare."""
        number = self.last(name)
        return None if number is None else number.value

    @property
    def seed(self) -> int | None:
        """Of the run; None of a log of several."""
        found = {number.value for number in self.numbers.get("seed", ())}
        return int(found.pop()) if len(found) == 1 else None


@dataclass(frozen=True)
class SeedClaim:
    """What submission.json says of one run."""

    seed: int
    bits_per_byte: float | None
    nats_per_token: float | None
    total_bytes: float | None
    place: Place


@dataclass(frozen=True)
class Declared:
    """submission.json."""

    file: str = ""  # empty: there is none
    numbers: Mapping[str, Number] = field(default_factory=dict)  # by path, "seeds.42.val_bpb"
    seeds: tuple[SeedClaim, ...] = ()
    track: str = ""
    unread: str = ""

    def first(self, *names: str) -> Number | None:
        """The first of these that it gives."""
        return next((self.numbers[name] for name in names if name in self.numbers), None)

    @property
    def bits_per_byte(self) -> Number | None:
        """The score that is claimed."""
        return self.first("val_bpb", "mean_val_bpb", "mean_bpb", "bpb")

    @property
    def nats_per_token(self) -> Number | None:
        """The loss that is claimed."""
        return self.first("val_loss", "mean_val_loss", "mean_val_loss_nats")


@dataclass(frozen=True)
class File:
    """One file of the folder."""

    path: str
    n_bytes: int
    code: bool = False  # that runs
    names: tuple[str, ...] = ()  # of other code of the folder that its text names


@dataclass(frozen=True)
class Tokenizer:
    """A SentencePiece model that the folder ships."""

    path: str
    pieces: int
    byte_pieces: int  # of 256
    lone_space: bool
    lost: tuple[str, ...] = ()  # sample texts that do not come back, each with what did
    unread: str = ""


@dataclass(frozen=True)
class Claims:
    """All of it."""

    contest: str
    folder: str  # as it was named
    declared: Declared
    logs: tuple[Log, ...] = ()
    readme: tuple[Number, ...] = ()
    files: tuple[File, ...] = ()
    tokenizers: tuple[Tokenizer, ...] = ()
    notes: tuple[str, ...] = ()  # what was not read, and why

    def numbers(self) -> Iterator[Number]:
        """Every one, evaluations apart."""
        yield from self.declared.numbers.values()
        for log in self.logs:
            for found in log.numbers.values():
                yield from found
        yield from self.readme

    @property
    def supporting(self) -> tuple[Log, ...]:
        """Logs of the runs that are claimed: of each claimed seed the one whose number is nearest
        to the claim; all that came to a headline, where that leaves none.
        """
        whole = tuple(log for log in self.logs if log.headline is not None)
        nearest = [_nearest(seed, whole) for seed in self.declared.seeds]
        chosen = {log.file: log for log in nearest if log is not None}
        return tuple(chosen[name] for name in sorted(chosen)) or whole


SAME = 6e-4  # bits per byte: three decimals, rounded
SAME_LINE = 6e-5  # four: another print of one number in one log
EXACT = 6e-7  # six


def _nearest(seed: SeedClaim, logs: Sequence[Log]) -> Log | None:
    """Of the logs of this seed; else one that comes to the very number (#1729: its log of seed 0
    prints another seed).
    """
    own = [log for log in logs if log.seed in (None, seed.seed)]
    found = [(apart, log.file, log) for log in own if (apart := _apart(seed, log)) < SAME]
    found = found or [
        (apart, log.file, log) for log in logs if (apart := _apart(seed, log)) < EXACT
    ]
    return min(found, key=lambda one: one[:2])[2] if found else None


def _apart(seed: SeedClaim, log: Log) -> float:
    """Bits per byte between claim and log."""
    bits = None if log.headline is None else log.headline.bits_per_byte
    return (
        math.inf if bits is None or seed.bits_per_byte is None else abs(bits - seed.bits_per_byte)
    )
