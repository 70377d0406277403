"""Sizes of the model: widths, heads, and from which size on a matrix is quantised.

Depth stays, since switches that are indexed by layer assume it.
"""

from harness.configure.shrinking.target import Proportions, power_of_two


def width(value: float, was: Proportions) -> float | None:
    """Widths keep their proportion to the model's: 128 beside 512 becomes 16 beside 64."""
    if not was.target.shrink_model or value < 24:
        return None
    scaled = value * was.target.width / was.width
    return min(value, max(8, 4 * round(scaled / 4)))


def quantised_numel(value: float, was: Proportions) -> float | None:
    """The size from which a matrix is quantised: 65,536 of 512 x 512 is 1,024 of 64 x 64.

    Where no token decides how it is rounded, rounding tells nothing and costs a small model power.
    """
    if not was.target.shrink_model or not was.calibrates:
        return None
    return min(value, max(64, power_of_two(value * (was.target.width / was.width) ** 2)))


def heads(value: float, was: Proportions) -> float | None:
    """Those of the small model."""
    return was.target.heads if was.target.shrink_model and value > 0 else None


def kv_heads(value: float, was: Proportions) -> float | None:
    """In proportion to the heads."""
    if not was.target.shrink_model or value <= 0:
        return None
    return max(1, round(was.target.heads * value / was.heads))


def head_size(value: float, was: Proportions) -> float | None:
    """The small width, by the small number of heads."""
    return _head(was) if was.target.shrink_model and value > 0 else None


def rotary(value: float, was: Proportions) -> float | None:
    """At most half a head: 16 of 64 in nearly all scripts, 8 of 16 here."""
    return min(value, _head(was) // 2) if was.target.shrink_model and value > 0 else None


def layers(value: float, was: Proportions) -> float | None:
    """As the folder ran it, unless the target says otherwise."""
    return was.target.layers or None


def frozen(value: float, was: Proportions) -> float | None:
    """Layers that are not trained: fewer than there are, or nothing would be left to train."""
    return was.target.layers - 1 if 0 < was.target.layers <= value else None


def _head(was: Proportions) -> int:
    return was.target.width // was.target.heads
