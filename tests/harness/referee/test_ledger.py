"""The ledger: what it keeps, what it notices, and that a crash loses none of it."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.referee.ledger import Ledger, Mark, Moment, Score, Update, describe, ranges_of


def score(*positions: tuple[int, int]) -> Score:
    return Score(positions, 1.0, "w", "w", False, True, False)


@pytest.fixture
def ledger(tmp_path):
    with Ledger(tmp_path / "main", 10) as ledger:
        yield ledger


def test_learning_from_scored_positions_is_clean(ledger):
    """Score, then update, chunk by chunk: nothing to notice."""
    for chunk in ((1, 4), (4, 7), (7, 10)):
        ledger.append(score(chunk))
        ledger.append(Update((chunk,), "w", "v"))

    assert ledger.used_unscored == []
    assert ledger.times_scored.tolist() == [0] + [1] * 9


def test_an_update_before_the_score_is_noticed_when_it_happens(ledger):
    """Only the positions without a score are named, and a later score does not excuse them."""
    ledger.append(score((1, 4)))
    ledger.append(Update(((2, 6),), "w", "v"))
    ledger.append(score((4, 10)))

    assert ledger.used_unscored == [4, 5]


def test_every_score_of_a_position_counts(ledger):
    """A second score of the same position shows as two."""
    ledger.append(score((1, 10)))
    ledger.append(score((3, 5), (9, 10)))

    assert ledger.times_scored.tolist() == [0, 1, 1, 2, 2, 1, 1, 1, 1, 2]


@given(
    events=st.lists(
        st.tuples(st.booleans(), st.integers(1, 9), st.integers(1, 5)).map(
            lambda e: (e[0], (e[1], min(e[1] + e[2], 10)))
        ),
        max_size=12,
    )
)
def test_the_invariants_agree_with_a_slow_twin(tmp_path_factory, events):
    """Any order of scores and updates: counts and early uses are those of a set and a loop."""
    scored, early, times = set(), [], [0] * 10
    with Ledger(tmp_path_factory.mktemp("ledger"), 10) as ledger:
        for is_score, (a, b) in events:
            ledger.append(score((a, b)) if is_score else Update(((a, b),), "w", "v"))
            for p in range(a, b):
                if is_score:
                    scored.add(p)
                    times[p] += 1
                elif p not in scored:
                    early.append(p)

    assert ledger.times_scored.tolist() == times
    assert ledger.used_unscored == early


def test_events_come_back_from_the_file_in_order(ledger):
    """One JSON line an event, numbered, with its kind and a clock that does not run backwards."""
    events = [Mark(Moment.LOADED, "abc"), score((1, 4)), Update(((1, 4),), "w", "v"), score((4, 5))]
    for event in events:
        ledger.append(event)

    lines = [json.loads(line) for line in ledger.path.read_text().splitlines()]

    assert [line["n"] for line in lines] == [1, 2, 3, 4]
    assert [line["event"] for line in lines] == ["MARK", "SCORE", "UPDATE", "SCORE"]
    assert lines[1]["positions"] == [[1, 4]] and lines[1]["inference_mode"] is True
    assert [line["at_s"] for line in lines] == sorted(line["at_s"] for line in lines)
    assert (ledger.scores, ledger.updates) == (events[1::2], events[2:3])


def test_a_killed_process_leaves_every_event_on_disk(tmp_path):
    """No close, no exit handler: what was appended is in the file."""
    code = textwrap.dedent("""
        import os, signal, sys
        from pathlib import Path
        from harness.referee.ledger import Ledger, Mark, Moment
        ledger = Ledger(Path(sys.argv[1]), 10)
        for i in range(50):
            ledger.append(Mark(Moment.PROBE, str(i)))
        os.kill(os.getpid(), signal.SIGKILL)
    """)
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], env=os.environ, check=False)

    lines = (tmp_path / "ledger.jsonl").read_text().splitlines()

    assert done.returncode == -signal.SIGKILL
    assert [json.loads(line)["detail"] for line in lines] == [str(i) for i in range(50)]


def test_closing_writes_the_scores_of_every_position(tmp_path):
    """nats, mass and counts as arrays over the stream; also when the run raised."""

    def broken_run() -> None:
        with Ledger(tmp_path, 4) as ledger:
            ledger.append(score((1, 3)))
            ledger.nats[1:3], ledger.mass[1:3] = [2.0, 3.0], 1.0
            raise RuntimeError("the worker died")

    with pytest.raises(RuntimeError):
        broken_run()

    with np.load(tmp_path / "scores.npz") as saved:
        np.testing.assert_array_equal(saved["nats"], [np.nan, 2.0, 3.0, np.nan])
        np.testing.assert_array_equal(saved["mass"], [np.nan, 1.0, 1.0, np.nan])
        np.testing.assert_array_equal(saved["times_scored"], [0, 1, 1, 0])


@given(st.sets(st.integers(0, 60)))
def test_ranges_hold_exactly_the_positions(positions):
    """Half-open runs: sorted, apart from each other, and together the set."""
    ranges = ranges_of(positions)

    assert {p for a, b in ranges for p in range(a, b)} == positions
    assert all(b < c for (_, b), (c, _) in pairwise(ranges))
    assert all(a < b for a, b in ranges)


def test_ranges_are_written_for_people():
    """Inclusive ends; singles alone; more than six runs are counted."""
    assert describe(ranges_of([1, 2, 3, 7])) == "1-3, 7"
    assert describe(ranges_of(range(0, 20, 2))) == "0, 2, 4, 6, 8, 10 and 4 more runs"
