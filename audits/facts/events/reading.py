"""Events of looking: pieces of the validation stream, tables that are kept, and comparisons.

Guarantees: a piece keeps the bounds that it was cut with, as written.
Does not cover: how a piece is scored.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from audits.facts.events.moments import Moment, Site
from audits.facts.labels import Label
from audits.facts.values import Obj

ANY_NAME: Final = "_"


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
class Part:
    """A list or a range that is left before its end, or thinned."""

    site: Site
    how: str  # "up to (n + 1) // 2"
    end: str = ""  # the bound as written: what begins there is the rest
    sure: bool = True  # whether it must be less than all


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
    parts: frozenset[Part] = frozenset()  # shares of all at which it ends


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
class Given:
    """Tokens of the stream compared with what a file that came with the script holds."""

    site: Site
    moment: Moment


@dataclass(frozen=True, slots=True)
class Hit:
    """Tokens of the stream compared with other tokens: a hint that comes true or does not."""

    site: Site
    moment: Moment
    tokens: frozenset[int]  # TokenReads on both sides


@dataclass(frozen=True, slots=True)
class Exchange:
    """Something made of tokens that the ranks share among them."""

    site: Site
    moment: Moment
    reads: frozenset[int]  # TokenReads


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
    state: bool = False  # added up, step by step, in something that predicts
