"""Which scorefirst it was: its name, its version and, in a checkout, its commit.

Guarantees: a commit is named only where the code that runs lies in that checkout itself; changes
that were not committed show as `-dirty`. Does not cover the libraries beneath.
"""

from __future__ import annotations

import subprocess
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Final

NAME: Final = "scorefirst"
_ROOT: Final = Path(__file__).resolve().parents[1]


def version() -> str:
    """Of the installed package; a bare checkout has none."""
    try:
        return metadata.version(NAME)
    except metadata.PackageNotFoundError:
        return "0.0.0"


@cache
def commit(root: Path = _ROOT) -> str | None:
    """40 hex digits, then `-dirty` where files differ; None where this is no checkout."""
    if not (root / ".git").exists():  # an environment inside another project's checkout
        return None
    command = ["git", "-C", str(root), "describe", "--always", "--abbrev=40", "--dirty"]
    try:
        ran = subprocess.run(
            [*command, "--exclude=*"], capture_output=True, text=True, check=True, timeout=10
        )
    except (OSError, subprocess.SubprocessError):  # no git here, or it refuses the folder
        return None
    return ran.stdout.strip() or None
