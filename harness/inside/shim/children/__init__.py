"""Python processes that the script starts (launchers, `torchrun` on a sibling file) get the shim.

Replaces: nothing in this process. The folder of this module goes to the front of PYTHONPATH, and
its `sitecustomize`, which every Python reads at its start, installs the shim after torch's import.
The numbers stay right: it is the same shim.
Not covered: processes started with `-I`, `-E` or an environment of their own; what a child scores
is printed but not captured.
"""

import os
from pathlib import Path


def install() -> None:
    """Puts the folder on the path that children inherit, once."""
    here = str(Path(__file__).parent)
    rest = [p for p in os.environ.get("PYTHONPATH", "").split(os.pathsep) if p and p != here]
    os.environ["PYTHONPATH"] = os.pathsep.join([here, *rest])
