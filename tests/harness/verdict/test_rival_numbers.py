"""A number that is printed behind the headline, in words of its own, may be the claim."""

from types import SimpleNamespace
from typing import Any

import pytest

from audits.facts.documented.printed_scores import Printed
from harness.checks.source import SourceTest
from harness.verdict.reservations import impossible_last


def _printed(line: int, bits: float, diagnostic: bool = False) -> Printed:
    return Printed(line, "RESULT", "RESULT", None, bits, 5e-5, diagnostic)


def _test(printed: Printed, log_e: float) -> SourceTest:
    return SourceTest(printed, 2048.0, log_e, log_e, log_e, 0.0, 15.6)


@pytest.mark.parametrize(
    ("number", "log_e", "doubtful"),
    [
        (_printed(9, 0.56), 8_000.0, True),
        (_printed(9, 0.56), -100.0, False),  # honest code can have it
        (_printed(9, 4.0), 8_000.0, False),  # higher than the headline: nobody claims it
        (_printed(1, 0.56), 8_000.0, False),  # before it
        (_printed(9, 0.56, diagnostic=True), 8_000.0, False),
    ],
)
def test_an_impossible_number_behind_the_headline_leaves_it_open(
    number: Printed, log_e: float, doubtful: bool
) -> None:
    """It convicts nobody: a script may print what it likes about itself; but it passes nothing."""
    head = _printed(5, 3.72)
    base: Any = SimpleNamespace(headline=head)
    reasons = list(impossible_last(base, [_test(head, -500.0), _test(number, log_e)]))
    assert [reason.rule for reason in reasons] == (["SOURCE-1"] if doubtful else [])
