"""What is known of live objects, kept beside them: by identity, and dropped when they die.

Nothing that the script saves, copies or compares is changed by it.
"""

import weakref
from collections.abc import Iterable, Iterator
from typing import Any, Generic, TypeVar

# As `id`, which raises an audit event: since the watch hears those, 0.5 us a call.
identity = object.__hash__

T = TypeVar("T")


class _Keyed(weakref.ref[Any]):
    """A reference that knows its key; one function serves the deaths of all."""

    __slots__ = ("key",)
    key: int


class Beside(Generic[T]):
    """One thing known of each of some objects."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[_Keyed, T]] = {}
        self._keys = self._known.keys()
        self.puts = 0  # how often something was learnt

    def find(self, thing: Any) -> T | None:
        """What is known of an object, if anything."""
        entry = self._known.get(identity(thing))
        return entry[1] if entry is not None and entry[0]() is thing else None

    def put(self, thing: Any, known: T) -> None:
        """Keeps it until the object dies."""
        reference = _Keyed(thing, self._forget)
        reference.key = identity(thing)
        self._known[reference.key] = (reference, known)
        self.puts += 1

    def pop(self, thing: Any) -> T | None:
        """What was known of an object; from now on, nothing."""
        found = self.find(thing)
        self._known.pop(identity(thing), None)
        return found

    def knows_none_of(self, things: Iterable[Any]) -> bool:
        """The quickest answer, for most calls of a model."""
        return not self._keys or self._keys.isdisjoint(map(identity, things))

    def live(self) -> Iterator[tuple[Any, T]]:
        """Every known object that is still there."""
        for reference, known in list(self._known.values()):
            thing = reference()
            if thing is not None:
                yield thing, known

    def _forget(self, gone: Any) -> None:
        entry = self._known.get(gone.key)
        if entry is not None and entry[0] is gone:
            del self._known[gone.key]
