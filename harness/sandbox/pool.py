"""Several fork servers, so that as many runs go side by side as there are cores; each serves one
job at a time.
"""

import contextlib
import queue

from harness.closing import Closing
from harness.protocol.job import Job, Outcome
from harness.sandbox.fork_server import ForkServer


class Pool(Closing):
    """`size` fork servers, each started when it is first needed. Threads may share one pool."""

    def __init__(self, size: int, device: str = "cpu") -> None:
        self._device = device
        self._idle: queue.LifoQueue[ForkServer | None] = queue.LifoQueue()
        self._open = contextlib.ExitStack()
        for _ in range(size):
            self._idle.put(None)

    def run(self, job: Job) -> Outcome:
        """Waits for an idle fork server and runs the job there."""
        server = self._idle.get()
        try:
            if server is None:
                server = self._open.enter_context(ForkServer(device=self._device))
            return server.run(job)
        finally:
            self._idle.put(server)

    def close(self) -> None:
        """Ends every fork server."""
        self._open.close()
