"""What a script prints, or its recorder says: a pipe on its side, a bounded file on ours that only
grows.

Guarantees: the file never grows past its limit and a note says where it was cut; a script that
floods it is slowed by nothing and fills no disk. Does not cover output that the script sends
elsewhere.
"""

import contextlib
import fcntl
import os
from pathlib import Path

READ_BYTES = 1 << 16
ROOM_BYTES = 1 << 20  # what a writer need not wait for
CUT_NOTE = b"\n[the log ends here: it had reached its limit]\n"


class OutputLog:
    """Owns both ends of the pipe; `write_fd` becomes the script's stdout and stderr."""

    def __init__(self, path: Path, limit_bytes: int) -> None:
        self.read_fd, self.write_fd = os.pipe()
        os.set_blocking(self.read_fd, False)
        with contextlib.suppress(OSError):  # of a user who has many: a smaller one does too
            fcntl.fcntl(self.write_fd, fcntl.F_SETPIPE_SZ, ROOM_BYTES)
        self._file = path.open("wb", buffering=0)
        self._left = limit_bytes

    def pump(self) -> bool:
        """Moves what is in the pipe to the file. False once every writer is gone."""
        try:
            chunk = os.read(self.read_fd, READ_BYTES)
        except BlockingIOError:
            return True
        self._keep(chunk)
        return bool(chunk)

    def drain(self) -> None:
        """Takes the rest. Call when the writers are dead; one that is not is not waited for."""
        while True:
            try:
                chunk = os.read(self.read_fd, READ_BYTES)
            except BlockingIOError:
                return
            if not chunk:
                return
            self._keep(chunk)

    def _keep(self, chunk: bytes) -> None:
        if self._left <= 0:
            return
        self._file.write(chunk[: self._left])
        self._left -= len(chunk)
        if self._left <= 0:
            self._file.write(CUT_NOTE)
