"""Totals that are not written down yet: those of a loop, and those that carry a gradient."""

from dataclasses import dataclass, field

from torch import Tensor

from harness.inside.hooks.recording.position_maps import PositionMap
from harness.inside.hooks.recording.sites import Site


@dataclass(frozen=True, eq=False)
class AwaitedTotal:
    """A total that carries a gradient, until somebody reads it."""

    mapped: PositionMap
    values: Tensor  # of the map's shape


@dataclass(frozen=True, eq=False)
class Loop:
    """Scores that one line adds up one by one: one event."""

    site: Site
    mapped: PositionMap
    read_out: bool
    positions: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)

    def goes_on(self, site: Site, mapped: PositionMap, read_out: bool) -> bool:
        """Whether the next score belongs to it."""
        return self.site == site and self.mapped.loss == mapped.loss and self.read_out == read_out
