"""BUDGET-3: training that the contest's own clock does not count.

Where scripts end their training by a clock of their own, a small run's clock goes on by a second
with each gradient. Honest code then takes as many as it has seconds, behind the steps that are
free; and thirty-seven more where it has thirty-seven seconds more.
Guarantees: a fail rests on how two runs differ, so that no warm-up, no fixed number of steps and no
accumulation fails; gradients beyond the free steps that both runs took alike are *unknown*. Does
not cover: work that takes no gradient, and what a step costs.
"""

from harness.checks.status import Finding, Level, Status
from harness.configure.run_spec import TrainingClock
from harness.protocol.schema import EventKind
from harness.trace.script_run import ScriptRun

RULE = "BUDGET-3"
# Each iteration looks at its clock, which makes it shorter; an iteration of two gradients of which
# one is timed has two. A loop that looks every fifty steps takes fifty more for 37 seconds.
MOST_A_SECOND = 1.5
WARM_UP = 5  # steps that both runs take beyond the free ones and that nobody asks about


def check_training(
    clock: TrainingClock | None,
    short: ScriptRun,
    long: ScriptRun | None,
    long_s: int,  # of the script's clock, in the longer run
) -> Finding | None:
    """Nothing where the clock counted what was trained."""
    if clock is None or not short.finished:
        return None
    taken, a_step = _gradients(short), _a_step(short)
    if long is not None:
        more, more_s = _gradients(long) - taken, long_s - clock.short_s
        if more > MOST_A_SECOND * more_s and more > more_s + 2 * a_step:
            text = (
                f"its clock does not count all of its training: where a gradient takes a second,"
                f" {more_s} seconds more let it take {more:,} more"
            )
            return Finding(RULE, Status.FAIL, Level.INSTRUMENTED, text)
    allowed = clock.short_s + a_step * clock.free_steps
    if taken > allowed + WARM_UP * a_step:
        text = (
            f"it took {taken:,} gradients where a clock of one second each allows {allowed:,}, the"
            f" {clock.free_steps} free steps included"
        )
        return Finding(RULE, Status.UNKNOWN, Level.INSTRUMENTED, text)
    return None


def _gradients(run: ScriptRun) -> int:
    return int(run.capture.tokens[run.capture.events(EventKind.GRADIENTS)].sum())


def _a_step(run: ScriptRun) -> int:
    """Gradients that are accumulated; one where several optimisers step behind it."""
    steps = len(run.capture.events(EventKind.STEP))
    return max(1, -(-_gradients(run) // max(1, steps)))
