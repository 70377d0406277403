"""How a Python process of ours is started: it imports what this one does, wherever that lies, and
nothing of the folder that it is started in.

Guarantees: no file of the working directory is imported (`-P`: it may be a submission's folder);
entries of the caller's PYTHONPATH go along, absolute, and so do packages that were installed for
this user alone. Does not cover: what this process put on its own path by hand.
"""

import os
import site
import sys
from pathlib import Path

_OURS = str(Path(__file__).resolve().parents[1])  # of a checkout, or the folder of an installation


def command(module: str, *arguments: str) -> list[str]:
    """Runs one of our modules."""
    return [sys.executable, "-P", "-m", module, *arguments]


def environment() -> dict[str, str]:
    """Where it looks for packages: ours first."""
    given = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    path = os.pathsep.join([_OURS, *(os.path.abspath(entry) for entry in given if entry)])
    if site.ENABLE_USER_SITE:
        return {"PYTHONPATH": path, "PYTHONUSERBASE": site.getuserbase()}  # its HOME is another
    return {"PYTHONPATH": path, "PYTHONNOUSERSITE": "1"}
