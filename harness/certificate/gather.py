"""From the capture of a finished run to a ledger of the scores behind its number.

Guarantees: every row is one whose sum had left the process when it was recorded; the ledger holds
each of them as it entered the number, in nats, with its weight; memory does not grow with the
number of scores. Where no recorded scores come to the number, or none was printed, the ledger has
all that entered any total, so that a run that was killed is kept up to there.
The capture's bytes are read in a child with bounds first; what it survives, this process reads.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from audits.bounded import Bounds, in_child
from audits.facts.documented.printed_scores import Printed
from harness.arrays import Ints, Tokens
from harness.certificate.ledger import Ledger, LedgerWriter
from harness.certificate.totals import Chosen, Totals, choose, totals_of
from harness.protocol.schema import EventKind
from harness.trace.passes import Weighing
from harness.trace.reader import Column, OpenedCapture, open_capture

MEMORY_BYTES = 8 << 30  # for the events; scores take some 100 MB


@dataclass(frozen=True)
class Gathered:
    """A ledger, and how it was chosen."""

    ledger: Ledger
    chosen: Chosen | None  # None: no recorded scores come to the number


def gather(
    out: Path,  # of the run
    printed: Printed | None,
    tokens: Tokens,  # (T,) the validation stream
    token_bytes: Ints,  # (T,) canonical bytes of each token behind its predecessor
    into: Path,
    wall_s: float,
) -> Gathered:
    """Raises BrokenCapture, and Unfinished where reading took too much."""
    totals = in_child(
        lambda: totals_of(open_capture(out, len(tokens)), token_bytes),
        Bounds(wall_s, MEMORY_BYTES),
    )
    opened = open_capture(out, len(tokens))
    chosen = None if printed is None else choose(opened.capture, totals, printed, len(tokens) - 1)
    writer = LedgerWriter(into)
    writer.events(opened.capture)
    for columns in _rows(opened, chosen, totals, token_bytes):
        writer.scores(columns)
    writer.close()
    return Gathered(Ledger(into), chosen)


def _rows(
    opened: OpenedCapture, chosen: Chosen | None, totals: Totals, token_bytes: Ints
) -> Iterator[dict[str, Column]]:
    """What counts, as it counts; without a number, all that entered any total."""
    wanted = np.zeros(len(opened.capture.kind), bool)
    wanted[opened.capture.events(EventKind.SUM) if chosen is None else chosen.events] = True
    for part in opened.scores():
        kept = wanted[part["event"]] & (part["position"] >= 0)
        columns = {name: column[kept] for name, column in part.items()}
        columns["n_bytes"] = token_bytes[columns["position"]].astype(np.int32)
        yield columns if chosen is None else _as_counted(columns, chosen, totals)


def _as_counted(columns: dict[str, Column], chosen: Chosen, totals: Totals) -> dict[str, Column]:
    event, weight = columns["event"], columns["weight"]
    nats = columns["nats"] * chosen.sign[event]
    match chosen.weighing:
        case Weighing.CAPTURED:
            return columns | {"nats": nats}
        case Weighing.TOKENS:
            return columns | {"nats": nats, "weight": np.ones(len(event))}
        case Weighing.SUMS:
            return columns | {"nats": nats, "weight": 1.0 / totals.tokens[event]}
        case Weighing.SCALED:
            return columns | {"nats": nats * weight, "weight": np.ones(len(event))}
