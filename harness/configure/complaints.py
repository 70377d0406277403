"""What a script's complaint asks for: the text of its failure, read for what should change.

A kind of complaint knows its words, or how such a run ends, and answers with other targets. The
kinds are tried in the order of `KINDS`: first those that name a setting, then those that only hint
at one.
Guarantees: an answer changes nothing but the target. Does not cover: whether it was tried before.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol

from audits.switches import as_number
from harness.configure.configuration import CLOCK_S, Configuration
from harness.configure.data_places import required_place
from harness.configure.setting import texts
from harness.configure.shrinking.target import Bound, ShrinkTarget, StreamShape
from harness.protocol.job import RunState

_FINAL = re.compile(
    r"ModuleNotFoundError|ImportError|SyntaxError|No module named|cutlass|nvcc"
    r"|CUDA error|Read-only file system|PermissionError"
)
_REQUIRED = re.compile(r"following arguments are required: ([^\n]+)")  # argparse
COMMON_WHY = "uncommon switches as the folder ran them"


@dataclass(frozen=True)
class Complaint:
    """What is left of a run that printed no score, or did not come to its end."""

    state: RunState  # how it ended, by us
    text: str  # what it said


@dataclass(frozen=True)
class Answer:
    """A change that may cure a complaint."""

    target: ShrinkTarget
    why: str
    stream_factor: int = 1  # the stream has to be this many times as long as usual


class Kind(Protocol):
    """One kind of complaint."""

    def answers(self, complaint: Complaint, last: Configuration) -> Iterator[Answer]:
        """None where the complaint is of another kind; `last`: what the script had been told."""


@dataclass(frozen=True)
class UnfitSetting:
    """It cites a value that another version, or another machine, was given: the setting is left
    out, and the script's own default stands.
    """

    words: re.Pattern[str]  # its first group is the value
    why: str

    def answers(self, complaint: Complaint, last: Configuration) -> Iterator[Answer]:
        """Without every setting that has the value, or a path that ends in it."""
        for match in self.words.finditer(complaint.text):
            cited = _file_name(match[1]).rstrip(".,")
            told = texts(last.environment)
            names = {name for name, text in told.items() if _file_name(text) == cited}
            if names:
                why = f"without {', '.join(sorted(names))}: {self.why.format(cited)}"
                yield Answer(replace(last.target, omitted=last.target.omitted | names), why)


@dataclass(frozen=True)
class BelowBound:
    """It names the least that a switch may be: a switch that was set below gets that."""

    words: re.Pattern[str]  # its groups are the switch and the bound

    def answers(self, complaint: Complaint, last: Configuration) -> Iterator[Answer]:
        """The same target with that bound."""
        for match in self.words.finditer(complaint.text):
            bound = Bound(match[1].upper(), int(match[2]))
            told = as_number(texts(last.environment).get(bound.name))
            if told is not None and told < bound.least:
                why = f"{bound.name} at least {bound.least}, as the script demands"
                yield Answer(replace(last.target, bounds=last.target.bounds | {bound}), why)


@dataclass(frozen=True)
class Symptom:
    """Words that many scripts use for one trouble: the sizes that usually cause it change."""

    words: re.Pattern[str]
    change: Callable[[ShrinkTarget], ShrinkTarget]
    why: str
    stream_factor: int = 1
    state: RunState | None = None  # a run that ends so has that trouble, whatever it says
    only_native: bool = False  # only where the sizes are the folder's own

    def answers(self, complaint: Complaint, last: Configuration) -> Iterator[Answer]:
        """The changed target."""
        if self.only_native and not last.target.native:
            return
        if complaint.state is self.state or self.words.search(complaint.text):
            yield Answer(self.change(last.target), self.why, self.stream_factor)


def _symptom(
    words: str,
    change: Callable[[ShrinkTarget], ShrinkTarget],
    why: str,
    stream_factor: int = 1,
    state: RunState | None = None,
) -> Symptom:
    return Symptom(re.compile(words, re.IGNORECASE), change, why, stream_factor, state)


MISSING_FILE = UnfitSetting(
    re.compile(r"(?:not found|No such file[^:]*|missing)\W+([^\s'\"]+)"), "the folder holds no {}"
)
UNREADABLE_NUMBER = UnfitSetting(
    re.compile(r"invalid literal for int\(\) with base 10: '([^']+)'"), "the script cannot read {}"
)
BELOW_BOUND = BelowBound(re.compile(r"\b([A-Za-z]\w+)\W{1,3}must be (?:>=|at least) ?(\d+)"))
CONFLICTING_SETTINGS = _symptom(
    r"mutually exclusive|cannot both|incompatible|not compatible|conflict|requires? \w+=",
    lambda target: replace(target, only_commands=True),
    "only what the folder's commands set",
)
ZERO_INTERVAL = _symptom(
    r"modulo by zero|modulo or division by zero",
    lambda target: replace(target, val_every=100_000),
    "validation at long intervals instead of never",
)
STOPPED_CLOCK = _symptom(
    r"wall.?clock|stopping_early|time budget|budget exhausted|NoneType|UnboundLocalError",
    lambda target: replace(target, wallclock_s=0 if target.wallclock_s else CLOCK_S),
    "a clock that does not stop the training",
)
SINGULAR_STATISTICS = _symptom(
    r"invalid for input of size|positive-definite|singular|cholesky",
    lambda target: replace(target, batches=8),
    "larger batches, more calibration",
)
TOO_LARGE = _symptom(
    r"MemoryError|can't allocate memory|out of memory|bytes of memory|SIGKILL",
    lambda target: replace(target, own_sizes=True, batch_seqs=1, by_value=True),
    "sizes that only the code names, or by their values",
)
TOO_LARGE_UNCOMPILED = Symptom(
    re.compile(r"out of memory", re.IGNORECASE),
    lambda target: replace(target, compiled=True),
    "compiled, which takes less memory and more time",
    only_native=True,
)
TOO_SLOW = _symptom(
    r"timed out|time limit",
    lambda target: replace(target, iterations=2, epochs=1, steps=2, stride=64, batch_seqs=16),
    "fewer steps, larger batches, windows that do not overlap",
    state=RunState.TIMED_OUT,
)
STILL_TOO_SLOW = _symptom(
    r"timed out|time limit",
    lambda target: replace(
        target, own_sizes=True, by_value=True, layers=2, iterations=1, epochs=1, steps=1
    ),
    "sizes that only the code names, or by their values, two layers, one step",
    state=RunState.TIMED_OUT,
)
TOO_SHALLOW = _symptom(
    r"index .*out of (range|bounds)|list index|KeyError: \d",
    lambda target: replace(target, layers=0),
    "as many layers as the folder ran: something names one by its number",
)
NARROW_HEADS = _symptom(
    r"divisible|must divide|% ?num_heads|head_dim|multiple of|even head|rotary|rope",
    lambda target: replace(target, width=128, heads=4),
    "wider heads",
)
SHORT_STREAM = _symptom(
    r"too short|too small|at least|not enough|no documents|no .*windows|insufficient|fewer than"
    r"|need(s|ed)? more|empty|zero-size|nothing to|division by zero|ZeroDivision",
    lambda target: replace(target, seq_len=32, stride=8),
    "shorter sequences on a longer stream",
    stream_factor=2,
)
MISMATCHED_SHAPES = _symptom(
    r"out of range|index .* is out of bounds|size mismatch|shape|mat1 and mat2|must match"
    r"|broadcast|expanded size|invalid for input",
    lambda target: replace(target, only_common=True),
    COMMON_WHY,
)

KINDS: tuple[Kind, ...] = (
    MISSING_FILE,
    UNREADABLE_NUMBER,
    BELOW_BOUND,
    CONFLICTING_SETTINGS,
    ZERO_INTERVAL,
    STOPPED_CLOCK,
    SINGULAR_STATISTICS,
    TOO_LARGE_UNCOMPILED,
    TOO_LARGE,
    TOO_SLOW,
    STILL_TOO_SLOW,
    TOO_SHALLOW,
    NARROW_HEADS,
    SHORT_STREAM,
    MISMATCHED_SHAPES,
)


def answers_to(complaint: Complaint, last: Configuration) -> Iterator[Answer]:
    """In the order in which they are worth trying; last what helps whatever was said, unless time
    was what lacked: the folder's own sizes take more of it.
    """
    for kind in KINDS:
        yield from kind.answers(complaint, last)
    if complaint.state is RunState.TIMED_OUT:
        return
    yield Answer(replace(last.target, only_common=True), COMMON_WHY)
    wide = replace(last.target, only_common=True, width=128, heads=4)
    yield Answer(wide, f"a wider model, {COMMON_WHY}")
    own = replace(last.target, shrink_model=False, iterations=1, epochs=1)
    yield Answer(own, "the folder's own model")


def is_final(cause: str) -> bool:
    """Whether no other size could help: a missing package or a lack of memory stays."""
    return _FINAL.search(cause) is not None


@dataclass(frozen=True)
class RequiredOptions:
    """Command-line options that the script does not run without."""

    names: tuple[str, ...]

    @classmethod
    def of(cls, complaint: str) -> "RequiredOptions | None":
        """None where the complaint is another one."""
        match = _REQUIRED.search(complaint)
        return None if match is None else cls(tuple(n.strip() for n in match[1].split(",")))

    def words(self, stream: StreamShape) -> tuple[str, ...]:
        """What to give for options that lead to data; nothing when one leads elsewhere."""
        values = [required_place(name, stream.vocab_size) for name in self.names]
        if any(value is None for value in values):
            return ()
        return tuple(word for pair in zip(self.names, values, strict=True) for word in pair if word)


def _file_name(path: str) -> str:
    return path.rsplit("/", 1)[-1]
