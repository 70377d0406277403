"""Assertions for the tests of one's own repository, on plain modules and functions:

    from scorefirst.testing import assert_causal

    def test_the_model_is_causal():
        assert_causal(Model(), vocab_size=1024, length=256)

    assert_causal        what a model says at a position depends on earlier tokens alone
    assert_normalised    no distribution weighs more than one
    assert_score_first   an evaluation scores a token before it learns from it
    assert_bytes         bytes are counted by the contest's rule

Guarantees: an AssertionError is one counterexample, with its position, both numbers and a cure, by
the checks and tolerances of `scorefirst evaluate`. Where nothing was shown (calls that do not
repeat, a control that moves nothing) `NotShown` is raised: an AssertionError too, which accuses of
nothing. Nothing is isolated: these are for code of your own.
Does not cover: what a whole script does around these parts; `scorefirst evaluate` does.
"""

from scorefirst.testing.byte_counts import assert_bytes
from scorefirst.testing.causality import assert_causal
from scorefirst.testing.failures import NotShown
from scorefirst.testing.normalisation import assert_normalised
from scorefirst.testing.order import assert_score_first

__all__ = ["NotShown", "assert_bytes", "assert_causal", "assert_normalised", "assert_score_first"]
