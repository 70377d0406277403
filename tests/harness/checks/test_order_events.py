"""The order behind the headline: each legal look-alike passes, each break is named and explains."""

from typing import Any

import numpy as np
import pytest
from simulated_coders import Scores

from harness.checks.order import changed_while_scored, check_order, check_weights_still, order_view
from harness.checks.status import Level, Status
from harness.streams.stream import Stream
from harness.trace.first_use import UpdateView
from harness.trace.script_run import ambiguous_positions, effective_first_use
from harness.trace.uses import NEVER, Uses

T = 128
EXPECTED = np.arange(1, T)


def run(begin: int, nats: np.ndarray | float = 3.0) -> Scores:
    """One pass: sixteen positions a step, a step every ten events."""
    event = begin + 10 * (EXPECTED // 16)
    return Scores(EXPECTED.astype(np.int32), np.full(T - 1, 1.0) * nats, event)


def uses_at(first: np.ndarray | int, **more: Any) -> Uses:
    used = np.full(T, NEVER)
    used[1:] = first
    return Uses(used, **more)


def rules(*args, **kwargs) -> list[str]:
    return [b.rule for b in order_view(*args, EXPECTED, **kwargs).breaks]


def test_score_first_passes_every_rule():
    """Used right after it was scored; no use at all; a dropped tail."""
    head = run(1000)
    tail = Scores(head.position[:-10], head.nats[:-10], head.event[:-10])

    assert rules(head, uses_at(head.event + 5)) == []
    assert rules(head, uses_at(NEVER)) == []
    assert rules(tail, uses_at(NEVER), tail=16) == []
    assert rules(tail, uses_at(NEVER)) == ["PASS-3"]
    found = check_order(order_view(head, uses_at(head.event + 5), EXPECTED))
    assert {(s.status, s.level) for s in found} == {(Status.PASS, Level.INSTRUMENTED)}


def test_a_diagnostic_score_licenses_no_update():
    """Scored whole, trained on, scored again for the number: ORDER-2. Scored first step by step,
    then again: PASS-1.
    """
    assert rules(run(1000), uses_at(500), earlier=[run(0)]) == ["ORDER-2"]
    ttt = run(100)
    assert rules(run(1000), uses_at(ttt.event + 5), earlier=[ttt]) == ["PASS-1"]


def test_inside_the_pass():
    """An update before the count is ORDER-1; by a tensor that leaves no trace, CAUSAL-3."""
    head = run(1000)
    early = np.maximum(head.event - 1, 1000)

    assert rules(head, uses_at(early)) == ["ORDER-1"]
    throw_away = uses_at(early, weights_seen=np.full(T, 900))
    assert rules(head, throw_away) == ["CAUSAL-3"]


def test_state_that_was_restored_convicts_nobody():
    """A warm-up on validation tokens whose weights are back, or whose adapter is gone."""
    warm = uses_at(10, weights_seen=np.full(T, 3))
    changed = uses_at(10, weights_seen=np.full(T, 40))

    assert rules(run(1000), warm) == []
    assert rules(run(1000), changed) == ["ORDER-2"]
    assert rules(run(1000), uses_at(10, weights_seen=np.full(T, NEVER))) == ["ORDER-2"]


def test_the_better_of_two_scores():
    """Counted the minimum, each pass winning often; the later pass alone is no choice."""
    rng = np.random.default_rng(0)
    one, two = rng.uniform(1, 5, (2, T - 1))
    passes = [run(0, one), run(200, two)]

    assert rules(run(1000, np.minimum(one, two)), uses_at(NEVER), earlier=passes) == ["PASS-2"]
    assert rules(run(1000, two), uses_at(NEVER), earlier=passes) == []


def test_honest_adaptation_excuses_no_optimising_inside_the_pass():
    """Adapted on before, and optimised on in the pass, each batch before its count: the use inside
    tells. Used inside after the count, as score-first does: the earlier use stays.
    """
    head = run(1000)
    scored = np.full(T, NEVER)
    scored[1:] = head.event
    before = np.full(T, 500)

    def first(inside: np.ndarray) -> list[int]:
        return effective_first_use(UpdateView(before, inside, scored))[1:].tolist()

    assert first(scored - 2) == (head.event - 2).tolist()
    assert first(scored + 5) == [500] * (T - 1)
    few = np.where(np.arange(T) < 9, scored - 2, scored + 5)  # a coincidence, not a habit
    assert first(few) == [500] * (T - 1)


def test_training_before_stands_behind_an_optimisation_inside():
    """#1498 trains on validation first, and then optimises on each batch: both are seen, and the
    one inside explains.
    """
    head = run(1000)
    inside = uses_at(head.event - 1, weights_seen=np.full(T, 900), before=uses_at(500))
    view = order_view(head, inside, EXPECTED)

    assert [b.rule for b in view.breaks] == ["CAUSAL-3", "ORDER-2"]
    assert view.explains is not None and view.explains.rule == "CAUSAL-3"
    statuses = {s.rule: s.status for s in check_order(view)}
    assert statuses["ORDER-2"] is Status.UNKNOWN
    honest = uses_at(head.event + 5, before=uses_at(head.event + 5))
    assert order_view(head, honest, EXPECTED).breaks == ()


def test_counted_twice():
    """Unequal scores of one position in two steps; equal ones only share its weight."""
    a, b, c = run(1000), run(1500), run(1500, 2.0)

    def join(x: Scores, y: Scores) -> Scores:
        names = ("position", "nats", "event")
        return Scores(*(np.concatenate([getattr(x, n), getattr(y, n)]) for n in names))

    assert rules(join(a, b), uses_at(NEVER)) == []
    assert rules(join(a, c), uses_at(NEVER)) == ["PASS-1"]


def test_a_break_alone_is_unknown():
    """The hooks live inside the script's process."""
    found = check_order(order_view(run(1000), uses_at(10), EXPECTED))
    (broken,) = [s for s in found if s.status is not Status.PASS]

    assert (broken.rule, broken.status) == ("ORDER-2", Status.UNKNOWN)
    assert broken.evidence[0]["positions"] == T - 1


@pytest.mark.parametrize(("change", "rows"), [(15, [0]), (10, []), (20, []), (25, []), (35, [1])])
def test_weights_while_a_batch_is_scored(change, rows):
    """Between two batches is score-first; inside one is ORDER-7."""
    batches = np.array([[10, 20], [30, 40]])

    assert changed_while_scored(batches, np.array([change])).tolist() == rows
    status = check_weights_still(batches, np.array([change]))
    assert status.rule == "ORDER-7"
    assert status.status is (Status.UNKNOWN if rows else Status.PASS)  # never a conviction


def test_uses_that_say_nothing_of_the_stream():
    """The first token of a document, and a passage that a training shard holds too; no other."""
    tokens = np.random.default_rng(0).integers(2, 1_024, 300)
    tokens[[0, 100, 200]] = 1
    stream = Stream(tokens, np.array([0, 100, 200]))
    shard = np.random.default_rng(1).integers(2, 1_024, 300)
    assert ambiguous_positions(stream, (shard,)).tolist() == [0, 100, 200]
    shard[40:60] = tokens[120:140]
    assert ambiguous_positions(stream, (shard,)).tolist() == [0, 100, *range(120, 140), 200]
