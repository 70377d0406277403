"""What stands before a token fixes its distribution: what convicts, and what only looks like it."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from simulated_coders import Scores, score, stream

from harness.checks.cut import Cut, choose_cut
from harness.checks.first_row import FirstRow, check_first_row, compare_rows, row_at
from harness.checks.status import Level, Status
from harness.protocol.job import Outcome, RunState
from harness.streams.drawn import SourceStream
from harness.streams.perturb import redraw
from harness.trace.reader import KeptRows, load
from harness.trace.script_run import ScriptRun

LAW = stream(1)
SCORED = score(LAW)
CUT = choose_cut(SCORED, LAW.starts, witnesses=np.arange(1, len(LAW.tokens), 7))
AT = CUT.first_changed
FLAT = np.log(np.full(68, 1 / 68))


def run(
    folder: Path, law: SourceStream, row: np.ndarray, scored: Scores = SCORED, width: int = 68
) -> ScriptRun:
    """A run that kept the distribution of the first changed position."""
    event = int(scored.event[scored.position == AT][0])
    token = int(law.tokens[AT])
    counted = np.where(scored.position == AT, -row[token], scored.nats)
    held = np.empty(1, object)
    held[0] = row.astype(np.float32)
    kept = KeptRows(np.array([event]), np.array([AT]), np.array([token]), held)
    (folder / "rank0").mkdir(exist_ok=True)  # of a rank that noted nothing
    capture = replace(load(folder), rows=kept)
    passed: Any = Scores(scored.position, counted, scored.event)
    headline: Any = SimpleNamespace(line=1)
    outcome = Outcome(RunState.ENDED, 1.0)
    return ScriptRun(law, outcome, (), headline, capture, {1: passed}, {1: width})


def beside(one: ScriptRun, other: np.ndarray) -> ScriptRun:
    """The same run, whose windows overlap: the position was seen twice in the call."""
    kept, row = one.capture.rows, np.empty(2, object)
    row[0], row[1] = other.astype(np.float32), kept.log_p[0]
    columns = (np.repeat(column, 2) for column in (kept.event, kept.position, kept.target))
    return replace(one, capture=replace(one.capture, rows=KeptRows(*columns, row)))


def future(seed: int) -> SourceStream:
    return replace(LAW, tokens=redraw(LAW, CUT.changed, seed))


def tilted(token: int, by: float = 0.1) -> np.ndarray:
    """A distribution that knows its token."""
    row = FLAT.copy()
    row[token] += by
    return row - np.log(np.exp(row).sum())


def judged(
    folder: Path, rows: list[np.ndarray], repeat: np.ndarray = FLAT, nothing_moved: bool = True
) -> FirstRow | None:
    """Base and repeat, and one changed future a row."""
    runs = [run(folder, future(seed), row) for seed, row in enumerate(rows, 1)]
    base, again = run(folder, LAW, FLAT), run(folder, LAW, repeat)
    return compare_rows(base, [again], runs, CUT, nothing_moved)


def test_the_cut_stands_before_a_position_whose_distribution_was_kept() -> None:
    """And three tokens of sixteen behind it stay, so that the context's control can speak."""
    changed = np.setdiff1d(np.arange(AT, AT + 16), CUT.changed)

    assert (AT - 1) % 7 == 0 and AT in CUT.changed
    assert changed.tolist() == [AT + 13, AT + 14, AT + 15]
    assert {AT + 14, AT + 15} <= set(CUT.context.tolist()) and AT + 13 not in CUT.context


def test_a_distribution_that_knows_its_token_fails(tmp_path: Path) -> None:
    """From outside, with both prices of the same token."""
    tokens = [int(future(seed).tokens[AT]) for seed in (1, 2)]
    found = judged(tmp_path, [tilted(token) for token in tokens])
    finding = check_first_row(found)

    assert found is not None and found.moved and finding is not None
    assert (finding.rule, finding.status) == ("CAUSAL-1", Status.FAIL)
    assert finding.level is Level.BLACK_BOX
    shown = finding.evidence[0]["exchanged"][0]
    assert shown["expected_nats"] == pytest.approx(np.log(68)) and shown["nats"] < np.log(68) - 0.05


def test_the_same_distribution_says_nothing_more(tmp_path: Path) -> None:
    """The scores speak alone."""
    found = judged(tmp_path, [FLAT, FLAT])

    assert found is not None and found.status is Status.PASS
    assert check_first_row(found) is None


def test_what_looks_like_it_is_no_proof(tmp_path: Path) -> None:
    """One future, a choice among models, a small move, and a break that is named elsewhere."""
    one, two = (tilted(int(future(seed).tokens[AT])) for seed in (1, 2))
    small = [tilted(int(future(seed).tokens[AT]), 5e-4) for seed in (1, 2)]
    alone = judged(tmp_path, [one])
    doubtful = [
        judged(tmp_path, [tilted(3), tilted(3)]),
        judged(tmp_path, small),
        judged(tmp_path, [one, FLAT]),
        judged(tmp_path, [one, two], nothing_moved=False),
    ]

    assert alone is not None and alone.needs_second_seed and alone.status is Status.UNKNOWN
    for found in doubtful:
        assert found is not None and found.status is Status.UNKNOWN and found.reason


def test_what_cannot_be_compared_is_left_out(tmp_path: Path) -> None:
    """Another repeat without a band, no softmax, another entry than the one that was scored."""
    one, two = (tilted(int(future(seed).tokens[AT])) for seed in (1, 2))
    base, again = run(tmp_path, LAW, FLAT), run(tmp_path, LAW, FLAT)
    mixed = run(tmp_path, LAW, FLAT, width=0)
    wrong = replace(LAW, tokens=np.where(np.arange(len(LAW.tokens)) == AT, 5, LAW.tokens))
    futures = [run(tmp_path, future(seed), row) for seed, row in ((1, one), (2, two))]

    assert judged(tmp_path, [one, two], repeat=tilted(1, 1e-3)) is None
    assert compare_rows(mixed, [again], futures, CUT, nothing_moved=True) is None
    other = replace(base, stream=wrong)
    assert compare_rows(other, [again], futures, CUT, nothing_moved=True) is None
    late = Cut(np.append(CUT.changed, CUT.compared[:1]), CUT.compared[1:], {})
    assert compare_rows(base, [again], futures, late, nothing_moved=True) is None


def test_of_overlapping_windows_the_one_counts_that_holds_the_score(tmp_path: Path) -> None:
    """Two rows that hold it tell nothing."""
    token = int(LAW.tokens[AT])
    base = run(tmp_path, LAW, FLAT)
    other, same = tilted(token, 1.0), FLAT.copy()
    found = row_at(beside(base, other), AT)
    assert found is not None and np.allclose(found, FLAT)
    assert row_at(beside(base, same), AT) is None
