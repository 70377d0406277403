"""A number that was remembered and printed again: what proves it, and what does not."""

from dataclasses import replace

import numpy as np
import pytest
from simulated_coders import printed

from harness.checks.replayed import check_read_later, check_repeated, repeated
from harness.protocol.job import Outcome, RunState
from harness.protocol.schema import EventKind
from harness.streams.stream import Stream
from harness.trace.reader import Capture, KeptRows
from harness.trace.reconstruct import Pass
from harness.trace.script_run import ScriptRun

FIRST, AGAIN = "pre_quant val_loss:6.93147001", "final val_loss:6.93147001"
SCORED = (EventKind.LOSS, "")


def capture(events, rows=()) -> Capture:
    """`events`: kinds and texts; `rows`: the event and one entry of each kept distribution."""
    n, none = len(events), np.zeros(0, np.int64)
    columns = {name: np.zeros(n, np.int64) for name in Capture.__dataclass_fields__}
    columns |= dict.fromkeys(("use_event", "start", "stop", "score_event", "position"), none)
    columns |= dict.fromkeys(("target", "nats", "weight"), none)
    columns["kind"] = np.array([str(kind) for kind, _ in events])
    kept = [e for e, (kind, _) in enumerate(events) if kind == EventKind.VALUE]
    columns["score_event"] = np.array(kept, np.int64)
    columns["nats"] = np.array([float(events[e][1]) for e in kept])
    columns["text"] = np.array([text for _, text in events], dtype=object)
    log_p = np.empty(len(rows), object)
    log_p[:] = [np.array([value, 0.0], np.float32) for _, value in rows]
    at = np.array([event for event, _ in rows], np.int64)
    return Capture(**columns | {"rows": KeptRows(at, np.arange(len(rows)), at, log_p)})


def run(events, rows=(), fixed_at: int = 0, first: str = FIRST) -> ScriptRun:
    """Its headline is the last line; all its scores were fixed at one event."""
    head = replace(printed(6.93147001), line=2, text=AGAIN)
    early = replace(head, line=1, tag="pre_quant", text=first, diagnostic="pre_quant" in first)
    one = np.array([1])
    scored = Pass(head, one, one * 6.9, one * 1.0, one * fixed_at, ("a.py:1",), 0.0, 1.0)
    stream = Stream(np.arange(4), np.zeros(1, np.int64))
    outcome = Outcome(RunState.ENDED, 1.0)
    return ScriptRun(
        stream, outcome, (early, head), head, capture(events, rows), {2: scored}, {2: 0}
    )


def story(*between, first: str = FIRST):
    """Scored, printed, the artifact written, what happened then, printed."""
    kind = EventKind.PRINT if "val_loss" in first else EventKind.LINE
    begin = [SCORED, (kind, first), (EventKind.SAVE, "model.ptz"), (EventKind.READ, "model.ptz")]
    return [*begin, *between, (EventKind.PRINT, AGAIN)]


def judged(base: ScriptRun, noisy: ScriptRun):
    found = repeated(base)
    assert found is not None
    return check_repeated(found, base, noisy)


def test_a_number_without_a_forward_pass_behind_it_is_remembered():
    """Nothing was scored behind the artifact; or all was, its rows moved, and the number did not,
    whatever the first print is called.
    """
    for counted in ((), ((EventKind.VALUE, "3"),)):  # bytes that are counted are no scores
        silent = run(story(*counted))
        assert judged(silent, silent).rule == "BYTES-7"

    raw = "float 6.931470010001"
    for first in (FIRST, raw):
        told = [run(story(SCORED, first=first), ((4, p),), first=first) for p in (-1.0, -2.0)]
        assert judged(*told).rule == "BYTES-7"


@pytest.mark.parametrize(
    ("base", "noisy"),
    [
        # evaluated again: the number moves
        (run(story(SCORED)), run([*story(SCORED)[:-1], (EventKind.PRINT, "final val_loss:7.1")])),
        # rows were made behind it and did not move: no noise came to them
        (run(story(SCORED), ((4, -1.0),)), run(story(SCORED), ((4, -1.0),))),
        # a summary behind another evaluation, whose number moves
        (
            run(story(SCORED, (EventKind.LINE, "adapted 5.123451")), ((4, -1.0),)),
            run(story(SCORED, (EventKind.LINE, "adapted 7.123451")), ((4, -2.0),)),
        ),
        # another process may have evaluated it
        (run(story((EventKind.CHILD, "os.fork"))), run(story((EventKind.CHILD, "os.fork")))),
        # a plain number was kept behind it that no count is
        (run(story((EventKind.VALUE, "3.5"))), run(story((EventKind.VALUE, "3.5")))),
        # scored behind the first print, and not recorded again
        (run(story(), fixed_at=3), run(story(), fixed_at=3)),
        # nothing says that the first was of another model
        (
            run(story(first="final val_loss: 6.93147001"), first="final val_loss: 6.93147001"),
            run(story(first="final val_loss: 6.93147001"), first="final val_loss: 6.93147001"),
        ),
    ],
)
def test_what_may_be_honest_is_no_finding(base, noisy):
    assert judged(base, noisy) is None


def test_no_run_is_asked_for_where_nothing_changed_between_two_prints():
    events = [SCORED, (EventKind.PRINT, FIRST), (EventKind.PRINT, AGAIN)]
    assert repeated(run(events)) is None
    assert repeated(run([SCORED, (EventKind.PRINT, AGAIN)])) is None


def test_an_artifact_that_is_opened_behind_the_last_score_is_open():
    """Not where anything is scored behind it, nor where it was opened before as well."""
    begin = [SCORED, (EventKind.SAVE, "model.ptz"), (EventKind.READ, "model.ptz")]
    end = [(EventKind.PRINT, AGAIN)]

    assert check_read_later(run([*begin, *end])).status == "unknown"
    assert check_read_later(run([*begin, SCORED, *end])) is None
    assert check_read_later(run([*begin[1:], *begin, *end], fixed_at=2)) is None
    assert check_read_later(run([*begin[:1], (EventKind.READ, "val.bin"), *end])) is None
