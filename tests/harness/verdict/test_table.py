"""Several statuses of one rule: a result that no order changes, and that loses no proof."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.checks.status import Finding, Level, Reason, Status, Witness
from harness.verdict.table import Table, verdict

RULE = "ORDER-2"


def said(status: Status, level: Level, message: str = "", powered: bool = False) -> Finding:
    message = message or f"{status} by {level}"
    return Finding(RULE, status, level, message, ({"by": level.value},), powered)


some = st.lists(
    st.builds(
        said,
        st.sampled_from(Status),
        st.sampled_from(Level),
        st.sampled_from(("one", "another")),
        st.booleans(),
    ),
    min_size=1,
    max_size=6,
)


@given(some, st.randoms(use_true_random=False))
def test_the_result_does_not_depend_on_order(statuses, random) -> None:
    """Nor on whether one was said twice."""
    shuffled = random.sample(statuses, len(statuses))

    assert verdict(Table(shuffled + statuses)) == verdict(Table(statuses))


@given(some)
def test_no_proof_is_lost(statuses) -> None:
    """A failure from outside stays one, at its level, with its text and its numbers."""
    result = verdict(Table(statuses))[RULE]

    proofs = [s for s in statuses if s.proves]
    if proofs:
        assert result.status is Status.FAIL and result.level.from_outside
    for proof in proofs:
        assert proof.message in result.message
        assert all(entry in result.findings for entry in proof.evidence)


@given(some)
def test_a_pass_hides_nothing_open(statuses) -> None:
    """Beside a pass nothing was failed or undecided, unless the referee passed the rule itself."""
    by_referee = {s.status for s in statuses if s.level is Level.REFEREE}
    if verdict(Table(statuses))[RULE].status is Status.PASS and Status.PASS not in by_referee:
        assert {s.status for s in statuses} <= {Status.PASS, Status.NOT_APPLICABLE}


@given(some)
def test_a_failure_needs_one_that_no_powered_pass_contradicts(statuses) -> None:
    """Reading alone fails no rule that a run with power passed."""
    passed = any(s.contradicts_reading for s in statuses)
    if verdict(Table(statuses))[RULE].status is Status.FAIL and passed:
        assert any(s.status is Status.FAIL and s.level is not Level.READ for s in statuses)


def test_the_stronger_of_two_failures_speaks() -> None:
    """#518 was shown as read, and the numbers of its black-box proof were lost."""
    read, proof = said(Status.FAIL, Level.READ), said(Status.FAIL, Level.BLACK_BOX, "proved")

    for order in ([read, proof], [proof, read]):
        result = verdict(Table(order))[RULE]
        assert (result.status, result.level) == (Status.FAIL, Level.BLACK_BOX)
        assert result.message == "proved; reading: fail by read"
        assert result.findings == ({"by": "black_box"}, {"by": "read"})


F, P, U, N = Status.FAIL, Status.PASS, Status.UNKNOWN, Status.NOT_APPLICABLE
READ, INSIDE, OUTSIDE, REFEREE = Level
TABLE = [
    # the referee settles what others suspect; a pass without power settles nothing
    ("read fail, refereed pass", [said(F, READ), said(P, REFEREE)], P, REFEREE),
    ("read fail, pass from inside", [said(F, READ), said(P, INSIDE)], F, READ),
    ("warning, refereed pass", [said(U, READ), said(P, REFEREE)], P, REFEREE),
    # a powered pass leaves what was read open, and open it stays
    ("read fail, powered pass", [said(F, READ), said(P, INSIDE, powered=True)], U, READ),
    ("read fail, black-box pass", [said(F, READ), said(P, OUTSIDE)], U, READ),
    ("warning, black-box pass", [said(U, READ), said(P, OUTSIDE)], U, READ),
    ("warning, pass from inside", [said(U, READ), said(P, INSIDE)], U, READ),
    # an unknown contradicts nothing
    ("read fail, black-box unknown", [said(F, READ), said(U, OUTSIDE)], F, READ),
    ("read fail, refereed unknown", [said(F, READ), said(U, REFEREE)], F, READ),
    ("two unknowns", [said(U, READ), said(U, OUTSIDE)], U, OUTSIDE),
    ("unknown from inside, black-box pass", [said(U, INSIDE), said(P, OUTSIDE)], U, INSIDE),
    # what was proved stays proved
    ("proof, powered pass, reading", [said(F, OUTSIDE), said(P, INSIDE, powered=True)], F, OUTSIDE),
    ("proof, refereed pass", [said(F, OUTSIDE), said(P, REFEREE)], F, OUTSIDE),
    ("failure from inside, black-box pass", [said(F, INSIDE), said(P, OUTSIDE)], F, INSIDE),
    ("nothing of the kind, pass", [said(N, OUTSIDE), said(P, INSIDE)], P, INSIDE),
]


@pytest.mark.parametrize(
    ("said_", "status", "level"), [t[1:] for t in TABLE], ids=[t[0] for t in TABLE]
)
def test_who_decides(said_, status, level) -> None:
    """The table of the module's docstring, case by case, in either order."""
    for order in permutations(said_):
        result = verdict(Table(order))[RULE]
        assert (result.status, result.level) == (status, level)


def test_a_contradiction_shows_both_sides() -> None:
    """The reader learns what was read and what was run."""
    result = verdict(Table([said(F, READ, "line 7"), said(P, OUTSIDE, "nothing moved")]))[RULE]

    assert result.message == "reading: line 7; running: nothing moved"
    assert result.findings == ({"by": "read"}, {"by": "black_box"})


@pytest.mark.parametrize("level", Level)
def test_who_saw_it_follows_from_the_level(level) -> None:
    """A rule seen by hooks is never shown as seen by the harness (six of #518's were)."""
    witness = said(P, level).witness

    assert (witness is Witness.WORKER) == (level is Level.INSTRUMENTED)


def test_reasons_are_quoted_in_order_and_change_what_they_concern() -> None:
    """A finding that one reason has brought down is no pass any more for the next."""
    passed = said(P, INSIDE, "fine", powered=True)
    note = Reason(RULE, P, P, "measured", evidence=({"power": 3},))
    doubt = Reason(RULE, P, U, "but it broke")
    late = Reason(RULE, P, U, "never said")
    other = Reason("ORDER-1", P, F, "of another rule")
    aside = Reason(RULE, P, F, "of another level", level=OUTSIDE)

    result = verdict(Table([passed], [other, aside, note, doubt, late]))[RULE]

    assert (result.status, result.message) == (U, "fine; but it broke; measured")
    assert result.findings == ({"by": "instrumented"}, {"power": 3})
    assert verdict(Table([passed]))[RULE].message == "fine"


def test_a_pass_that_a_reason_brought_down_contradicts_no_reading() -> None:
    """Without power it is as if nothing had been run."""
    doubt = Reason(RULE, P, U, "its control showed nothing", level=INSIDE)
    both = [said(F, READ), said(P, INSIDE, powered=True)]

    assert verdict(Table(both))[RULE].status is U
    assert verdict(Table(both, [doubt]))[RULE].status is F


def test_reasons_concern_their_own_table_alone() -> None:
    """A run that broke off says nothing of what another run proved."""
    broke = Reason(RULE, F, U, "the run broke off")
    drawn, text = said(F, OUTSIDE, "on drawn tokens"), said(F, OUTSIDE, "on text")

    result = verdict(Table([drawn], [broke]), Table([text]))[RULE]

    assert (result.status, result.message) == (F, "on text")
