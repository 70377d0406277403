"""DATA-4: no document is in both splits.

Catches: a preparation script in the folder whose `--val-docs` is not 50,000 by default: with a
smaller number, validation documents go into the training shards. Whether it ran so is not shown.
Does not cover: the shards themselves; the harness compares documents where it has them.
"""

from __future__ import annotations

from collections.abc import Iterator

from audits.facts.trace import Trace
from audits.match import Match
from audits.rules.cases import script

RULE = "DATA-4"
SURE = False
VAL_DOCS = 50_000  # the first documents of the frozen export


def check(trace: Trace) -> Iterator[Match]:
    for flag in trace.flags:
        name = flag.flag.strip("-").replace("_", "-")
        if name == "val-docs" and isinstance(flag.value, int) and flag.value != VAL_DOCS:
            yield Match.at(
                flag.site,
                f"{flag.flag} is {flag.value:,} by default, but {VAL_DOCS:,} documents are scored; "
                "run so, the training shards hold the rest of them",
                (),
                ("set here", flag.site),
                sure=False,
            )


def _prepared(docs: str) -> str:
    return script(f"""
        import argparse

        parser = argparse.ArgumentParser()
        parser.add_argument("--val-docs", type=int, default={docs})
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            add(model(x, y), y)
    """)


VALID = (_prepared("50_000"),)
INVALID = (_prepared("10_000"),)
