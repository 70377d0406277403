"""Operations along time: slices, shifts, joins, pads, flips, sums, convolutions, attention.

Guarantees: each gives what its result knows, or None where its arguments are not understood.
Does not cover: einsum; kernels of other packages, but for the usual attention.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from audits.facts.inside.linear import END, NONE, WHOLE, Linear, number
from audits.facts.inside.sequences import (
    Known,
    Look,
    Mask,
    Parts,
    Scores,
    Seq,
    Size,
    everything,
    nowhere,
)


@dataclass(frozen=True, slots=True)
class Slice:
    """Bounds of a subscript, where they are understood."""

    lower: Linear | None
    upper: Linear | None
    understood: bool = True


@dataclass(frozen=True, slots=True)
class At:
    """One entry of an axis."""

    place: Linear | None


class NewAxis:
    """`None` in a subscript."""


class Rest:
    """`...` in a subscript."""


Key = Slice | At | NewAxis | Rest | None
WHOLE_SLICE: Final = Slice(None, None)


def subscript(value: Seq, keys: Sequence[Key], look: Look) -> Known:
    """`x[:, 1:]`, `x[..., :-1]`, `x[:, -1]`."""
    if value.axis is None:
        return value if value.pooled else None
    keys = _spelled_out(value, keys)
    if not keys and value.axis is not None:
        return None
    made, axis, place = value, value.axis, 0  # the axis of `value` that the next key is for
    removed = added = 0
    for key in keys:
        if isinstance(key, NewAxis):
            added += place <= axis
            continue
        if place == axis:
            if isinstance(key, At):
                knows = value.knows + (key.place or NONE) if key.place is not None else None
                if knows is None:
                    return None
                look_ahead = look if key.place == END else value.look
                return replace(
                    value, axis=None, pooled=True, knows=knows, look=look_ahead, rank=None
                )
            sliced = _sliced(made, key, look)
            if sliced is None:
                return None
            made = sliced
        elif place < axis and isinstance(key, At):
            removed += 1
        elif key is None:
            return None
        place += 1
    rank = None if value.rank is None else value.rank - _indexed(keys) + _new(keys)
    return replace(made, axis=axis - removed + added, rank=rank)


def _indexed(keys: Sequence[Key]) -> int:
    return sum(isinstance(key, At) for key in keys)


def _new(keys: Sequence[Key]) -> int:
    return sum(isinstance(key, NewAxis) for key in keys)


def _spelled_out(value: Seq, keys: Sequence[Key]) -> Sequence[Key]:
    """`...` stands for the axes that are not named."""
    rests = [place for place, key in enumerate(keys) if isinstance(key, Rest)]
    if not rests:
        return keys
    if value.rank is None:
        return ()
    named = len(keys) - 1 - _new(keys)
    filled = [WHOLE_SLICE] * (value.rank - named)
    return [*keys[: rests[0]], *filled, *keys[rests[0] + 1 :]]


def _sliced(value: Seq, key: Key, look: Look) -> Seq | None:
    """`[lower:upper]` along time."""
    if not isinstance(key, Slice) or not key.understood:
        return None
    lower = key.lower or NONE
    first = lower + value.length if lower < NONE else lower
    end = value.length if key.upper is None else key.upper
    end = end + value.length if end < NONE else min(end, value.length)
    moved = value.looked(value.knows + first, look)
    return replace(moved, length=end - first)


def stored(target: Seq, keys: Sequence[Key], value: Known, look: Look) -> Seq | None:
    """`out[:, 1:] = value`: what the target knows then."""
    if not isinstance(value, Seq) or value.axis is None or target.axis is None:
        return target
    keys = _spelled_out(target, keys)
    if len(keys) <= target.axis:
        return target
    key = keys[target.axis]
    if not isinstance(key, Slice) or not key.understood:
        return target
    lower = key.lower or NONE
    offset = lower + target.length if lower < NONE else lower
    knows = value.knows - offset
    if knows <= target.knows:
        return target
    found = replace(target, knows=knows)
    return replace(found, look=(value.look or look) if knows > NONE else None)


def joined(pieces: Sequence[Known], axis: int | None, look: Look) -> Known:
    """`cat` along time: each piece begins where the one before it ends."""
    found = [one for one in pieces if isinstance(one, Seq)]
    if not found or found[0].axis is None or axis is None:
        return None
    if axis < 0:
        if found[0].rank is None:
            return None
        axis += found[0].rank
    if axis != found[0].axis:
        best = max(found, key=lambda one: one.knows)
        return replace(found[0], knows=best.knows, look=best.look)
    if len(found) != len(pieces):
        return None
    offset, knows, where = NONE, None, None
    for one in found:
        here = one.knows - offset
        if knows is None or here > knows:
            knows, where = here, one
        offset = offset + one.length
    assert knows is not None and where is not None
    ahead = knows > NONE
    return replace(
        found[0], knows=knows, length=offset, look=(where.look or look) if ahead else None
    )


def rolled(value: Seq, by: int, axis: int | None, look: Look) -> Known:
    """`roll`; the entries that come round from the other end are let go."""
    if value.flat and along(value, axis):
        return value.looked(value.knows - number(by), look)
    if axis is None or value.axis is None:
        return None
    if axis < 0 and value.rank is None:
        return None
    return (
        value.looked(value.knows - number(by), look)
        if axis % (value.rank or axis + 1) == value.axis
        else value
    )


def padded(value: Seq, pads: Sequence[int | None], look: Look) -> Known:
    """`pad(x, (0, 0, 1, 0))`: pairs, from the last axis on."""
    if value.rank is None or value.axis is None:
        return None
    place = 2 * (value.rank - 1 - value.axis)
    if place + 1 >= len(pads):
        return value
    before, after = pads[place], pads[place + 1]
    if before is None or after is None:
        return None
    moved = value.looked(value.knows - number(before), look)
    return replace(moved, length=value.length + number(before + after))


def along(value: Seq, axis: int | None) -> bool:
    """Whether an axis, as it is given, is that of time; also where rows lie behind each other."""
    if value.flat and value.axis is None:
        return axis == 0 or (axis == -2 and value.rank == 2)
    if axis is None or value.axis is None:
        return False
    if axis >= 0:
        return axis == value.axis
    return value.rank is not None and axis + value.rank == value.axis


def convolved(value: Seq, size: int, padding: int, dilation: int, look: Look) -> Known:
    """A convolution with as much zero padding on both sides; the last axis is time."""
    if value.axis is None or (value.rank is not None and value.axis != value.rank - 1):
        return None
    reach = (size - 1) * dilation
    moved = value.looked(value.knows + number(reach - padding), look)
    return replace(moved, length=value.length + number(2 * padding - reach))


def attended(
    values: Sequence[Known], *, last_but: int, most: int | None, masked: bool, look: Look
) -> Known:
    """Attention over the axis that lies `last_but` before the last one."""
    q = values[0]
    if not isinstance(q, Seq):
        return None
    for one in values[1:3]:
        if not isinstance(one, Seq) or one.axis != q.axis or one.axis is None:
            return None
    if q.rank is None or q.axis != q.rank - 1 - last_but:
        return None
    best = max((one for one in values if isinstance(one, Seq)), key=lambda one: one.knows)
    found = replace(q, knows=best.knows, look=best.look)
    if q.turn is not None:
        found = replace(found, behind=q.turn)
    if most is None:
        return found if masked else everything(found, look)
    return found.looked(best.knows + number(most), look) if most > 0 else found


def product(left: Known, right: Known, look: Look) -> Known:
    """`q @ k.T` and `scores @ v`."""
    if isinstance(left, Scores) and isinstance(right, Seq):
        hidden = left.masked or left.most is not None
        found = replace(right, tokens=False)
        if left.look is not None:
            return everything(found, left.look)
        if not hidden:
            return everything(found, look)
        most = left.most or 0
        return found.looked(found.knows + number(most), look) if most > 0 else found
    if isinstance(left, Seq) and isinstance(right, Seq):
        if None in (left.axis, right.axis, left.rank, right.rank):
            return None
        assert left.rank is not None and right.rank is not None
        if left.axis == left.rank - 2 and right.axis == right.rank - 1:
            return Scores(left)
        return None
    return left if isinstance(left, Seq) else None


def hidden(scores: Scores, mask: Known, *, fills_true: bool) -> Scores:
    """Scores with a mask put on them; what the mask is decides how far they see."""
    if not isinstance(mask, Mask):
        return replace(scores, masked=True)
    if mask.opens is fills_true:  # the open ones are filled: not understood
        return replace(scores, masked=True)
    return replace(scores, most=mask.most, masked=True)


def moved_axes(value: Seq, order: Sequence[int | None]) -> Known:
    """`permute`."""
    if value.axis is None or None in order or value.axis not in [_up(one, order) for one in order]:
        return None
    axis = [_up(one, order) for one in order].index(value.axis)
    return replace(value, axis=axis, rank=len(order))


def _up(axis: int | None, order: Sequence[int | None]) -> int:
    assert axis is not None
    return axis + len(order) if axis < 0 else axis


def swapped(value: Seq, one: int | None, other: int | None) -> Known:
    """`transpose`."""
    if value.axis is None or one is None or other is None:
        return None
    if min(one, other) < 0:
        if value.rank is None:
            return None
        one, other = one % value.rank, other % value.rank
    axis = {one: other, other: one}.get(value.axis, value.axis)
    return replace(value, axis=axis)


def reshaped(value: Seq, sizes: Sequence[Known | str]) -> Known:
    """`view(B, T, H, D)`: time is where its length stands; `-1` may take it in."""
    places = [
        place
        for place, size in enumerate(sizes)
        if isinstance(size, Size) and size.value.lengths == value.length.lengths == 1
    ]
    if value.axis is None and not value.flat:
        return value if value.pooled else None
    if len(places) == 1:
        return replace(value, axis=places[0], rank=len(sizes), flat=False)
    if len(sizes) <= 2 and sizes and sizes[0] == "-1":
        return replace(value, axis=None, rank=len(sizes), flat=True)
    return None


def listed(value: Seq, axis: int | None) -> Known:
    """`chunk`, `split`, `unbind` along another axis than time."""
    if axis is None or value.axis is None or along(value, axis):
        return None
    return Parts(each=value)


def pooled(value: Seq, axis: int | None, look: Look, *, keeps: bool) -> Known:
    """A mean, a sum or a maximum along time: one entry that knows all places."""
    if axis == 0 and value.axis == 1 and value.rank == 3 and keeps:  # over the rows of a batch
        rows = replace(look, how=f"{look.how}, those of other rows too", sure=False)
        return replace(value, knows=END, look=rows, tokens=False)
    if not along(value, axis):
        return value if value.flat and keeps else _without(value, axis, keeps=keeps)
    if keeps:
        return replace(
            value, knows=END, length=WHOLE, look=look, axis=None, pooled=True, tokens=False
        )
    return replace(value, axis=None, rank=None, knows=END, look=look, pooled=True, tokens=False)


def _without(value: Seq, axis: int | None, *, keeps: bool) -> Known:
    if axis is None or value.axis is None:
        return None
    if keeps:
        return value
    if axis < 0:
        if value.rank is None:
            return value if axis == -1 else None
        axis += value.rank
    rank = None if value.rank is None else value.rank - 1
    return replace(value, axis=value.axis - (axis < value.axis), rank=rank)


def attention_axis(name: str) -> int | None:
    """How many axes lie behind that of time, in what an attention function is given."""
    if name == "scaled_dot_product_attention":
        return 1
    return 2 if name.startswith("flash_attn") and name.endswith("func") else None


def literal(node: ast.expr | None) -> object:
    try:
        return ast.literal_eval(node) if node is not None else None
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None


def named(call: ast.Call) -> Mapping[str, ast.expr]:
    return {one.arg: one.value for one in call.keywords if one.arg is not None}


def empty_like(value: Known) -> Known:
    return nowhere(value) if isinstance(value, Seq) else None
