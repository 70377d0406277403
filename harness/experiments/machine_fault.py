"""Whose fault it was that a base run gave no score: the script's, or the machine's and ours.

Guarantees: a run that never came to the script's first line, and one that ended at the import of a
package that our own installation brings, are no fault of the script (SandboxError); but where its
folder holds a module by the name of one that recording needs, that is said (SubmissionError). Does
not cover: packages that a script brings or asks for; their absence is in the complaint of the
script itself.
"""

import re
import sys
from collections.abc import Iterator

from harness.configure.run_spec import RunSpec
from harness.errors import NotIsolated, SandboxError, SubmissionError
from harness.protocol.confinement import NOT_WHOLE
from harness.protocol.job import Outcome, RunState

# The dependencies of pyproject.toml: what a script may find beside the standard library.
PROVIDED = frozenset(
    {
        *("brotli", "jsonschema", "libcst", "numpy", "platformdirs", "pyarrow", "safetensors"),
        *("scipy", "sentencepiece", "torch", "tqdm", "triton", "xxhash", "zstandard"),
    }
)
_ABSENT = re.compile(r"ModuleNotFoundError: No module named '(\w+)'$")


def require_machine(outcome: Outcome, spec: RunSpec) -> None:
    """Raises SandboxError where this end is no fault of the script, SubmissionError where its
    folder stands in our way.
    """
    if outcome.state is RunState.NOT_STARTED:
        never = f"the script was never started: {outcome.cause}"
        if NOT_WHOLE in outcome.cause:
            raise NotIsolated(never)
        if hidden := ", ".join(_hiding(spec)):
            raise SubmissionError(
                f"{never}; its folder holds {hidden}, which hides the module of that name from"
                " what records the run, as from the script",
                cure=f"rename {hidden}, or run it elsewhere if the machine was the cause",
            )
        raise SandboxError(never)
    absent = _ABSENT.search(outcome.cause)
    if outcome.state is RunState.FAILED and absent and absent[1] in PROVIDED:
        raise SandboxError(
            f"this machine's Python gives a run no {absent[1]}, which scorefirst's own installation"
            " brings: that is no fault of the script. Install it beside scorefirst (python -m pip"
            f" install {absent[1]}), in an environment or a folder of packages on PYTHONPATH; of a"
            " folder on PYTHONPATH that holds this checkout or the report, a run sees nothing"
        )


def _hiding(spec: RunSpec) -> Iterator[str]:
    """What lies beside the script under the name of a module of Python's, or of ours to bring."""
    taken = PROVIDED | sys.stdlib_module_names
    here = spec.files if spec.files is not None else [one.name for one in spec.root.iterdir()]
    for name in sorted(here):
        module, _, ending = name.partition(".")
        package = (spec.root / name / "__init__.py").is_file()
        if module in taken and (ending == "py" or package):
            yield name
