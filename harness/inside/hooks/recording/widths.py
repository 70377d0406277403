"""What arithmetic leaves of a normalised score: log, exp, and numbers taken off, by value."""

from dataclasses import replace
from typing import Any

import numpy as np

from harness.inside.hooks.recording.position_maps import PositionMap, Positions
from harness.protocol.question import UNITS

LOG, EXP = ("log",), ("exp",)
ADD = ("add", "__add__", "__radd__", "__iadd__", "add_", "iadd")
SUBTRACT = ("sub", "subtract", "__sub__", "__isub__", "isub")
TURNED = ("rsub", "__rsub__")
SCALE = ("mul", "multiply", "__mul__", "__rmul__", "imul")
DIVIDE = ("div", "divide", "true_divide", "__truediv__", "itruediv")
LIMITS = ("clamp", "clamp_min", "clamp_max", "clip", "maximum", "minimum", "nan_to_num")
BASES = {"log2": UNITS["bits"], "log10": UNITS["digits"]}


def after(
    name: str,
    mapped: PositionMap,  # of the one argument that holds scores
    positions: Positions,  # of the result
    other: Any,  # the other argument as numbers, or None
    scores_first: bool,
    unchanged: Any,  # asks whether the result is the argument still
) -> dict[str, Any]:
    """The fields of the result's map that say what it is normalised by; empty: nothing is."""
    if name in LOG and mapped.row_width:
        return {"softmax_width": mapped.row_width}
    if name in BASES and mapped.row_width:
        return {"softmax_width": mapped.row_width, "factor": 1.0 / BASES[name]}
    if name in EXP and mapped.softmax_width and mapped.factor is None:
        return {"row_width": mapped.softmax_width}
    if name in LIMITS and (mapped.row_width or mapped.softmax_width) and unchanged():
        return {
            "row_width": mapped.row_width,
            "softmax_width": mapped.softmax_width,
            "factor": mapped.factor,
        }
    if mapped.normaliser is None:
        return {}
    return _normalised(name, mapped.normaliser, positions, other, scores_first)


def _normalised(
    name: str, normaliser: Any, positions: Positions, other: Any, scores_first: bool
) -> dict[str, Any]:
    if name in LOG and normaliser.weights:
        return {"normaliser": replace(normaliser, weights=False)}
    if name in ("neg", "__neg__", "negative") and not normaliser.weights:
        return {"normaliser": replace(normaliser, sign=-normaliser.sign)}
    if other is None:
        return {}
    if normaliser.weights:
        if name in SCALE:
            left = normaliser.scaled(positions, other)
        elif name in DIVIDE and scores_first:
            with np.errstate(divide="ignore"):
                left = normaliser.scaled(positions, 1.0 / np.asarray(other, np.float64))
        else:
            return {}
        spent = left.is_spent(positions)
        return {"row_width": left.width} if spent else {"normaliser": left}
    if name in ADD:
        left = normaliser.added(positions, other, 1.0, turned=False)
    elif name in SUBTRACT or name in TURNED:
        turned = scores_first if name in TURNED else not scores_first
        left = normaliser.added(positions, other, -1.0, turned)
    else:
        return {}
    return {"softmax_width": left.width} if left.is_spent(positions) else {"normaliser": left}
