"""What is known of a value inside a model: sequences, masks, attention scores, sizes.

Guarantees: immutable. `knows` is a lower bound: the entry at place p was made of inputs up to
place p + knows, as far as these were followed.
Does not cover: values that are none of these; they are None.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from audits.facts.inside.linear import END, NEVER, NONE, WHOLE, Linear


@dataclass(frozen=True, slots=True)
class Look:
    """The operation that looked ahead."""

    line: int
    how: str
    guards: tuple[str, ...] = ()  # attributes that switch it
    cls: str = ""  # the class that it stands in
    sure: bool = True  # whether it must be later places that are looked at


@dataclass(frozen=True, slots=True)
class Seq:
    """One entry a place, along an axis; without an axis, one entry for all."""

    axis: int | None  # counted from the left
    rank: int | None  # number of axes
    knows: Linear = NONE
    length: Linear = WHOLE
    look: Look | None = None
    tokens: bool = False  # ids rather than what was made of them
    pooled: bool = False  # without an axis, as places were joined
    flat: bool = False  # places and rows lie along one axis
    turn: Look | None = None  # the flip after which time runs backwards
    behind: Look | None = None  # what, since then, looked back, and so ahead

    @property
    def ahead(self) -> bool:
        return self.knows > NONE

    def looked(self, knows: Linear, look: Look) -> Seq:
        """After an operation that moves places; the first that looks ahead is remembered."""
        found = self.look if self.ahead else look
        return replace(self, knows=knows, look=found if knows > NONE else None)


@dataclass(frozen=True, slots=True)
class Mask:
    """Pairs of places: those with key - query <= most are open (or, turned, shut)."""

    most: int
    opens: bool = True  # true where open; False: true, or minus infinity, where shut


@dataclass(frozen=True, slots=True)
class Scores:
    """Attention scores: every place with every other one."""

    of: Seq
    most: int | None = None  # key - query at most; None: nothing is hidden
    masked: bool = False
    look: Look | None = None  # something that took all queries together


@dataclass(frozen=True, slots=True)
class Loss:
    """A cross-entropy, or a known share of one."""

    share: float = 1.0
    look: Look | None = None  # what changed it


@dataclass(frozen=True, slots=True)
class Waves:
    """A spectrum along time."""

    of: Seq
    free: bool = False  # times numbers that no kernel in time gave


@dataclass(frozen=True, slots=True)
class Layer:
    """A part of the model that a class of the script makes, or a list of such parts."""

    cls: str


@dataclass(frozen=True, slots=True)
class Size:
    """A number of places, or another number where it is known."""

    value: Linear


@dataclass(frozen=True, slots=True)
class Parts:
    """Several values: a tuple, a list, or equal parts of one along another axis."""

    items: tuple[Known, ...] = field(default=())
    each: Known = None  # of any number of parts


Known = Seq | Mask | Scores | Loss | Waves | Layer | Size | Parts | None


def together(values: list[Known]) -> Known:
    """Of an operation entry by entry."""
    for value in values:
        if isinstance(value, Scores):
            return value
    found = [value for value in values if isinstance(value, Seq)]
    if not found:
        return None
    along = [one for one in found if one.axis is not None or one.flat]
    most = max(found, key=lambda one: one.knows)
    if not along:
        return most
    first = along[0]
    turns = [one.turn for one in along]
    if None in turns and (turn := next((one for one in turns if one), None)) is not None:
        return everything(replace(first, turn=None), turn)  # both directions meet
    return replace(
        first,
        behind=next((one.behind for one in along if one.behind), None),
        knows=most.knows,
        look=most.look,
        length=min(one.length for one in along),
        rank=max((one.rank or 0 for one in along), default=0) or None,
        tokens=all(one.tokens for one in along),
    )


def turned(value: Seq, look: Look) -> Seq:
    """`flip` along time; what is flipped back knows what lay behind it in between."""
    if value.turn is None:
        return replace(value, turn=look)
    back = replace(value, turn=None, behind=None, knows=NONE, look=None)
    if value.behind is not None or value.knows < NONE:
        return everything(back, value.behind or value.turn)
    return back


def nowhere(like: Seq) -> Seq:
    """Zeros, and other numbers made without looking."""
    return replace(like, knows=NEVER, look=None)


def everything(seq: Seq, look: Look) -> Seq:
    """Every entry made of all places."""
    return seq.looked(END, look)
