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
from audits.facts.worth import Worth

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
class Bounds:
    """Where a piece begins and ends, as written, with names spelled out."""

    lower: str = ""
    upper: str = ""
    ahead: frozenset[int] = frozenset()  # loops of whose next round it begins
    behind: frozenset[int] = frozenset()  # loops of whose earlier round it may be

    @property
    def placed(self) -> frozenset[int]:
        """Loops of which it is another round, or may be."""
        return self.ahead | self.behind


@dataclass(frozen=True, slots=True)
class TokenRead:
    """A piece of the validation stream, cut out by a subscript."""

    site: Site
    parents: frozenset[int]  # the pieces it was cut from
    loops: frozenset[int] = frozenset()  # loops whose variable says where it was cut
    limit: int | None = None  # it is the beginning of what it was cut from, this long
    home: frozenset[int] = frozenset()  # the loops that it was cut in
    single: bool = False  # one token, rather than a piece
    rounds: frozenset[int] = frozenset()  # loops that cut the list of where to cut
    region: Region | None = None  # the bounds that it was cut with, as written
    bounds: Bounds = Bounds()


@dataclass(frozen=True, slots=True)
class Accumulation:
    """A value added to a running total or stored in an array."""

    site: Site
    moment: Moment
    labels: frozenset[Label]
    into: frozenset[Obj] = frozenset()  # the shared totals it was added to
    worth: Worth | None = None  # of a token's code length, where every step is understood
    sifts: frozenset[int] = frozenset()  # Sifts that it is on one side of


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
    bare: bool = False  # by the same name, with nothing done to them


@dataclass(frozen=True, slots=True)
class Attention:
    """An attention call that hides nothing: not causal, and without a mask."""

    site: Site
    guards: tuple[str, ...]  # attributes that switch it


@dataclass(frozen=True, slots=True)
class LookAhead:
    """A layer by which a place of the sequence knows a later one, step by step understood."""

    site: Site
    how: str
    cls: str  # the class that it stands in
    guards: tuple[str, ...]  # attributes that switch it
    whole: str  # the class, or function, that gives back what is made so
    sure: bool = True  # whether it must be later places that are looked at


@dataclass(frozen=True, slots=True)
class ModelLoss:
    """A loss that a model gives back, which is a part of a cross-entropy."""

    site: Site
    how: str
    cls: str  # the class of the model
    guards: tuple[str, ...]  # attributes that switch it
    share: float


@dataclass(frozen=True, slots=True)
class Mixing:
    """Something made of tokens, added to logits or put into them."""

    site: Site
    tokens: frozenset[int]  # TokenReads


@dataclass(frozen=True, slots=True)
class Foresight:
    """A loss whose logits were made of its own target, or of that target's own loss."""

    site: Site  # where the target came in
    moment: Moment
    how: str


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
class Change:
    """A token's code length, or its probability, is made another one."""

    site: Site
    moment: Moment
    how: str  # "times 0.9"


@dataclass(frozen=True, slots=True)
class Sift:
    """Some tokens are taken and others left, by a test that is no boundary of the stream."""

    site: Site
    moment: Moment
    by: frozenset[Label]  # what the test hangs on


@dataclass(frozen=True, slots=True)
class Part:
    """A list or a range that is left before its end, or thinned."""

    site: Site
    how: str  # "up to (n + 1) // 2"
    end: str = ""  # the bound as written: what begins there is the rest
    sure: bool = True  # whether it must be less than all


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
