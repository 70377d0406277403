"""The map of a script as lines: what scores, what is trained, what is on, off, and not known.

Guarantees: short; what is left out is counted. Lines are those of the unpacked text.
Does not cover: escaping; whoever prints them does that.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from audits.recognised import Recognised, Scoring, Technique, Training, Unfollowed

MOST: Final = 6  # lines of one kind
MOST_NAMES: Final = 12  # switches of one kind, on one line
_WIDTH: Final = 8
_LONGEST: Final = 100  # characters of a printed line


def map_lines(entry: str, known: Recognised) -> Iterator[str]:
    """Of a script; places in other files are named with them."""
    scores = [_score(entry, one) for one in known.scores]
    yield from _block("scores", scores or ["none was recognised"])
    yield from _block("trains", [_training(entry, one) for one in known.trained])
    for word, on in (("on", True), ("off", False)):
        found = [_technique(entry, one) for one in known.techniques if one.on is on]
        yield from _block(word, [*found, *_switches(known, on=on)])
    yield from _block("unknown", [_unfollowed(entry, one) for one in known.unfollowed])


def _block(word: str, lines: Sequence[str]) -> Iterator[str]:
    for line in lines[:MOST]:
        yield f"{word:{_WIDTH}}{line}"
    if len(lines) > MOST:
        yield f"{'':{_WIDTH}}and {len(lines) - MOST} more"


def _at(entry: str, file: str, line: int) -> str:
    return f"line {line}" if file == entry else f"{file}:{line}"


def _score(entry: str, one: Scoring) -> str:
    loops = f", in the loop{'s' if len(one.loops) > 1 else ''} of line " if one.loops else ""
    loops += " and ".join(map(str, one.loops))
    part = f", [{one.in_part}] of each window" if one.in_part else ""
    said = "; ".join(
        f'"{line.text[:_LONGEST]}" ({_at(entry, line.file, line.line)})'
        for line in one.printed[-2:]
    )
    ends = f": {said}" if said else ": where it is printed is not known"
    counted = {None: "", True: "; submitted", False: "; beside the submitted number"}[one.submitted]
    return f"{_at(entry, one.file, one.line)} in {one.function}{loops}{part}{ends}{counted}"


def _training(entry: str, one: Training) -> str:
    step = f" (step at line {one.step})" if one.step != one.line else ""
    when = f", {one.when}" if one.when else ""
    return f"{one.what} on {one.on}, {_at(entry, one.file, one.line)}{step}{when}"


def _technique(entry: str, one: Technique) -> str:
    off = f": {one.switch}" if one.switch else ""
    return f"{one.name} ({_at(entry, one.file, one.line)}){off}"


def _switches(known: Recognised, *, on: bool) -> Iterator[str]:
    names = [one.name for one in known.switches if one.on is on]
    if names:
        more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
        yield f"switches: {', '.join(names[:MOST_NAMES])}{more}"


def _unfollowed(entry: str, one: Unfollowed) -> str:
    return f"{one.construct} ({_at(entry, one.file, one.line)}): {one.lost}"
