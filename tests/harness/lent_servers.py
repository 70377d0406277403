"""Fork servers that outlive the evaluation that started them: each takes two seconds to load torch,
and no run inherits anything of the one before it (`sandbox/test_fork_server.py`). Evaluations in a
process that a test forked start their own.
"""

import os
from typing import ClassVar

from harness.sandbox.fork_server import ForkServer
from harness.sandbox.pool import Pool

OWNER = os.getpid()


class LendingPool(Pool):
    """A pool whose servers the next one takes. One that was stopped ended its servers itself."""

    idle: ClassVar[list[ForkServer]] = []

    def close(self) -> None:
        """They go on serving."""
        if self._lends:
            self.idle.extend(self._servers)
        else:
            super().close()

    def _started(self) -> ForkServer:
        with self._lock:
            if self.idle and self._lends:
                self._servers.append(self.idle.pop())
                return self._servers[-1]
        return super()._started()

    @property
    def _lends(self) -> bool:
        return self._device == "cpu" and not self._stopped and os.getpid() == OWNER

    @classmethod
    def end_all(cls) -> None:
        """Behind the last test."""
        while cls.idle:
            cls.idle.pop().close()
