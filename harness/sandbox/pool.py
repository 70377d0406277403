"""Several fork servers, so that as many runs go side by side as there are cores; each serves one
job at a time.
"""

import queue
import threading

from harness.closing import Closing
from harness.protocol.job import Job, Outcome
from harness.sandbox.fork_server import ForkServer


class Stopped(Exception):
    """The run was ended, or never begun, because the pool was stopped."""


class Pool(Closing):
    """`size` fork servers, each started when it is first needed. Threads may share one pool."""

    def __init__(self, size: int, device: str = "cpu") -> None:
        self._device = device
        self._idle: queue.LifoQueue[ForkServer | None] = queue.LifoQueue()
        self._servers: list[ForkServer] = []
        self._lock = threading.Lock()  # of that list, and of being stopped
        self._stopped = False
        for _ in range(size):
            self._idle.put(None)

    def run(self, job: Job) -> Outcome:
        """Waits for an idle fork server and runs the job there. Raises Stopped."""
        server = self._idle.get()
        try:
            server = server or self._started()
            outcome = server.run(job)
        finally:
            self._idle.put(server)
        if self._stopped:
            raise Stopped
        return outcome

    def stop(self) -> None:
        """Ends every run that is under way, and lets none begin any more."""
        with self._lock:
            self._stopped = True
            for server in self._servers:
                server.stop()

    def close(self) -> None:
        """Ends every fork server."""
        for server in self._servers:
            server.close()

    def _started(self) -> ForkServer:
        with self._lock:
            if self._stopped:
                raise Stopped
            server = ForkServer(device=self._device)
            self._servers.append(server)
        return server
