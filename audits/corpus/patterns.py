"""Patterns of refs, such as `refs/pull/5*/head`: which refs a run leaves out.

Guarantees: shell patterns, told apart by case; `#` starts a comment in a file of them.
Does not cover: `**`; a `*` goes over slashes anyway.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from pathlib import Path

from audits.corpus.repository import Ref
from audits.folder import UsageError


def patterns_in(file: Path | None) -> list[str]:
    """One pattern a line of the file, if there is one."""
    if file is None:
        return []
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}") from error
    return [text for line in lines if (text := line.partition("#")[0].strip())]


def matches(ref: Ref, patterns: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(ref.name, pattern) for pattern in patterns)
