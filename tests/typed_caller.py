"""A caller of the public face, for mypy: what comes back has types, and a keyword that there is
not is refused. Not run.
"""

from typing import assert_type

from audits.library import Scan
from harness import HarnessError, SubmissionError, UsageError, evaluate, scan
from harness.report.model import Report
from harness.verdict.decide import Verdict

assert_type(evaluate("folder", seed=7, profile="leaderboard"), Report)
assert_type(evaluate("folder").verdict, Verdict)
errors: tuple[type[Exception], ...] = (HarnessError, SubmissionError, UsageError)
assert_type(scan("folder", entry="train_gpt.py"), Scan)
evaluate("folder", sed=7)  # type: ignore[call-arg]  # an ignore without an error is one
