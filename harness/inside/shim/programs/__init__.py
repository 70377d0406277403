"""Command-line programs that scripts call, for a machine that lacks them.

Guarantees: `place` writes executables that need this Python only, so the folder can be put on the
PATH of the script. Each one's text says what it replaces. A program that measures or describes
never decides a score; the one that compresses (`lrzip`) gives back every byte.
Does not cover: compilers. `nvcc` answers its version and fails on anything else.
"""

import shlex
import sys
from pathlib import Path

# A shell's `exec` that Python reads as a string: a path with a space, or one of more than 127
# characters, cannot stand in the first line itself.
_START = """#!/bin/sh
'''exec' {python} -I "$0" "$@"
' '''
"""
_TEXTS = {
    "nvidia-smi": "nvidia_smi",
    "nvcc": "nvcc",
    "pyminify": "pyminify",
    "lrzip": "lrzip",
    "lrunzip": "lrzip",
    "sudo": "sudo",
    "apt": "installer",
    "apt-get": "installer",
    "pip": "installer",
    "pip3": "installer",
}


def place(folder: Path) -> None:
    """Writes all programs into `folder`, made if absent."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, module in _TEXTS.items():
        text = (Path(__file__).parent / f"{module}.py").read_text(encoding="utf-8")
        program = folder / name
        program.write_text(
            _START.format(python=shlex.quote(sys.executable)) + text, encoding="utf-8"
        )
        program.chmod(0o755)
