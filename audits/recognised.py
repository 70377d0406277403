"""What a reading recognised of a script, whether or not anything is wrong with it: a short map.

Guarantees: frozen and plain, so that a report is a pure function of it; lines are those of the
unpacked text.
Does not cover: judging; a map without a finding is no pass.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PrintedLine:
    """A line of text that the script puts a result into."""

    file: str
    line: int
    text: str  # as far as it is known; what is filled in is "..."


@dataclass(frozen=True, slots=True)
class Scoring:
    """A place where losses of validation tokens are added to what becomes bits per byte."""

    file: str
    line: int
    function: str
    loops: tuple[int, ...]  # lines where the loops around it begin, outermost first
    printed: tuple[PrintedLine, ...]  # the number that it ends in
    in_part: str  # the part of each window that counts, as written; empty: all of it, or not known
    submitted: bool | None  # in the number that the folder submits; None: nothing tells


@dataclass(frozen=True, slots=True)
class Training:
    """A place where something learns."""

    file: str
    line: int  # of the gradient
    step: int  # line where it is used
    function: str
    what: str  # class of the model, or where the tensors were made
    on: str  # training shards, validation tokens, or data that is not known
    when: str  # of validation tokens: before or after their scores are kept; else empty


@dataclass(frozen=True, slots=True)
class Technique:
    """Something else that the script does with tokens, results or its surroundings."""

    name: str
    file: str
    line: int
    function: str
    on: bool  # under the configuration that is judged
    switch: str  # what has it off


@dataclass(frozen=True, slots=True)
class SwitchSet:
    """A switch that is on or off and decides what is run."""

    name: str
    on: bool
    origin: str  # who says so


@dataclass(frozen=True, slots=True)
class Unfollowed:
    """A construct at which the reading loses what happens."""

    file: str
    line: int
    function: str
    construct: str
    lost: str  # what is not known from there on


@dataclass(frozen=True, slots=True)
class Recognised:
    """The map of one script."""

    scores: tuple[Scoring, ...]
    trained: tuple[Training, ...]
    techniques: tuple[Technique, ...]
    switches: tuple[SwitchSet, ...]
    unfollowed: tuple[Unfollowed, ...]
