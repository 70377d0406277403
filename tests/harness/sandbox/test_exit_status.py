"""How a run ended, as its processes' remains say it."""

import json
from dataclasses import asdict

import pytest
from driven_jobs import make_job

from harness.protocol.message import EndMessage
from harness.sandbox.exit_status import Remains, outcome_of

_FAILED = str(1 << 8)  # a wait status: exit code 1
_SEGV = "11"


def _said(cause: str, at: float) -> str:
    return json.dumps(asdict(EndMessage(True, 1, cause, "train_gpt.py:5", at)))


@pytest.mark.parametrize(
    ("statuses", "said", "cause"),
    [
        ([_FAILED] * 2, [_said("its peer has gone", 2.5), _said("mine", 2.0)], "rank 1: mine"),
        ([_FAILED] * 2, [_said("mine", 2.0), _said("its peer has gone", 2.5)], "rank 0: mine"),
        ([_FAILED, _SEGV], [_said("its peer has gone", 2.5), ""], "rank 1: killed by SIGSEGV"),
        (["15", _FAILED], ["", _said("mine", 2.5)], "rank 1: mine"),
    ],
)
def test_the_rank_that_failed_first_is_the_one_reported(tmp_path, statuses, said, cause):
    """A collective whose peer has gone fails by itself as well, and is not the cause."""
    job = make_job(tmp_path, "", ranks=2)

    assert outcome_of(job, Remains(1.0, (), None, statuses, said)).cause == cause
