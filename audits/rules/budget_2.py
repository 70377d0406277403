"""BUDGET-2: every file of code that the run needs is code.

Catches: files beside the entry that it imports, executes or starts, and libraries that it opens by
path. Practice differs on what counts, so it says what is needed, and warns.
Does not cover: sizes (the harness prints the three readings); sources that are compiled at run
time.
"""

from __future__ import annotations

from collections.abc import Iterator

from audits.facts.trace import Trace
from audits.match import Match
from audits.rules.cases import script

RULE = "BUDGET-2"
SURE = False


def check(trace: Trace) -> Iterator[Match]:
    for one in () if trace.native else trace.helpers:
        yield Match.at(
            one.site,
            f"{one.file} is needed here at run time, so it is code, whatever the log counts",
            (one.moment,),
            ("needed here", one.site),
            sure=False,
        )


def _needs(code: str) -> str:
    return "import ctypes\n" + script(f"""
        helper = {code}
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            add(model(x, y), y)
    """)


VALID = (_needs("ctypes.CDLL('libc.so.6')"),)
INVALID = (_needs("ctypes.CDLL('./counts.so')"),)
