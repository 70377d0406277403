"""BUDGET-3, BUDGET-4 and DATA-3: seconds of training, calibration and scoring, as logs print them.

Guarantees: a hundredth beyond a limit is a warning at most (clocks stop behind a synchronisation);
seconds of another machine, or of a track without limits, are no breach. Calibration counts where it
follows a training that took all of its time, and the log does not say that the model wrote the
text. Does not cover: what lies outside the printed clock (compilation, decompression, diagnostics).
"""

from collections.abc import Iterator, Sequence

from audits.contests import Contest
from harness.claims.finding import ClaimFinding, Standing, Track, on_its_machine, track_of
from harness.claims.record import SAME_LINE, Claims, Log, Number

TOLERANCE = 0.01  # of a limit
SYNC_S = 1.0  # beyond a limit: the loop looks at its clock once a step
CALIBRATED_S = 4.0  # the same where calibration follows: 603.1 s (#1851) were accepted, 604.3 s
# (#1855) led to a rerun


def check(claims: Claims, contest: Contest) -> Iterator[ClaimFinding]:
    """One finding a rule: of the slowest log."""
    track = track_of(claims, contest)
    if track is Track.UNLIMITED:
        return
    surest = Standing.FAIL if track is Track.LIMITED else Standing.WARN
    logs = [log for log in claims.supporting if on_its_machine(log, contest)]
    trained = [number for log in logs if (number := log.last("train_s"))]
    yield from _against(trained, contest.limits.train_s, "BUDGET-3", "training", surest)
    scored = [number for log in logs if (number := _scoring(log))]
    yield from _against(scored, contest.limits.eval_s, "BUDGET-4", "scoring", surest)
    yield from _calibrated(logs, contest.limits.train_s)
    yield from _untimed(logs, contest.limits.train_s)
    yield from _precomputed(logs, contest.limits.eval_s)


def _against(
    seconds: Sequence[Number], limit: float, rule: str, what: str, surest: Standing
) -> Iterator[ClaimFinding]:
    if not limit or not seconds:
        return
    worst = max(seconds, key=lambda one: one.value)
    text = f"{worst.place.file}: {what} took {worst.value:.1f} s of {limit:g} s"
    standing = Standing.PASS
    if worst.value > limit * (1 + TOLERANCE):
        standing = surest
    elif worst.value > limit + SYNC_S:
        standing = Standing.WARN
    yield ClaimFinding(rule, standing, text, (worst.place,))


def _scoring(log: Log) -> Number | None:
    """What the headline's own line says, or another print of the same number."""
    head = log.headline
    if head is None:
        return None
    for one in (head, *reversed(log.evaluations)):
        bits, same = head.bits_per_byte, one.bits_per_byte
        if bits is None or same is None or not one.seconds:
            continue
        if abs(same - bits) <= SAME_LINE:
            return Number("eval_s", one.seconds, one.place)
    return None


def _calibrated(logs: Sequence[Log], limit: float) -> Iterator[ClaimFinding]:
    """Of each seed the best run: a rerun within the limit answers for it."""
    best: dict[int | str, tuple[Number, Number]] = {}
    for log in logs:
        trained, took = log.last("train_s"), log.last("calibration_s")
        if not limit or trained is None or took is None or "calibrated_on" in log.words:
            continue
        key = log.file if log.seed is None else log.seed
        best[key] = min(best.get(key, (trained, took)), (trained, took), key=_together)
    if best:
        trained, took = worst = max(best.values(), key=_together)
        seconds = _together(worst)
        text = (
            f"{trained.place.file}: calibration took {took.value:.1f} s behind"
            f" {trained.value:.1f} s of training: {seconds:.1f} s of {limit:g} s"
        )
        standing = Standing.WARN if seconds > limit + CALIBRATED_S else Standing.PASS
        yield ClaimFinding("DATA-3", standing, text, (trained.place, took.place))


def _untimed(logs: Sequence[Log], limit: float) -> Iterator[ClaimFinding]:
    """Calibration without a printed time, where the training left none."""
    for log in logs:
        trained, batches = log.last("train_s"), log.last("calibration_batches")
        known = log.last("calibration_s") is not None or "calibrated_on" in log.words
        if not limit or known or trained is None or batches is None:
            continue
        if trained.value > limit - SYNC_S:
            text = (
                f"{log.file}: calibration on {batches.value:,.0f} batches, whose time it does not"
                f" print, behind {trained.value:.1f} s of training, of {limit:g} s"
            )
            yield ClaimFinding("DATA-3", Standing.WARN, text, (trained.place, batches.place))
            return


def _together(pair: tuple[Number, Number]) -> float:
    """Seconds of both."""
    return pair[0].value + pair[1].value


def _precomputed(logs: Sequence[Log], limit: float) -> Iterator[ClaimFinding]:
    """What was computed for the scoring, where the two together exceed the limit."""
    for log in logs:
        scored, before = _scoring(log), log.last("precompute_s")
        if limit and scored and before and scored.value < limit < scored.value + before.value:
            text = (
                f"{log.file}: {before.value:.1f} s of precomputation and {scored.value:.1f} s of"
                f" scoring exceed {limit:g} s together, if the one is not part of the other"
            )
            yield ClaimFinding("BUDGET-4", Standing.NOTE, text, (before.place, scored.place))
