"""BUDGET-6: libraries and binaries smuggle neither compute nor code.

Catches: programs started by the script that are neither compilers, nor compressors, nor the tools
that describe the machine; packages installed while it runs.
Does not cover: what a package carries inside.
"""

from __future__ import annotations

from collections.abc import Iterator

from audits.facts.trace import Trace
from audits.match import Match
from audits.rules.cases import script

RULE = "BUDGET-6"
ACCEPTED = frozenset(
    {"nvidia-smi", "git", "lrzip", "gcc", "g++", "cc", "c++", "clang", "clang++", "nvcc", "make"}
    | {"pyminify", "which", "ldconfig", "ninja", "uname", "lscpu", "free", "df", "cat", "-m", "-c"}
    | {"python", "python3", "torchrun"}
)


def check(trace: Trace) -> Iterator[Match]:
    for one in trace.programs:
        named = one.name and not one.name.startswith("-")
        if named and one.name not in ACCEPTED and not one.name.endswith(".py"):
            yield Match.at(
                one.site,
                f"the program {one.name} is started",
                (one.moment,),
                ("started here", one.site),
                sure=True,
            )


def _started(command: str) -> str:
    return script(f"""
        import subprocess

        subprocess.run({command}, check=False)
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            add(model(x, y), y)
    """)


VALID = (_started('["nvidia-smi"]'), _started('["lrzip", "-d", "model.lrz"]'))
INVALID = (_started('["apt-get", "install", "-y", "something"]'),)
