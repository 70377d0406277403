"""What came of a counterexample that was made again."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Replayed:
    """Both sides of one."""

    lines: Sequence[str]
    again: bool  # it breaks the rule now as well
