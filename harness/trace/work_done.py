"""What a run did: the steps it took, the tokens it scored, where its seconds went.

Guarantees: read off the capture and the log, which the script's own process made: it explains and
configures, it proves nothing. `lacks` names only what an honest script of that text would have
done: training, a number, the technique that it counts.
Does not cover: updates by hand of a script that takes no gradient through torch.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np

from audits.facts.documented.printed_scores import Printed
from harness.configure.attempted import Lack
from harness.protocol.schema import UPDATES, EventKind
from harness.trace.script_run import ScriptRun

# "ngram: 0/0 improved", "0 of 0 windows": the technique before it met nothing.
_NOTHING = re.compile(r"\b0\s{0,8}(?:/|of)\s{0,8}0\b")
_MET_BY = re.compile(r"[A-Za-z]\w{0,60}[^\d/]{0,40}\Z")
MOST_IDLE = 100  # lines


@dataclass(frozen=True)
class WorkDone:
    """Of one run, until it ended."""

    steps: int  # of optimisers, before the first counted score
    trained: bool  # a gradient, a step or a write of weights came before that
    tokens_scored: int  # different ones, behind the headline; 0: not known
    updates_between: int  # of weights, between two of those scores
    training_s: float  # until the first counted score
    scoring_s: float  # from it to the last one
    is_number: bool  # the headline is finite, and not 0
    idle: tuple[str, ...]  # lines of the log that count 0 of 0

    def lacks(self, optimises: bool) -> tuple[Lack, ...]:
        """What was left undone by a run that printed its number; `optimises`: its text does."""
        found = [Lack.NO_NUMBER] if not self.is_number else []
        found += [Lack.NO_STEP] if optimises and not self.trained else []
        found += [Lack.IDLE] if self.idle else []
        return tuple(found)


def work_done(run: ScriptRun, log: str) -> WorkDone:
    """Reads it off one run; `log`: all that it printed."""
    capture, scored = run.capture, run.scored
    events = scored.event if scored is not None else np.zeros(0, np.int64)
    every = len(capture.kind)
    first, last = (int(events.min()), int(events.max())) if len(events) else (every, every)
    updates, steps = capture.events(*UPDATES), capture.events(EventKind.STEP)
    begun = capture.events(*UPDATES, EventKind.GRADIENT)
    at_s = capture.at_s
    start_s = float(at_s[0]) if every else 0.0
    first_s = float(at_s[first]) if first < every else start_s
    return WorkDone(
        steps=int((steps < first).sum()),
        trained=bool((begun < first).any()),
        tokens_scored=len(np.unique(scored.position)) if scored is not None else 0,
        updates_between=int(((updates > first) & (updates < last)).sum()),
        training_s=first_s - start_s,
        scoring_s=float(at_s[last]) - first_s if last < every else 0.0,
        is_number=_is_number(run.headline),
        idle=tuple(islice(_idle(log), MOST_IDLE)),
    )


def _idle(log: str) -> Iterator[str]:
    """Lines that count 0 of 0, up to there."""
    for line in log.split("\n") if _NOTHING.search(log) else ():
        for match in _NOTHING.finditer(line):
            if _MET_BY.search(line[: match.start()][-120:]):
                yield line[: match.end()].strip()
                break


def _is_number(headline: Printed | None) -> bool:
    if headline is None:
        return False
    shown = (headline.nats_per_token, headline.bits_per_byte)
    return any(one is not None and math.isfinite(one) and one != 0 for one in shown)
