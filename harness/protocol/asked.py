"""A setting that the script asked for while it ran: its name, its default, the line.

Made inside the script's process: it explains and configures, and proves nothing.
"""

from dataclasses import dataclass
from enum import StrEnum

MOST_NAMES = 2_000  # a run; real scripts ask for at most some 250
MOST_CHARACTERS = 200  # of a name, and of a default
SMALLEST_SIZE = 8.0  # a default below that is a switch, a rate or a number of ranks


class Way(StrEnum):
    """How it was asked for."""

    ENVIRONMENT = "environment"
    OPTION = "option"  # of the command line
    ENTRY = "entry"  # of a configuration file that it parsed: "model.dim"


@dataclass(frozen=True)
class AskedSetting:
    """One name."""

    name: str  # "MODEL_DIM", "--model-dim"
    way: Way
    default: str | None  # what would stand there, as text; None: nothing, or not known
    site: str = ""  # "train_gpt.py:71"

    @property
    def is_size(self) -> bool:
        """By its default."""
        try:
            return self.default is not None and float(self.default) >= SMALLEST_SIZE
        except ValueError:
            return False
