"""What a rank says of its own end, through a pipe that is read once the run is over.

Guarantees: one line, of a length that fits the pipe, so that saying it never waits for a reader.
It comes from inside the script's process: it explains an end and proves nothing.
"""

import contextlib
import json
import os
import time
from dataclasses import asdict, dataclass, field

MAX_LINE_BYTES = 60_000  # fits a pipe (64 KiB) that nobody reads before the end


@dataclass(frozen=True)
class EndMessage:
    """How a rank ended, as it sees it."""

    started: bool  # False: it never came to the script's first line
    exit_code: int
    cause: str
    where: str
    at: float = field(default_factory=time.monotonic)  # s: which of several ranks failed first

    def send(self, descriptor: int) -> None:
        """Writes it, if the script has left the descriptor open; else the exit status must do."""
        with contextlib.suppress(OSError):
            os.write(descriptor, json.dumps(asdict(self)).encode()[:MAX_LINE_BYTES] + b"\n")

    @classmethod
    def last_of(cls, said: str) -> "EndMessage | None":
        """The last line of all that was said, where it is a message.

        A dump of the stack may come before it, and the script may add noise.
        """
        try:
            message = cls(**json.loads(said.strip().rpartition("\n")[2]))
        except (ValueError, TypeError, RecursionError):
            return None
        is_sound = isinstance(message.cause, str) and isinstance(message.where, str)
        return message if is_sound and isinstance(message.at, float) else None
