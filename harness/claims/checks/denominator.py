"""BYTES-1 and PASS-3 from printed numbers: which text was scored, and how much of it.

    implied bytes = val_loss / ln 2 x tokens / val_bpb

One text has one size, whatever the tokenizer. More bytes than it has make bits per byte small: a
failure where other lines of the log imply the same wrong text, so that units are clear; else
*unknown*. Fewer are a part of the text: a failure of PASS-3 where the log counts the documents too.

Guarantees: two numbers that were rounded to less than four places, losses per byte, and logs
without a token count decide nothing. Does not cover: bytes that are wrong by less than a hundredth.
"""

from collections.abc import Iterator, Sequence
from statistics import median

from audits.contests import Contest, KnownText
from harness.claims.finding import ClaimFinding, Standing, strongest
from harness.claims.record import Claims, Evaluation, Log

CLOSE = 0.01  # of the text: tails that are dropped, and other lengths of rows, take 0.3 %
ALIKE = 0.005  # two lines of one log
PART = 0.9  # of the text; less is no truncation
COARSE = 6e-5  # half a unit of the fourth place
MEGA = 1e6


def check(claims: Claims, contest: Contest) -> Iterator[ClaimFinding]:
    """One finding a rule: of the worst log."""
    if not contest.claims.texts:
        return
    found = [one for log in claims.supporting for one in _of_log(log, claims, contest)]
    for rule in ("BYTES-1", "PASS-3"):
        of_rule = [one for one in found if one.rule == rule]
        if of_rule:
            order = list(Standing)
            yield min(of_rule, key=lambda one: order.index(one.standing))


def implied_bytes(log: Log) -> tuple[float | None, Sequence[float]]:
    """What the headline implies, and what every precise line does."""
    tokens = log.value("tokens")
    if not tokens or log.headline is None:
        return None, ()
    precise = [one for one in log.evaluations if one.half_unit <= COARSE]
    every = [found for one in precise if (found := one.implied_bytes(tokens))]
    twins = (one for one in (log.headline, *precise) if _same(one, log.headline))
    head = next((found for one in twins if (found := one.implied_bytes(tokens))), None)
    return head, every


def _same(one: Evaluation, head: Evaluation) -> bool:
    """The headline, or another print of it with its loss beside it."""
    if one is head:
        return one.half_unit <= COARSE
    if one.bits_per_byte is None or head.bits_per_byte is None:
        return False
    return abs(one.bits_per_byte - head.bits_per_byte) <= COARSE


def text_of(log: Log, contest: Contest) -> KnownText:
    """The validation set that so many tokens are of."""
    tokens = log.value("tokens")
    known = contest.claims.texts
    exact = [text for text in known if text.tokens and text.tokens == tokens]
    return (exact or [text for text in known if not text.tokens] or [*known])[0]


def _of_log(log: Log, claims: Claims, contest: Contest) -> Iterator[ClaimFinding]:
    head, every = implied_bytes(log)
    place = (log.headline.place,) if log.headline else ()
    if head is None and len(every) >= 2:
        yield from _without_headline(log, every, contest)
        return
    if head is None:
        why = (
            f"{log.file}: no loss and token count beside its bits per byte, so no size of the text"
        )
        yield ClaimFinding("BYTES-1", Standing.UNKNOWN, why, place)
        return
    text = text_of(log, contest)
    share = head / text.n_bytes
    said = (
        f"{log.file}: its loss, tokens and bits per byte imply a text of {head / MEGA:.2f} MB;"
        f" the validation set has {text.n_bytes / MEGA:.2f} MB"
    )
    if abs(share - 1) <= CLOSE:
        yield ClaimFinding("BYTES-1", Standing.PASS, said, place)
    elif share > 1:
        agree = len(every) >= 2 and all(abs(one / head - 1) <= ALIKE for one in every)
        # Nats of a byte, divided by bits of a byte, give the tokens back.
        clear = agree and abs(head / (log.value("tokens") or 1) - 1) > CLOSE
        why = f", {share - 1:.1%} more: bytes were counted more than once, or it is another text"
        unclear = "; its lines imply different sizes, so that the unit of its loss is unclear"
        standing = strongest(claims, contest) if clear else Standing.UNKNOWN
        yield ClaimFinding("BYTES-1", standing, said + (why if clear else unclear), place)
    elif share > PART:
        yield ClaimFinding(
            "BYTES-1", Standing.NOTE, f"{said}: fewer, which costs its author", place
        )
    else:
        yield _part(log, claims, contest, said, share)


def _without_headline(log: Log, every: Sequence[float], contest: Contest) -> Iterator[ClaimFinding]:
    """The headline has no loss beside it; other lines of the log do."""
    middle, text = median(every), text_of(log, contest)
    said = (
        f"{log.file}: lines beside its headline imply a text of {middle / MEGA:.2f} MB; the"
        f" validation set has {text.n_bytes / MEGA:.2f} MB"
    )
    alike = all(abs(one / middle - 1) <= ALIKE for one in every)
    more = alike and middle > (1 + CLOSE) * text.n_bytes
    yield ClaimFinding("BYTES-1", Standing.WARN if more else Standing.UNKNOWN, said)


def _part(log: Log, claims: Claims, contest: Contest, said: str, share: float) -> ClaimFinding:
    """Of less than the text."""
    text, counted = text_of(log, contest), log.last("documents")
    if counted and text.documents and counted.value < PART * text.documents:
        places = (counted.place, *((log.headline.place,) if log.headline else ()))
        why = f", and it counts {counted.value:,.0f} of {text.documents:,} documents: a part of it"
        return ClaimFinding("PASS-3", strongest(claims, contest), said + why, places)
    why = f"{said}: {share:.0%} of it, or a loss in another unit than nats a token"
    return ClaimFinding("PASS-3", Standing.UNKNOWN, why)
