"""The numbers of a log, by the lines that the contest's file describes.

Guarantees: a line of source that a log echoes gives nothing, since a figure has to stand where the
pattern wants one; every number keeps its line. Seconds are seconds, whatever the log prints.
Does not cover: scores; `audits.facts.documented.printed_scores` reads those.
"""

import math
import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

from harness.claims.record import Number, Place

MOST_OF_A_NAME = 10_000  # numbers of one name: of what is longer, the first are read
UNITS = {"n": 1.0, "s": 1.0, "ms": 1e-3}


@dataclass(frozen=True)
class Text:
    """A log, with the line that each of its lines has in the file."""

    text: str
    places: Sequence[int]
    starts: Sequence[int]  # offsets of the lines

    @classmethod
    def of(cls, numbered: Sequence[tuple[int, str]]) -> "Text":
        """From pairs of number and line."""
        starts, at = [], 0
        for _, line in numbered:
            starts.append(at)
            at += len(line) + 1
        text = "\n".join(line for _, line in numbered)
        return cls(text, [number for number, _ in numbered], starts)

    def line_at(self, offset: int) -> int:
        """In the file."""
        return self.places[bisect_right(self.starts, offset) - 1]


@dataclass(frozen=True)
class Lines:
    """What a contest's logs look like."""

    patterns: Mapping[str, tuple[re.Pattern[str], ...]]

    def numbers(self, log: Text, file: str) -> dict[str, tuple[Number, ...]]:
        """By name, in the order of the log."""
        found = {name: [*self._of(name, log, file)] for name in self.patterns}
        return {
            name: tuple(sorted(several, key=lambda one: one.place.line))
            for name, several in found.items()
            if several
        }

    def words(self, log: Text) -> dict[str, str]:
        """The first of each name."""
        found: dict[str, str] = {}
        for name, patterns in self.patterns.items():
            for pattern in (p for p in patterns if "word" in p.groupindex):
                if match := pattern.search(log.text):
                    found.setdefault(name, match["word"])
        return found

    def of_line(self, name: str, line: str) -> float | None:
        """What one line says of one name."""
        for pattern in self.patterns.get(name, ()):
            if (match := pattern.search(line)) and (value := _value(match)) is not None:
                return value
        return None

    def _of(self, name: str, log: Text, file: str) -> Iterator[Number]:
        for pattern in (p for p in self.patterns[name] if "word" not in p.groupindex):
            for match in islice(pattern.finditer(log.text), MOST_OF_A_NAME):
                if (value := _value(match)) is not None:
                    yield Number(name, value, Place(file, log.line_at(match.end())))


def lines_of(patterns: Mapping[str, Sequence[str]]) -> Lines:
    """Compiled, once for each contest."""
    return _compiled(tuple((name, tuple(several)) for name, several in patterns.items()))


@lru_cache(maxsize=16)
def _compiled(patterns: tuple[tuple[str, tuple[str, ...]], ...]) -> Lines:
    return Lines(
        {name: tuple(re.compile(p, re.MULTILINE) for p in several) for name, several in patterns}
    )


def _value(match: re.Match[str]) -> float | None:
    unit = next((unit for unit in UNITS if unit in match.re.groupindex), "")
    try:
        value = float(match[unit]) * UNITS[unit] if unit else math.nan
    except ValueError:  # "1.2.3"
        return None
    return value if math.isfinite(value) else None
