"""A run on text of no known source: what can be said of the score that is shown.

    ORDER-*, PASS-*, CAUSAL-3, ORDER-7   what the hooks saw on the text itself
    BYTES-1                              the denominator, by the canonical rule
    NORM-1                               unknown where scores are made otherwise than on drawn ones

Guarantees: nothing here passes what the runs on drawn tokens leave open, and nothing fails a rule
but a denominator. Does not cover: causality and mass on the text; a program that tells text from
drawn tokens, and cheats on text alone without an update, is not seen here.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from harness.arrays import Bools, Ints
from harness.checks.bytes import check_bytes
from harness.checks.order import check_order, check_weights_still, order_view
from harness.checks.status import Finding, Level, Status
from harness.protocol.schema import EventKind
from harness.trace.script_run import ScriptRun
from harness.verdict.reservations import broken_capture
from harness.verdict.table import Table


def judge_text(
    run: ScriptRun,
    base: ScriptRun | None,  # on drawn tokens, where it was made
    token_bytes: Ints,  # (T,) canonical bytes of each token in its context
    is_byte: Bools,  # (T,) byte pieces
    tail: int,  # positions that a canonical truncation may drop at the end
) -> Table:
    """Findings, and the reasons beside them."""
    found = _findings(run, base, token_bytes, is_byte, tail)
    said = [replace(one, message=f"on the text: {one.message}") for one in found]
    return Table(said, (*broken_capture(run),))


def _findings(
    run: ScriptRun, base: ScriptRun | None, token_bytes: Ints, is_byte: Bools, tail: int
) -> Iterator[Finding]:
    order = None
    if run.scored is not None and run.uses is not None:
        expected = np.arange(1, len(run.stream.tokens))
        order = order_view(run.scored, run.uses, expected, run.earlier, tail)
    yield from check_order(order)
    if len(run.batches):
        yield check_weights_still(run.batches, run.capture.events(EventKind.WRITE))
    if run.headline is not None:
        yield check_bytes(run.headline, run.scored, token_bytes, run.stream.starts, is_byte)
    if base is not None and base.softmax_width != run.softmax_width:
        text = (
            f"the scores are {_made(run)}, on drawn tokens {_made(base)}: what they sum to is not"
            " known"
        )
        yield Finding("NORM-1", Status.UNKNOWN, Level.INSTRUMENTED, text)


def _made(run: ScriptRun) -> str:
    width = run.softmax_width
    return f"those of a softmax over {width:,} entries" if width else "no plain softmax outputs"
