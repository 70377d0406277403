"""What is known of live objects, kept beside them: by identity, and dropped when they die.

Nothing that the script saves, copies or compares is changed by it.
"""

import weakref
from collections.abc import Iterator
from typing import Any, Generic, TypeVar

# As `id`, which raises an audit event: since the watch hears those, 0.5 us a call.
identity = object.__hash__

T = TypeVar("T")


class _Entry(weakref.ref[Any]):
    """A reference that knows its key, and what is known; one function serves the deaths of all."""

    __slots__ = ("key", "known")
    key: int
    known: Any


class WeakIdentityMap(Generic[T]):
    """One thing known of each of some objects."""

    def __init__(self) -> None:
        self._entries: dict[int, _Entry] = {}
        self._died = self._forget
        self.keys = self._entries.keys()  # `identity` of every known object
        self.puts = 0  # how often something was learnt

    def find(self, thing: Any) -> T | None:
        """What is known of an object, if anything."""
        entry = self._entries.get(identity(thing))
        return entry.known if entry is not None and entry() is thing else None

    def put(self, thing: Any, known: T) -> None:
        """Keeps it until the object dies."""
        entry = _Entry(thing, self._died)
        entry.key = key = identity(thing)
        entry.known = known
        self._entries[key] = entry
        self.puts += 1

    def pop(self, thing: Any) -> T | None:
        """What was known of an object; from now on, nothing."""
        found = self.find(thing)
        self._entries.pop(identity(thing), None)
        return found

    def live(self) -> Iterator[tuple[Any, T]]:
        """Every known object that is still there."""
        for entry in list(self._entries.values()):
            thing = entry()
            if thing is not None:
                yield thing, entry.known

    def _forget(self, gone: _Entry) -> None:
        if self._entries.get(gone.key) is gone:
            del self._entries[gone.key]
