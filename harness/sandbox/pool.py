"""Several nurseries, so that as many runs go side by side as there are cores; each serves one job
at a time.
"""

import contextlib
import queue

from harness.closing import Closing
from harness.protocol.job import Job, Outcome
from harness.sandbox.fork_server import Nursery


class Pool(Closing):
    """`size` nurseries, each started when it is first needed. Threads may share one pool."""

    def __init__(self, size: int, device: str = "cpu") -> None:
        self._device = device
        self._idle: queue.LifoQueue[Nursery | None] = queue.LifoQueue()
        self._open = contextlib.ExitStack()
        for _ in range(size):
            self._idle.put(None)

    def run(self, job: Job) -> Outcome:
        """Waits for an idle nursery and runs the job there."""
        nursery = self._idle.get()
        try:
            if nursery is None:
                nursery = self._open.enter_context(Nursery(device=self._device))
            return nursery.run(job)
        finally:
            self._idle.put(nursery)

    def close(self) -> None:
        """Ends every nursery."""
        self._open.close()
