"""NORM-1 by construction: when a softmax passes it, and that the text says what was seen."""

from itertools import product

import pytest

from harness.checks.mass_softmax import check_softmax
from harness.checks.status import Finding, Level, Status


def sums(status: Status) -> Finding:
    """Over the alphabet."""
    return Finding("NORM-1", status, Level.BLACK_BOX, "the sum", ({"position": 7},))


@pytest.mark.parametrize(("width", "refuted"), list(product((0, 1024), (False, True))))
def test_the_text_tells_a_softmax_from_what_is_none(width, refuted):
    """A plain cross-entropy whose source was beaten was called "mixed outside a softmax"."""
    text = check_softmax(width, refuted, sums(Status.UNKNOWN)).message

    assert ("softmax over 1,024 entries" in text) == bool(width)
    assert ("not plain softmax" in text) == (not width)
    assert ("yet some tokens were" in text) == bool(width and refuted)


@pytest.mark.parametrize(
    ("width", "refuted", "summed", "status"),
    [
        (1024, False, Status.UNKNOWN, Status.PASS),
        (1024, True, Status.PASS, Status.UNKNOWN),
        (0, False, Status.UNKNOWN, Status.UNKNOWN),
        (0, False, Status.PASS, Status.PASS),
        (0, True, Status.PASS, Status.UNKNOWN),
        (0, False, Status.FAIL, Status.UNKNOWN),
    ],
)
def test_what_passes(width, refuted, summed, status):
    """A softmax, or a sum; neither where the source was beaten, and nothing seen here fails."""
    found = check_softmax(width, refuted, sums(summed))

    assert (found.status, found.level) == (status, Level.INSTRUMENTED)
