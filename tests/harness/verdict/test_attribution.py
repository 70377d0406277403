"""The rule that a proof is named after."""

import numpy as np
from simulated_coders import Scores, heavier, lucky, printed, score, stream
from test_future_cut import all_first, flip, honest

from harness.checks.e_values import THRESHOLD_NATS
from harness.checks.mass_bound import mass_bound
from harness.checks.mass_estimate import MassEstimate
from harness.checks.mass_requery import check_sums
from harness.checks.order import order_view
from harness.checks.source import source_test
from harness.checks.status import Finding
from harness.trace.uses import NEVER, Uses
from harness.verdict.attribution import Proof, name_mass, name_violations

UNUSED = np.full(1024, NEVER)


def proof_of(law, scores, flipped, first_used=UNUSED, sums=None, uncounted=0) -> list[Finding]:
    view = order_view(scores, Uses(first_used), np.arange(1, 1024))
    mass = mass_bound(scores, law, THRESHOLD_NATS)
    source = source_test(printed(scores.mean), scores, law)
    return name_violations(Proof(source, flipped, view, mass, sums=sums, uncounted=uncounted))


def test_an_early_use_of_its_own_token_moves_no_other_score():
    """A refuted whole softmax whose tokens were nearly all used early is an order break, though no
    later token moves it; a few early uses explain nothing, and neither do any where mass may.
    """
    law = stream(7)
    still, scores = flip(law, honest)[1], heavier(lucky(law, 7), 3.0)
    scores = Scores(scores.position, scores.nats, scores.event + 100)
    source = source_test(printed(scores.mean), scores, law)

    def named(n_used: int, softmax: bool, unchanged: bool = False) -> str:
        used = UNUSED.copy()
        used[1 : 1 + n_used] = 5
        view = order_view(scores, Uses(used), np.arange(1, 1024))
        proof = Proof(source, still, view, softmax=softmax, unchanged=unchanged)
        return name_violations(proof)[0].rule

    assert named(900, softmax=True) == "ORDER-2"
    assert named(9, softmax=True) == "CAUSAL-1"
    assert named(900, softmax=False) == "SOURCE-1"
    assert named(200, softmax=True) == "CAUSAL-1"
    assert named(200, softmax=True, unchanged=True) == "ORDER-2"  # no future touched these tokens


def test_names():
    """Mass where a sum was taken, beside what the ledger explains too; undecided otherwise: that
    nothing moved and nothing was used early is no sum. Tokens without a loss, which the number was
    divided by, come first.
    """
    law = stream(7)
    still, moved = flip(law, honest)[1], flip(law, all_first)[1]
    twin = heavier(lucky(law, 7), 3.0)
    before = all_first(law)
    later = Scores(before.position, before.nats, before.event + 100)
    used = np.full(1024, 5, np.int64)
    asked = MassEstimate(9, np.arange(40), np.full(40, 2.0), 68, confirmed=0.0)
    sums, open_ = check_sums([asked]), check_sums([])

    def names(*args, **kwargs) -> list[str]:
        return [named.rule for named in proof_of(*args, **kwargs)]

    assert names(law, score(law), still) == []
    assert names(law, score(law), still, uncounted=99) == []
    assert names(law, twin, still, uncounted=99) == ["BYTES-5"]
    assert names(law, score(law), still, sums=sums) == []  # a sum alone accuses nobody
    assert names(law, twin, still, sums=sums) == ["NORM-1"]
    assert names(law, twin, still, sums=open_) == ["SOURCE-1"]
    assert names(law, twin, None) == ["SOURCE-1"]
    assert names(law, later, moved) == ["CAUSAL-1"]
    assert names(law, later, moved, used) == ["ORDER-2"]
    assert names(law, later, moved, used, sums) == ["ORDER-2", "NORM-1"]
    (undecided,) = proof_of(law, twin, still, sums=open_)
    assert "undecided" in undecided.message
    assert 2.5 < undecided.evidence[0]["mass_at_least"] <= 3


def test_weights_that_knew_the_future_are_named_beside():
    """Others under each later future: CAUSAL-5, once, and only where scores moved."""
    law = stream(7)
    still, moved = flip(law, honest)[1], flip(law, all_first)[1]
    scores = all_first(law)
    source = source_test(printed(scores.mean), scores, law)
    view = order_view(scores, Uses(UNUSED), np.arange(1, 1024))

    def names(flipped, **more) -> list[str]:
        proof = Proof(source, flipped, view, **more)
        return [named.rule for named in name_violations(proof)]

    assert names(moved, weights_depend_on_future=True) == ["CAUSAL-1", "CAUSAL-5"]
    assert names(moved, weights_depend_on_future=False) == ["CAUSAL-1"]
    assert "CAUSAL-5" not in names(still, weights_depend_on_future=True)


def test_what_an_artifact_knew_was_written_before():
    """A refuted whole softmax reads its tokens, or has them from what was written beforehand."""
    law = stream(7)
    scores = heavier(lucky(law, 7), 3.0)
    source = source_test(printed(scores.mean), scores, law)

    def named(held: bool) -> list[str]:
        proof = Proof(source, flip(law, honest)[1], None, softmax=True, held=held)
        return [one.rule for one in name_violations(proof)]

    assert named(held=True) == ["DATA-1", "CAUSAL-5"]
    assert named(held=False) == ["CAUSAL-1"]


def test_a_mass_that_is_proved_by_itself_is_named():
    """Though no source was beaten."""
    asked = MassEstimate(9, np.arange(40), np.full(40, 2.0), 68, confirmed=0.0)
    proof = Proof(None, None, None, sums=check_sums([asked]))

    assert not name_violations(proof)
    assert [(one.rule, one.proves) for one in name_mass(proof)] == [("NORM-1", True)]
