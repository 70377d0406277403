"""The ordered event trace: what an evaluation does with validation tokens, in order of execution.

Guarantees: positions grow in the order in which the code runs, callees inlined; each event keeps
the loops it runs in, so "the same iteration" can be told from "an earlier loop".
Does not cover: how often a loop runs; each body is read once.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from audits.facts.config import Setting
from audits.facts.values import Label, Obj


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
    off: tuple[str, ...]  # "NAME=value" of switches that keep this code from running
    doubtful: tuple[str, ...]  # switches that the folder's own commands set differently
    last_only: tuple[int, ...] = ()  # loops of several rounds in whose last round alone it happens
    quiet: tuple[int, ...] = ()  # enclosing blocks that promise to keep no gradients


@dataclass(frozen=True, slots=True)
class TokenRead:
    """A piece of the validation stream, cut out by a subscript."""

    site: Site
    parents: frozenset[int]  # the pieces it was cut from
    loops: frozenset[int] = frozenset()  # loops whose variable says where it was cut
    limit: int | None = None  # it is the beginning of what it was cut from, this long


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
class Choice:
    """A minimum taken between losses of the same tokens."""

    site: Site
    moment: Moment


@dataclass(slots=True)
class Trace:
    """Everything one reading of a submission has seen."""

    reads: list[TokenRead] = field(default_factory=list)
    accumulations: list[Accumulation] = field(default_factory=list)
    resets: list[Reset] = field(default_factory=list)
    updates: list[Update] = field(default_factory=list)
    table_reads: list[TableRead] = field(default_factory=list)
    table_writes: list[TableWrite] = field(default_factory=list)
    calibrations: list[Calibration] = field(default_factory=list)
    native_calls: list[NativeCall] = field(default_factory=list)
    gates: list[Gate] = field(default_factory=list)
    given: list[Given] = field(default_factory=list)
    patched: set[int] = field(default_factory=set)  # Given that losses were multiplied by in place
    weightings: list[Weighting] = field(default_factory=list)
    downloads: list[Download] = field(default_factory=list)
    programs: list[Program] = field(default_factory=list)
    smears: list[Smear] = field(default_factory=list)
    inputs: dict[int, frozenset[int]] = field(default_factory=dict)  # OUTPUT id -> TokenReads
    echoes: list[Echo] = field(default_factory=list)
    attentions: list[Attention] = field(default_factory=list)
    hits: list[Hit] = field(default_factory=list)
    tilts: list[Tilt] = field(default_factory=list)
    sidecar_inputs: list[SidecarInput] = field(default_factory=list)
    pretrained: list[Pretrained] = field(default_factory=list)
    helpers: list[Helper] = field(default_factory=list)
    lossy_texts: list[LossyText] = field(default_factory=list)
    flags: list[FlagDefault] = field(default_factory=list)
    patches: list[Patch] = field(default_factory=list)
    off_attributes: dict[str, str] = field(default_factory=dict)  # settings that are off, described
    muted: set[int] = field(default_factory=set)  # Gates whose data was multiplied by zero
    deadlines: list[Deadline] = field(default_factory=list)
    quotients: list[Quotient] = field(default_factory=list)
    divided: set[int] = field(default_factory=set)  # TableReads that were divided by something
    choices: list[Choice] = field(default_factory=list)
    targets: set[int] = field(default_factory=set)  # TokenReads that a loss is taken of
    written_tables: set[Obj] = field(default_factory=set)  # tables that received counts
    reported: set[int] = field(default_factory=set)  # Accumulations that became bits per byte
    converted: set[int] = field(default_factory=set)  # Accumulations that were turned into bits
    reports: list[Accumulation] = field(default_factory=list)  # losses at their turn into bits
    open_loops: set[int] = field(default_factory=set)  # loops without a variable (while)
    regions: list[str] = field(default_factory=list)  # interned slice texts
    last_is_headline: bool | None = None  # whether the last printed score is the declared one
    shown: dict[str, Setting] = field(default_factory=dict)  # switches that were on, by a log
    native: bool = False  # written to the harness's contract, which counts every file
    cut_short: bool = False  # the reading ran out of steps; later code was not seen

    def region(self, text: str) -> int:
        if text not in self.regions:
            self.regions.append(text)
        return self.regions.index(text)
