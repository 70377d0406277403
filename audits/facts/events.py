"""Events: the single things that an evaluation does with validation tokens, each with its place.

Guarantees: an event with a moment keeps the loops it runs in, so "the same iteration" can be told
from "an earlier loop", and the switches that keep it from running.
Does not cover: the order between events; their moments' positions tell it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from audits.facts.labels import Label
from audits.facts.values import Obj

ANY_NAME: Final = "_"


@dataclass(frozen=True, slots=True)
class Site:
    """Where in the submission an event comes from."""

    file: str
    line: int
    function: str


@dataclass(frozen=True, slots=True)
class Moment:
    """When an event happens, and under which conditions."""

    position: int  # order of execution
    loops: tuple[int, ...]  # activations of the enclosing loops, outermost first
    inactive: tuple[str, ...]  # "NAME=value" of switches that keep this code from running
    ambiguous: tuple[str, ...]  # switches that the folder's own commands set differently
    last_only: tuple[int, ...] = ()  # loops of several rounds in whose last round alone it happens
    no_grad_blocks: tuple[int, ...] = ()  # enclosing blocks that promise to keep no gradients


@dataclass(frozen=True, slots=True)
class Region:
    """Positions that a loss is restricted to: by a slice, a mask or a selecting call."""

    text: str  # as written: "s:wlen"
    lower: str = ""  # of a slice: what computes its bounds, with ANY_NAME for every name
    upper: str = ""
    complement: bool = False  # all positions but these

    def same_as(self, other: Region) -> bool:
        """Written alike, or with bounds that are computed alike."""
        if self.complement is not other.complement:
            return False
        if self.text == other.text:
            return True
        ends_alike = self.upper == other.upper or ANY_NAME in (self.upper, other.upper)
        return self.lower not in ("", ANY_NAME) and self.lower == other.lower and ends_alike


@dataclass(frozen=True, slots=True)
class TokenRead:
    """A piece of the validation stream, cut out by a subscript."""

    site: Site
    parents: frozenset[int]  # the pieces it was cut from
    loops: frozenset[int] = frozenset()  # loops whose variable says where it was cut
    limit: int | None = None  # it is the beginning of what it was cut from, this long
    home: frozenset[int] = frozenset()  # the loops that it was cut in
    single: bool = False  # one token, rather than a piece


@dataclass(frozen=True, slots=True)
class Accumulation:
    """A value added to a running total or stored in an array."""

    site: Site
    moment: Moment
    labels: frozenset[Label]
    into: frozenset[Obj] = frozenset()  # the shared totals it was added to


@dataclass(frozen=True, slots=True)
class Reset:
    """A shared total that is set back to zero."""

    site: Site
    moment: Moment
    total: Obj


@dataclass(frozen=True, slots=True)
class Update:
    """An optimiser step, or a write into weights, whose gradient came from validation tokens."""

    site: Site  # the step
    backward: Site
    moment: Moment
    labels: frozenset[Label]  # of the loss
    targets: frozenset[Obj]  # what was changed
    shared: bool = False  # the gradient went through a collective


@dataclass(frozen=True, slots=True)
class TableRead:
    """A subscript read of an array by a key that was computed from validation tokens."""

    site: Site
    tables: frozenset[Obj]
    key: frozenset[Label]
    moment: Moment


@dataclass(frozen=True, slots=True)
class TableWrite:
    """A count, or an entry, stored under a key that was computed from tokens of a shard."""

    site: Site
    tables: frozenset[Obj]
    key: frozenset[Label]
    moment: Moment


@dataclass(frozen=True, slots=True)
class Calibration:
    """A forward pass while hooks listen to the layers: statistics are taken of its input."""

    site: Site
    moment: Moment
    labels: frozenset[Label]  # of the input
    output: frozenset[int]  # what the model returned, as in OUTPUT labels


@dataclass(frozen=True, slots=True)
class NativeCall:
    """A call into C or C++ that spreads a token's log-probability over its bytes."""

    site: Site
    moment: Moment
    name: str
    labels: frozenset[Label]  # of what it was given


@dataclass(frozen=True, slots=True)
class Gate:
    """An entry for a token, stored under a condition on a property of that token."""

    site: Site
    moment: Moment
    name: str  # the native function, or "" for Python


@dataclass(frozen=True, slots=True)
class Given:
    """Tokens of the stream compared with what a file that came with the script holds."""

    site: Site
    moment: Moment


@dataclass(frozen=True, slots=True)
class Weighting:
    """A token's probability multiplied by a weight made of that same probability."""

    site: Site
    moment: Moment


@dataclass(frozen=True, slots=True)
class Download:
    """A call that fetches something while the submission runs."""

    site: Site
    moment: Moment
    name: str
    data: bool  # data or weights, rather than a package or a kernel


@dataclass(frozen=True, slots=True)
class Program:
    """Another program that is started."""

    site: Site
    moment: Moment
    name: str


@dataclass(frozen=True, slots=True)
class Smear:
    """A layer that mixes each position with the one before it."""

    site: Site
    masked: bool  # not across the boundary token
    guards: tuple[str, ...]  # attributes that switch it


@dataclass(frozen=True, slots=True)
class Echo:
    """A loss taken of the very tokens that were the model's input."""

    site: Site
    moment: Moment
    outputs: frozenset[int]  # as in OUTPUT labels


@dataclass(frozen=True, slots=True)
class Attention:
    """An attention call that hides nothing: not causal, and without a mask."""

    site: Site
    guards: tuple[str, ...]  # attributes that switch it


@dataclass(frozen=True, slots=True)
class Hit:
    """Tokens of the stream compared with other tokens: a hint that comes true or does not."""

    site: Site
    moment: Moment
    tokens: frozenset[int]  # TokenReads on both sides


@dataclass(frozen=True, slots=True)
class Tilt:
    """Something taken off realised losses where a hint comes true."""

    site: Site
    moment: Moment
    hits: frozenset[int]


@dataclass(frozen=True, slots=True)
class SidecarInput:
    """A model that is given what a file of byte counts holds."""

    site: Site
    moment: Moment
    output: frozenset[int]  # as in OUTPUT labels


@dataclass(frozen=True, slots=True)
class Pretrained:
    """Weights that somebody else trained."""

    site: Site
    moment: Moment
    name: str


@dataclass(frozen=True, slots=True)
class Helper:
    """A further file of code that the run needs."""

    site: Site
    moment: Moment
    file: str


@dataclass(frozen=True, slots=True)
class LossyText:
    """Documents that are changed, for good, before they are turned into tokens."""

    site: Site
    name: str


@dataclass(frozen=True, slots=True)
class FlagDefault:
    """The default of a command-line flag of a file in the folder."""

    site: Site
    flag: str
    value: object


@dataclass(frozen=True, slots=True)
class Patch:
    """An upper bound, or a replacement of bad values, put on realised losses."""

    site: Site
    moment: Moment
    name: str


@dataclass(frozen=True, slots=True)
class Deadline:
    """A clock compared with a known number of seconds."""

    site: Site
    moment: Moment
    seconds: float


@dataclass(frozen=True, slots=True)
class Quotient:
    """A division of one table read by another."""

    site: Site
    above: frozenset[int]  # TableRead ids
    below: frozenset[int]


@dataclass(frozen=True, slots=True)
class Statistic:
    """A number, a table or a choice that many validation tokens made."""

    site: Site
    moment: Moment
    whole: bool  # of the uncut stream
    direct: bool = False  # of tokens themselves, not of tables or outputs that they shaped
    reads: frozenset[int] = frozenset()  # of pieces: TokenReads
    loops: frozenset[int] = frozenset()  # loops whose variable says which pieces
    choice: bool = False  # kept, or left off, because of a loss


@dataclass(frozen=True, slots=True)
class Exchange:
    """Something made of tokens that the ranks share among them."""

    site: Site
    moment: Moment
    reads: frozenset[int]  # TokenReads


@dataclass(frozen=True, slots=True)
class Choice:
    """A minimum taken between losses of the same tokens."""

    site: Site
    moment: Moment
