"""Every file of a folder, however it was made.

Guarantees: no link is followed into another folder, and what cannot be listed ends nothing.
Does not cover: what lies below a path of more than LONGEST_PATH bytes, which is not gone into;
`too_deep` says so.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

LONGEST_PATH: Final = 3_500  # bytes; Linux takes 4,095 in one call, and copies lie elsewhere


def files_below(folder: Path) -> Iterator[Path]:
    """Whatever is no folder: files, links, pipes."""
    for place, folders, names in os.walk(folder):
        if _is_long(place):
            folders.clear()
        yield from (Path(place, name) for name in names)


def too_deep(folder: Path) -> str:
    """The part of it that was not gone into; empty where all was."""
    for place, folders, _ in os.walk(folder):
        if _is_long(place) and folders:
            first = Path(place).relative_to(folder).parts[0]
            return f"{first}/..."
    return ""


def _is_long(place: str) -> bool:
    return len(os.fsencode(place)) > LONGEST_PATH
