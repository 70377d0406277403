"""ORDER-1, ORDER-2 and ORDER-7 of a refereed run.

The first two hold by construction and are read back from the ledger; the third rests on what the
worker reported about its flags and weights: it is instrumented, no more.
"""

from harness.checks.status import Finding, Level, Status
from harness.referee.ledger import Mark, Moment, describe, ranges_of
from harness.referee.run import Run
from harness.referee.worker.fingerprint import NO_WEIGHTS


def check_referee_order(run: Run) -> list[Finding]:
    """For a refereed run."""
    return [_score_before_update(run), _starts_from_artifact(run), _frozen_while_scoring(run)]


def _score_before_update(run: Run) -> Finding:
    early = ranges_of(run.ledger.used_unscored)
    text = (
        f"updates used positions before their score: {describe(early)}"
        if early
        else f"every update ({len(run.ledger.updates)}) used only positions already in the ledger"
    )
    status = Status.FAIL if early else Status.PASS
    return Finding("ORDER-1", status, Level.REFEREE, text)


def _starts_from_artifact(run: Run) -> Finding:
    marks = [event for event in run.ledger.events if isinstance(event, Mark)]
    loaded = [mark.detail for mark in marks if mark.what is Moment.LOADED]
    scores = run.ledger.scores
    if not loaded or not scores:
        return Finding("ORDER-2", Status.UNKNOWN, Level.REFEREE, "no score was recorded")
    if scores[0].weights_before != loaded[0]:
        text = "the weights changed between loading and the first score, before any token was given"
        return Finding("ORDER-2", Status.UNKNOWN, Level.INSTRUMENTED, text)
    text = (
        "a new process loaded the artifact and was given no validation token before its first score"
    )
    detail = f"weights {loaded[0][:12]}; what the artifact was trained on is rule DATA-1"
    return Finding("ORDER-2", Status.PASS, Level.REFEREE, text, detail=detail)


def _frozen_while_scoring(run: Run) -> Finding:
    scores = run.ledger.scores
    bare = [s for s in scores if not s.inference_mode or s.grad_mode]
    moved = [s for s in scores if s.weights_before != s.weights_after]
    buffers = sum(s.buffers_changed for s in scores)
    note = f"; buffers changed in {buffers} batches (reported, not judged)" if buffers else ""
    if moved:
        text = (
            f"parameters changed while {len(moved)} of {len(scores)} batches were scored, first"
            f" {describe(moved[0].positions)}{note}"
        )
        return Finding("ORDER-7", Status.FAIL, Level.INSTRUMENTED, text)
    if bare:
        text = f"inference_mode was off in {len(bare)} of {len(scores)} scored batches{note}"
        return Finding("ORDER-7", Status.FAIL, Level.INSTRUMENTED, text)
    still = "parameters unchanged" if _has_parameters(run) else "no parameters to change"
    text = f"inference_mode was on, and {still}, around all {len(scores)} scored batches{note}"
    # Measured around every batch, so that a change would have been seen.
    return Finding("ORDER-7", Status.PASS, Level.INSTRUMENTED, text, powered=True)


def _has_parameters(run: Run) -> bool:
    return any(score.weights_before != NO_WEIGHTS for score in run.ledger.scores)
