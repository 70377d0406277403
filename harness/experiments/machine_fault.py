"""Whose fault it was that a base run gave no score: the script's, or the machine's and ours.

Guarantees: a run that never came to the script's first line, and one that ended at the import of a
package that our own installation brings, are no fault of the script (SandboxError). Does not cover:
packages that a script brings or asks for; their absence is in the complaint of the script itself.
"""

import re

from harness.errors import SandboxError
from harness.protocol.job import Outcome, RunState

# The dependencies of pyproject.toml: what a script may find beside the standard library.
PROVIDED = frozenset(
    {
        *("brotli", "jsonschema", "libcst", "numpy", "platformdirs", "pyarrow", "safetensors"),
        *("scipy", "sentencepiece", "torch", "tqdm", "triton", "xxhash", "zstandard"),
    }
)
_ABSENT = re.compile(r"ModuleNotFoundError: No module named '(\w+)'$")


def require_machine(outcome: Outcome) -> None:
    """Raises SandboxError where this end is no fault of the script."""
    if outcome.state is RunState.NOT_STARTED:
        raise SandboxError(f"the script was never started: {outcome.cause}")
    absent = _ABSENT.search(outcome.cause)
    if outcome.state is RunState.FAILED and absent and absent[1] in PROVIDED:
        raise SandboxError(
            f"this machine's Python gives a run no {absent[1]}, which scorefirst's own installation"
            " brings: that is no fault of the script. Install it beside scorefirst (python -m pip"
            f" install {absent[1]}), in an environment or a folder of packages on PYTHONPATH; of a"
            " folder on PYTHONPATH that holds this checkout or the report, a run sees nothing"
        )
