"""BYTES-6: boundary tokens are paid for.

Catches: losses that are left out by what the token itself is: a boundary, a token without bytes.
Padding that is left out looks the same, so it warns.
Does not cover: documents whose next boundary no window holds; the harness counts what is scored.
"""

from __future__ import annotations

from collections.abc import Iterator

from audits.facts.labels import BY_TOKEN
from audits.facts.trace import Trace
from audits.flow import first_results, results
from audits.match import Match
from audits.rules.cases import losses_added

RULE = "BYTES-6"
SURE = False


def check(trace: Trace) -> Iterator[Match]:
    for number, score in first_results(results(trace), BY_TOKEN):
        change = trace.changes[number]
        yield Match.at(
            change.site,
            "losses are left out here by what the token itself is; unless it is padding, somebody "
            f"who decodes has to pay for it: recorded at line {score.site.line}",
            (change.moment, score.moment),
            ("left out here", change.site),
            ("scored here", score.site),
            sure=False,
        )


VALID = (
    losses_added("nll"),
    # The token before is a boundary.
    losses_added("nll[x != 1]"),
)
INVALID = (
    losses_added("nll[y != 1]"),
    losses_added("nll * (y != 1)"),
    losses_added("nll[byte_table[y] > 0]"),
)
