"""A script that printed no score: the cause in one sentence, and the cure.

Does not cover: whose fault it is; a missing part of the machine was told apart before.
"""

from pathlib import Path

from harness.errors import SubmissionError
from harness.protocol.job import Outcome, RunState

CURES = {
    RunState.TIMED_OUT: "give it more time (--budget SECONDS), or a GPU (--device cuda)",
    RunState.FAILED: (
        "read what it printed (runs/*/output.log beside the report); settings that it needs are"
        " taken from the commands in the folder's README and run scripts, and another script by"
        " --entry FILE"
    ),
    RunState.ENDED: (
        "let it print its score (such as `val_loss:1.23 val_bpb:0.98`), or name the script that"
        " does with --entry FILE"
    ),
}
NO_MODULE = (
    "install that package beside scorefirst, if it is a public one (pip install scorefirst[scripts]"
    " brings those that submissions import most), and run this again"
)


def unrunnable(entry: Path, outcome: Outcome, n_tried: int) -> SubmissionError:
    """`outcome`: of the last of `n_tried` configurations."""
    where = f" ({outcome.where})" if outcome.where else ""
    cause = f"{outcome.state}: {outcome.cause}" if outcome.cause else str(outcome.state)
    if not outcome.cause:
        cause += ", and nothing that reads as a score was printed"
    tried = f" on any of {n_tried} configurations; the last one" if n_tried > 1 else "; it"
    message = f"{entry}: no score was printed{tried} {cause}{where}"
    missing = outcome.cause.startswith("ModuleNotFoundError")
    return SubmissionError(message, NO_MODULE if missing else CURES.get(outcome.state, ""))
