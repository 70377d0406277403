"""Order of a watched program: which rule explains it, where the black box has proved that one is
broken.

Hooks inside the submission's process explain and never convict: what they saw becomes a failure
only beside a refuted SOURCE-1 and a rebuilt headline, and *unknown* without the proof. The naming:

    the weights behind a headline score had learned that score's token ...
      by a write outside an optimiser step                      ORDER-7
      while an earlier pass was scoring, and this is a rescore  PASS-1
      before the headline pass began                            ORDER-2
      inside the headline pass, before that score               ORDER-1
"""

from harness.checks.headline import Headline
from harness.checks.status import Level, RuleStatus, Status
from harness.referee.ledger import Mark, Ranges, Score, Update, describe, ranges_of
from harness.referee.run import Run

NAMED = ("ORDER-1", "ORDER-2", "ORDER-7", "PASS-1")


def check_program_order(run: Run, headline: Headline | None, proved: bool) -> list[RuleStatus]:
    """Statuses of the order rules. `proved`: SOURCE-1 was refuted."""
    if headline is None:
        text = "the printed number was not rebuilt from what the hooks saw; the order is not known"
        return [_status(rule, Status.UNKNOWN, text) for rule in NAMED]
    guilty = [e.score for e in headline.events if e.score.learned]
    if guilty:
        broken, text = _explain(run, headline, guilty)
        status = Status.FAIL if proved else Status.UNKNOWN
        text += "" if proved else "; not proved by the source test, so a reviewer must look"
        others = "another order rule explains what was seen"
        return [
            _status(broken, status, text, guilty),
            *[_status(r, Status.UNKNOWN, others) for r in NAMED if r != broken],
        ]
    strange = [e for e in run.ledger.events if isinstance(e, Mark) and "unattributed" in e.what]
    if strange:
        text = f"weights changed {len(strange)} times by writes that the hooks did not see"
        return [_status(rule, Status.UNKNOWN, text) for rule in NAMED]
    text = "no headline score came from weights that had learned its token"
    passed = [_status(rule, Status.PASS, text) for rule in NAMED if rule != "ORDER-7"]
    return [*passed, _frozen_while_scoring([e.score for e in headline.events])]


def _frozen_while_scoring(scores: list[Score]) -> RuleStatus:
    """Scoring without inference_mode is information for a program: many legal ones use no_grad."""
    bare = sum(not s.inference_mode for s in scores)
    moved = sum(s.weights_before != s.weights_after for s in scores)
    text = f"inference_mode was off in {bare} of {len(scores)} headline scores; weights moved"
    text += f" between inputs and record in {moved}"
    return _status("ORDER-7", Status.UNKNOWN if moved else Status.PASS, text)


def _explain(run: Run, headline: Headline, guilty: list[Score]) -> tuple[str, str]:
    positions = _union(guilty)
    first = guilty[0]
    text = (
        f"{sum(b - a for a, b in positions):,} headline scores (first"
        f" {describe(first.learned[:1])}, at {first.site}) came from weights that had learned"
        " their tokens"
    )
    if first.learned_how == "in place":
        return "ORDER-7", text + " by an in-place write outside any optimiser step"
    events = run.ledger.events
    when = [  # an update is reported when positions are learned for the first time
        i for i, e in enumerate(events) if isinstance(e, Update) and _meet(e.positions, positions)
    ]
    start = events.index(headline.events[0].score)
    if any(i > start for i in when):
        return "ORDER-1", text + " in an update before that score"
    for earlier in headline.passes[: headline.index]:
        begin, end = (events.index(e.score) for e in (earlier[0], earlier[-1]))
        if any(begin < i < end for i in when):
            return "PASS-1", text + " while an earlier pass scored them; the headline is a rescore"
    return "ORDER-2", text + " before the headline evaluation began"


def _union(scores: list[Score]) -> Ranges:
    return ranges_of({p for s in scores for a, b in s.learned for p in range(a, b)})


def _meet(a: Ranges, b: Ranges) -> bool:
    return any(x0 < y1 and y0 < x1 for x0, x1 in a for y0, y1 in b)


def _status(rule: str, status: Status, text: str, scores: list[Score] | None = None) -> RuleStatus:
    findings = tuple(
        {"positions": [list(r) for r in s.learned], "site": s.site, "how": s.learned_how}
        for s in (scores or [])[:5]
    )
    return RuleStatus(rule, status, Level.INSTRUMENTED, text, findings)
