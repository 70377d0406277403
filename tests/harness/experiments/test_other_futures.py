"""Where futures of other kinds are asked for."""

from dataclasses import replace

from test_replayed import SCORED, run

from harness.experiments.other_futures import LOOKED, looked_ahead


def test_only_a_script_that_looked_at_the_stream_has_something_to_choose_by():
    """Forwards that the number comes from are no look, nor is one behind the last of them, nor a
    training loss; where nobody knows what the number comes from, it may have looked.
    """
    probed, counted, later = run([SCORED] * 3, fixed_at=1), run([SCORED]), run([SCORED] * 2)
    for one in (probed, counted, later):
        one.capture.tokens[:] = LOOKED
    trained = run([SCORED] * 3, fixed_at=1)
    trained.capture.tokens[1] = LOOKED
    inferred = replace(counted, passes={2: replace(counted.passes[2], inferred=True)})

    asked = [looked_ahead(one) for one in (probed, counted, later, trained, inferred)]
    assert asked == [True, False, False, False, True]
