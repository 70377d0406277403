"""What a row may know of a row that another call scored: nothing, where the contest says so."""

from dataclasses import replace

import numpy as np
import pytest
from test_replayed import run

from harness.checks.rows_alone import carried, check_rows_alone
from harness.checks.status import Status
from harness.trace.reconstruct import Pass

PLACES = np.arange(32, 64)  # of the second row


def scored(moved: slice = slice(0, 0), by: float = 0.0) -> Pass:
    """Two rows; some scores are others."""
    one = run([]).passes[2]
    position, nats = np.arange(64), np.full(64, 5.0)
    nats[moved] += by
    ones = np.ones(64)
    return replace(one, position=position, nats=nats, weight=ones, event=position // 32)


@pytest.mark.parametrize(
    ("moved", "by", "status"),
    [
        (slice(0, 32), 1.0, None),  # the row itself
        (slice(40, 50), 1e-4, None),
        (slice(40, 50), 0.1, Status.UNKNOWN),
    ],
)
def test_what_moves_in_a_later_row_was_carried_there(
    moved: slice, by: float, status: Status | None
) -> None:
    """Under two changes; a person decides, as score-first memories do it."""
    changes = [scored(moved, by), scored(moved, 2 * by)]
    found = carried(scored(), [scored()], changes, PLACES)
    finding = check_rows_alone(found)

    assert (finding.status if finding else None) == status
    assert check_rows_alone(carried(scored(), [], changes, PLACES)) is None
    assert check_rows_alone(carried(scored(), [scored(moved, by)], changes[:1], PLACES)) is None
