"""The submitted number: which results of the script are in what submission.json declares.

The logs say which line that is, by the code that chooses it for runs; the script says which results
it puts into such a line.

Guarantees: where several places may have written the line, results of all of them count; where none
may have, or the results of one are not known, nothing is said.
Does not cover: lines that are put together piece by piece.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from audits.facts.documented.logs import Logs
from audits.facts.effects.messages import MOST_MESSAGES
from audits.facts.events import Message
from audits.facts.labels import ACCUMULATED, Label
from audits.facts.trace import Trace

LEAST_TEXT: Final = 8  # characters of a line that the script has word for word: "val_bpb:" is one


def labels_of_submitted(trace: Trace, logs: Logs) -> frozenset[Label] | None:
    """Of the results in the number that the folder submits; None where nothing tells."""
    if len(trace.messages) >= MOST_MESSAGES:
        return None
    found: set[Label] = set()
    for line in logs.submitted:
        said = _nearest(trace.messages, line.printed.text)
        if not said:
            return None
        found |= {label for one in said for label in one.labels}
    return frozenset(found) if _is_known(trace, found) else None


def _nearest(messages: Iterable[Message], line: str) -> list[Message]:
    """Those that may be the line, and share most of it."""
    able = [one for one in messages if not one.moment.inactive and one.fits(line)]
    most = max((one.length for one in able), default=0)
    return [one for one in able if one.length == most] if most >= LEAST_TEXT else []


def _is_known(trace: Trace, labels: Iterable[Label]) -> bool:
    """Whether a result that was recognised as a score is among them."""
    scores = trace.scored
    return any(one.kind == ACCUMULATED and one.id in scores for one in labels)
