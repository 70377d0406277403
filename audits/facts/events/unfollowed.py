"""Events of a reading that loses its way, and what it knew of its way: loops, and switches.

Guarantees: a cut is noted only where something of the evaluation went into it.
Does not cover: constructs that are read as if they had no effect, such as `assert`.
"""

from __future__ import annotations

from dataclasses import dataclass

from audits.facts.events.moments import Site


@dataclass(frozen=True, slots=True)
class Cut:
    """A construct that the reading does not follow."""

    site: Site
    construct: str
    lost: str
