"""BYTES-7: do the weights that score come from the artifact?

A script trains, writes its artifact, opens it and scores what it loaded; where nothing of it was
loaded (`strict=False`, and no name that fits), or something else is scored, the number is that of
other weights. So the script trains as ever, and finds the artifact of another run when it opens its
own. A number that comes of the artifact is then, to the last digit, the one that the other run
printed. One that stays does not come of it.

Decides: a number that stays, while models score with the very weights from before the writing,
and these compress to many times what the script had written: they are not in it, BYTES-7 fails. A
number that stays otherwise is *unknown* (a round trip in memory, of which the file is a copy that
is only looked at), and so is a third one, where weights that nothing updates score: something else
bears on it. Guarantees: the two runs printed different numbers, and a repeat the same; where the
script writes the file anew behind the exchange, nothing is said. Does not cover: an artifact that
is not opened again, or by another process.
"""

import numpy as np

from harness.arrays import Ints
from harness.checks.coverage import read_exchange
from harness.checks.source import source_test
from harness.checks.status import Finding, Level, Status
from harness.protocol.schema import EventKind
from harness.trace.reconstruct import print_event
from harness.trace.script_run import ScriptRun

RULE = "BYTES-7"
FINE = 5e-6  # half a unit of a number that two evaluations do not share by chance
TIMES = 2.0  # what is smaller by more does not hold weights that zlib hardly makes smaller


def opened_again(run: ScriptRun) -> tuple[str, ...]:
    """Files of its own that it wrote when it had trained, and opened before it scored."""
    capture, end = run.capture, _scored_at(run)
    steps = capture.events(EventKind.STEP)
    if end is None or not run.finished or not (steps < end).any():
        return ()
    opened = {str(capture.text[e]): int(e) for e in capture.events(EventKind.READ) if e < end}
    saved = (int(e) for e in capture.events(EventKind.SAVE) if e > steps[0])
    again = {name for e in saved if opened.get(name := str(capture.text[e]), -1) > e}
    return tuple(sorted(name for name in again if not name.startswith("/")))


def _scored_at(run: ScriptRun) -> int | None:
    """The event that fixed the first score, or printed the number."""
    if run.scored is not None and len(run.scored.event):
        return int(run.scored.event.min())
    return None if run.headline is None else print_event(run.capture, run.headline)


def check_reloaded(
    base: ScriptRun,
    other: ScriptRun,  # which printed another number
    exchanged: ScriptRun | None,  # the base run, which found what the other one had written
) -> Finding | None:
    """None where nothing can be said."""
    head, apart = base.headline, read_exchange("training shards", base, other)
    if exchanged is None or not exchanged.finished or head is None or head.half_unit > FINE:
        return None
    stays, follows = (read_exchange("artifact", one, exchanged) for one in (base, other))
    given = _given(exchanged)
    if apart is None or apart.same or stays is None or follows is None or not len(given):
        return None
    files = ", ".join(dict.fromkeys(map(str, exchanged.capture.text[given])))
    how = f"when the script opened {files}, it held what another run had written"
    if follows.same:
        text = f"{how}: the printed number was that of the other run, to the last digit"
        return Finding(RULE, Status.PASS, Level.BLACK_BOX, text)
    if not stays.same:
        # What adapts may draw at random, from a generator that other shards had left elsewhere.
        text = f"{how}: the printed number was neither that run's nor its own"
        found = Finding(RULE, Status.UNKNOWN, Level.BLACK_BOX, text)
        return None if base.updates else found
    text = f"{how}, and the printed number stayed the same to the last digit"
    size, had = _kept_weights(exchanged, given), int(exchanged.capture.tokens[given].sum())
    if size <= TIMES * had:
        text += ": what is shipped was not scored, or only in memory"
        return Finding(RULE, Status.UNKNOWN, Level.BLACK_BOX, text)
    text += (
        f": it was scored with the weights from before the writing, which take {size:,} bytes where"
        f" {had:,} were written"
    )
    return Finding(RULE, Status.FAIL, Level.BLACK_BOX, text, detail=head.text)


def artifact_knew(base: ScriptRun, foreign: ScriptRun | None) -> bool:
    """The base run beats its source, and does not where it finds the artifact of a run on another
    validation stream: what it should not know was written before it scored.
    """
    if foreign is None or not foreign.finished or not len(_given(foreign)):
        return False
    tests = [
        source_test(run.headline, run.scored, run.source)
        for run in (base, foreign)
        if run.headline is not None and run.scored is not None
    ]
    if len(tests) < 2 or any(test.inconclusive for test in tests):
        return False
    return tests[0].refuted and tests[1].log_e < 0


def _given(run: ScriptRun) -> Ints:
    """(g,) events, the last of each file; none where it wrote one of them anew before it scored."""
    capture, end = run.capture, _scored_at(run)
    given = [e for e in capture.events(EventKind.GIVEN) if end is not None and e < end]
    last = {str(capture.text[e]): int(e) for e in given}
    for e in capture.events(EventKind.SAVE):
        if end is None or last.get(str(capture.text[e]), end) < e < end:
            return np.empty(0, np.int64)
    return np.array(list(last.values()), np.int64)


def _kept_weights(run: ScriptRun, given: Ints) -> int:
    """Bytes of the models that scored behind the exchange; 0: of one, they are others."""
    capture, head = run.capture, run.headline
    end = len(capture.kind) if head is None else print_event(capture, head)
    models = [e for e in capture.events(EventKind.FORWARD) if given.max() < e < end]
    sizes = capture.tokens[models]
    return int(sizes.max(initial=0)) if (sizes > 0).all() else 0
