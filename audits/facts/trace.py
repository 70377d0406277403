"""The ordered event trace: what an evaluation does with validation tokens, in order of execution.

Guarantees: positions grow in the order in which the code runs, callees inlined; each event keeps
the loops it runs in, so "the same iteration" can be told from "an earlier loop".
Does not cover: how often a loop runs; each body is read once.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TypeVar

from audits.facts.documented.setting import Setting
from audits.facts.events import (
    Accumulation,
    Attention,
    Calibration,
    Change,
    Choice,
    Cut,
    Deadline,
    Download,
    Echo,
    Exchange,
    FlagDefault,
    Foresight,
    Gate,
    Given,
    Helper,
    Hit,
    LookAhead,
    LossyText,
    Message,
    Mixing,
    ModelLoss,
    NativeCall,
    Part,
    Patch,
    Pretrained,
    Program,
    Quotient,
    Region,
    Reset,
    SidecarInput,
    Sift,
    Site,
    Smear,
    Statistic,
    TableRead,
    TableWrite,
    Tilt,
    TokenRead,
    Training,
    Update,
    Weighting,
)
from audits.facts.labels import OUTPUT, Label, kinds
from audits.facts.values import Obj

Event = TypeVar("Event")


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
    mixings: list[Mixing] = field(default_factory=list)
    foresights: list[Foresight] = field(default_factory=list)
    given_to: dict[int, frozenset[int]] = field(default_factory=dict)  # OUTPUT id -> all TokenReads
    side_by_side: set[int] = field(default_factory=set)  # TokenReads that became rows of one width
    from_places: dict[str, object] = field(default_factory=dict)  # a mask as written -> its bound
    told_of: dict[int, frozenset[int]] = field(default_factory=dict)  # the same, of tokens' pieces
    input_names: dict[int, str] = field(default_factory=dict)  # OUTPUT id -> its input, as written
    model_losses: list[ModelLoss] = field(default_factory=list)
    looks: list[LookAhead] = field(default_factory=list)
    named_in: dict[str, frozenset[str]] = field(default_factory=dict)  # class -> names in its body
    passes: dict[int, frozenset[str]] = field(default_factory=dict)  # OUTPUT id -> model classes
    altered: set[int] = field(default_factory=set)  # OUTPUT ids whose input was masked or changed
    hits: list[Hit] = field(default_factory=list)
    tilts: list[Tilt] = field(default_factory=list)
    sidecar_inputs: list[SidecarInput] = field(default_factory=list)
    pretrained: list[Pretrained] = field(default_factory=list)
    helpers: list[Helper] = field(default_factory=list)
    lossy_texts: list[LossyText] = field(default_factory=list)
    flags: list[FlagDefault] = field(default_factory=list)
    patches: list[Patch] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    sifts: list[Sift] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)
    part_of: dict[int, Part] = field(default_factory=dict)  # loops through a part of what there is
    begun: set[Part] = field(default_factory=set)  # where something else begins
    learning: set[int] = field(default_factory=set)  # loops with a backward pass inside
    steps: dict[int, ast.expr] = field(default_factory=dict)  # of loops, as written
    begins: set[str] = field(default_factory=set)  # where ranges and slices begin, as written
    balanced: set[int] = field(default_factory=set)  # Sifts on both sides of which losses count
    off_attributes: dict[str, str] = field(default_factory=dict)  # settings that are off, described
    muted: set[int] = field(default_factory=set)  # Gates whose data was multiplied by zero
    deadlines: list[Deadline] = field(default_factory=list)
    quotients: list[Quotient] = field(default_factory=list)
    divided: set[int] = field(default_factory=set)  # TableReads that were divided by something
    exchanges: list[Exchange] = field(default_factory=list)
    statistics: list[Statistic] = field(default_factory=list)
    choices: list[Choice] = field(default_factory=list)
    targets: set[int] = field(default_factory=set)  # TokenReads that a loss is taken of
    written_tables: set[Obj] = field(default_factory=set)  # tables that received counts
    reported: set[int] = field(default_factory=set)  # Accumulations that became bits per byte
    converted: set[int] = field(default_factory=set)  # Accumulations that were turned into bits
    counts: set[int] = field(default_factory=set)  # Accumulations that such a loss was divided by
    reports: list[Accumulation] = field(default_factory=list)  # losses at their turn into bits
    open_loops: set[int] = field(default_factory=set)  # loops without a variable (while)
    regions: list[Region] = field(default_factory=list)  # interned
    messages: list[Message] = field(default_factory=list)
    submitted: frozenset[Label] | None = None  # of the submitted number; None: nothing tells
    trainings: list[Training] = field(default_factory=list)  # on anything but validation tokens
    cuts: dict[Cut, None] = field(default_factory=dict)  # each once, in order
    loops: dict[int, Site] = field(default_factory=dict)  # where each begins
    defaults: dict[str, object] = field(default_factory=dict)  # of the switches that were read
    deciding: set[str] = field(default_factory=set)  # switches that chose a branch
    last_is_headline: bool | None = None  # whether the last printed score is the declared one
    shown: dict[str, Setting] = field(default_factory=dict)  # switches that were on, by a log
    asks_for_bytes: bool = False  # which pieces of the vocabulary stand for a byte
    native: bool = False  # written to the harness's contract, which counts every file
    cut_short: bool = False  # the reading ran out of steps; later code was not seen

    @property
    def scored(self) -> set[int]:
        """Accumulations of losses that end up as bits per byte: they met a byte count and ln 2.

        Where none met a byte count that was added up, those that became bits: bytes may be counted
        at once.
        """
        found = self.reported & self.converted
        if not found:
            losses = (OUTPUT in kinds(one.labels) for one in self.accumulations)
            found = self.converted & {number for number, loss in enumerate(losses) if loss}
        return found

    def region(self, region: Region) -> int:
        if region not in self.regions:
            self.regions.append(region)
        return self.regions.index(region)

    def switched_off(self, guards: tuple[str, ...]) -> tuple[str, ...]:
        """Those attributes that the run had off, described."""
        return tuple(self.off_attributes[name] for name in guards if name in self.off_attributes)


def noted(events: list[Event], event: Event) -> int:
    """Appends an event; gives its number, which labels carry as their id."""
    events.append(event)
    return len(events) - 1
