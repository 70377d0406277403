"""Which file the papers of a folder point to, where its commands and names leave several.

Guarantees: a file is named only where the evidence that there is agrees on one: the size of the
code, as submission.json and the logs give it, and the source that a script writes into its log.
Does not cover: what commands start; the folder weighs that first.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

from audits.facts.documented.logs import Logs
from audits.facts.documented.manifest import manifest_of

SHORTEST_SOURCE = 200  # characters; less may stand in a log by chance
MAX_SOURCE = 1_000_000  # bytes; a longer one is cut in the log as it is read
_CODE_SIZE = re.compile(r"\bcode(?:[ _](?:size|bytes))? ?[:=] ?(\d{1,12})\b", re.IGNORECASE)
_NUMBER = re.compile(r"code.*(?:bytes|size)|(?:bytes|size).*code", re.IGNORECASE)


def pointed_to(folder: Path, files: Collection[str], logs: Logs) -> str | None:
    """The one file that every kind of evidence allows; None where none speaks, or they differ."""
    paths = ((name, folder / name) for name in files)
    files = [name for name, path in paths if path.is_file() and not path.is_symlink()]
    allowed = set(files)
    witnesses = (_by_size(folder, files, logs), _by_source(folder, files, logs))
    for found in filter(None, witnesses):
        allowed &= found
    return allowed.pop() if any(witnesses) and len(allowed) == 1 else None


def _by_size(folder: Path, files: Collection[str], logs: Logs) -> set[str]:
    """Files that are as long as the code was said to be."""
    sizes = {
        value
        for key, value in manifest_of(folder).flat.items()
        if _NUMBER.fullmatch(key) and isinstance(value, int)
    }
    sizes |= {int(size) for text in logs.texts.values() for size in _CODE_SIZE.findall(text)}
    return {name for name in files if (folder / name).stat().st_size in sizes}


def _by_source(folder: Path, files: Collection[str], logs: Logs) -> set[str]:
    """Files whose whole text is in a log."""
    texts = {name: _text(folder / name) for name in files}
    dumps = [text.replace("\r\n", "\n") for text in logs.texts.values()]
    return {
        name
        for name, text in texts.items()
        if len(text) >= SHORTEST_SOURCE and any(text in dump for dump in dumps)
    }


def _text(path: Path) -> str:
    if path.stat().st_size > MAX_SOURCE:
        return ""
    return path.read_bytes().decode("utf-8", "replace").replace("\r\n", "\n").strip()
