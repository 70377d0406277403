"""BYTES-4: a file of byte counts serves the metric only.

Catches: what `fineweb_val_bytes_*` holds among the inputs of a model whose output is scored.
Does not cover: whether the counts are right; the harness counts for itself.
"""

from __future__ import annotations

from collections.abc import Iterator

from audits.facts.labels import OUTPUT, ids
from audits.facts.trace import Trace
from audits.flow import results
from audits.match import Match, settled
from audits.rules.cases import script

RULE = "BYTES-4"


def check(trace: Trace) -> Iterator[Match]:
    scored = list(results(trace))
    for one in trace.sidecar_inputs:
        for score in scored:
            if one.output.isdisjoint(ids(score.labels, OUTPUT)):
                continue
            yield Match.at(
                one.site,
                "the model is given what a file of byte counts holds, and its output is scored at "
                f"line {score.site.line}",
                (one.moment, score.moment),
                ("given here", one.site),
                ("scored here", score.site),
                sure=settled(one.moment, score.moment),
            )
            break


def _with_counts(given: str) -> str:
    return script(f"""
        counts = load("data/fineweb_val_bytes_*.bin")
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            loss_sum += model({given}).sum()
            token_count += y.numel()
            byte_count += counts[start + 1 : start + 513].sum()
    """)


VALID = (_with_counts("x, y"),)
INVALID = (_with_counts("x + counts[start + 1 : start + 513], y"),)
