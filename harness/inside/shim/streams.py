"""CUDA streams and events where everything runs in order.

Replaces: `torch.cuda.Stream`, `Event` and `stream()`.
The numbers stay right: a single queue is one of the orders that a correct use of streams allows,
and the one in which no wait is ever needed.
Not covered: code that relies on two streams truly running at once.
"""

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any, ClassVar


class Stream:
    """The one queue."""

    current: ClassVar["Stream"]
    cuda_stream = 0
    stream_id = 0

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def synchronize(self) -> None:
        """All work is done already."""

    wait_stream = wait_event = lambda self, _: None

    def query(self) -> bool:
        """Whether all work is done."""
        return True

    def record_event(self, event: "Event | None" = None) -> "Event":
        """An event at this point of the queue."""
        event = event or Event()
        event.record()
        return event

    def __enter__(self) -> "Stream":
        return self

    def __exit__(self, *_: object) -> None:
        pass


Stream.current = Stream()


@contextlib.contextmanager
def running(stream: Stream | None = None) -> Iterator[Stream | None]:
    """`with torch.cuda.stream(...)`."""
    yield stream


class Event:
    """A point in time."""

    clock: ClassVar[Callable[[], float]] = staticmethod(time.perf_counter)  # s

    def __init__(self, *_: Any, **__: Any) -> None:
        self._at_s: float = type(self).clock()

    def record(self, stream: Stream | None = None) -> None:
        """Remembers now."""
        self._at_s = type(self).clock()

    def elapsed_time(self, end: "Event") -> float:
        """Milliseconds from this event to `end`."""
        return (end._at_s - self._at_s) * 1000

    def query(self) -> bool:
        """Whether the event has passed."""
        return True

    def synchronize(self) -> None:
        """It has passed."""

    def wait(self, stream: Stream | None = None) -> None:
        """It has passed."""
