"""A number that does, or does not, come from the artifact: what another run's artifact tells."""

from dataclasses import replace

import numpy as np
import pytest
from test_replayed import SCORED, run

from harness.checks.file_reads import check_turned, opened_behind
from harness.checks.reloaded import check_reloaded, opened_again
from harness.protocol.schema import EventKind

STEP = (EventKind.STEP, "AdamW")
SAVE, READ = ((kind, "model.ptz") for kind in (EventKind.SAVE, EventKind.READ))
GIVEN, FORWARD = (EventKind.GIVEN, "model.ptz"), (EventKind.FORWARD, "GPT")
SHARD = (EventKind.READ, "data/fineweb_train_000000.bin")
WRITTEN, WEIGHTS = 1_000, 4_000  # bytes


def printing(value: float, *events, forward: int = WEIGHTS):
    """A run that printed a number behind its last score."""
    text = f"final val_loss:{value}"
    made = run([*events, (EventKind.PRINT, text)], fixed_at=len(events) - 1)
    head = replace(made.headline, nats_per_token=value, text=text)
    sizes = {EventKind.GIVEN: WRITTEN, EventKind.FORWARD: forward}
    made.capture.tokens[:] = [sizes.get(kind, 0) for kind in made.capture.kind]
    return replace(made, headline=head)


def told(value: float, *more, forward: int = WEIGHTS):
    """What is said of a script that prints 7.1 with its own artifact and 6.5 with another one."""
    exchanged = printing(value, STEP, SAVE, GIVEN, READ, *more, SCORED, forward=forward)
    found = check_reloaded(printing(7.1, SCORED), printing(6.5, SCORED), exchanged)
    return None if found is None else found.status


def test_a_number_comes_of_the_artifact_where_it_follows_it():
    assert told(6.5, FORWARD, forward=0) == "pass"


def test_weights_that_the_artifact_cannot_hold_are_not_in_it():
    """Those from before the writing, where nothing of the file was loaded; not what was loaded from
    memory, nor what a file of that size may hold, nor where another model scored as well.
    """
    assert told(7.1, FORWARD) == "fail"
    assert told(7.1, FORWARD, forward=0) == "unknown"
    assert told(7.1, FORWARD, forward=2 * WRITTEN) == "unknown"
    assert told(7.1) == "unknown"


def test_nothing_is_said_where_the_runs_tell_nothing():
    """A file that was written anew; no exchange; two artifacts of one number; a third number of
    what adapts, though without updates something else bears on it.
    """
    same, adapts = printing(7.1, SCORED), printing(7.1, STEP, SCORED, STEP, SCORED)
    adapts = replace(adapts, passes={2: replace(adapts.scored, event=np.array([1, 3]))})
    third = printing(6.9, STEP, SAVE, GIVEN, READ, SCORED)

    assert told(6.9, FORWARD) == "unknown"
    assert check_reloaded(adapts, printing(6.5, SCORED), third) is None
    assert told(7.1, SAVE, FORWARD) is None
    assert check_reloaded(same, printing(6.5, SCORED), printing(7.1, SAVE, READ, SCORED)) is None
    assert check_reloaded(same, same, printing(7.1, STEP, SAVE, GIVEN, READ, SCORED)) is None


@pytest.mark.parametrize(
    ("events", "wanted"),
    [
        ([STEP, SAVE, READ, SCORED], True),
        ([SAVE, READ, STEP, SCORED], False),  # tokens that were kept for the training
        ([STEP, SAVE, SCORED, READ], False),  # only looked at behind the score
        ([STEP, READ, SAVE, SCORED], False),
        ([SAVE, READ, SCORED], False),  # nothing was trained
    ],
)
def test_an_artifact_is_written_behind_the_training_and_opened_before_the_score(events, wanted):
    scored = events.index(SCORED)
    base = run([*events, (EventKind.PRINT, "final val_loss:6.93147001")], fixed_at=scored)

    assert bool(opened_again(base)) == wanted


def test_training_text_that_is_not_in_the_artifact_enters_no_score():
    """A shard that is opened behind the last writing, but for a log's, is turned round: a number
    that moves knows it. One that stays does not, and neither does one of a run without exchange.
    """
    log, table = (EventKind.SAVE, "run.txt"), (EventKind.SAVE, "table.npy")
    names = ["model.ptz"]
    base = printing(7.1, STEP, SHARD, SAVE, READ, log, SHARD, SCORED)
    turned = opened_behind(base, names)

    assert turned == {"data/fineweb_train_000000.bin": 4}
    assert not opened_behind(printing(7.1, STEP, SHARD, SAVE, READ, SCORED), names)
    assert not opened_behind(printing(7.1, STEP, SAVE, READ, SHARD, table, SCORED), names)
    assert not opened_behind(base, ["raw.pt"])

    given = (EventKind.GIVEN, SHARD[1])
    for value, exchange, fails in ((7.2, given, True), (7.1, given, False), (7.2, log, False)):
        run = printing(value, STEP, SAVE, READ, exchange, SHARD, SCORED)
        found = check_turned(base, run, turned)
        assert (found is not None and found.rule == "DATA-2" and found.proves) == fails
