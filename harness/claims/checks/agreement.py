"""PASS-4 and PACKAGE-4: README, submission.json and logs tell of one number, the last that counts.

Guarantees: what is claimed and is *worse* than what logs show is a note; a claim is looked for in
every log, alone and as the mean of the runs, in four decimals or the three that it has.
Does not cover: figures in sentences, and the text of a pull request.
"""

import re
from collections import Counter
from collections.abc import Iterator
from statistics import fmean

from audits.contests import Contest
from audits.declared import that_come_to
from harness.claims.finding import ClaimFinding, Standing
from harness.claims.record import SAME, Claims, Evaluation, Log, Number

TITLED = "val_bpb"  # as templates of README write it, at its top
TOP_LINES = 15
DIFFERENCE = 0.01  # bits per byte; what is called so and is less is a gain or a deviation
AGAIN = 3  # lines of one name; an evaluation is printed twice, with fewer places and with more
_FIGURE = re.compile(r"[\d.]+")


def check(claims: Claims, contest: Contest) -> Iterator[ClaimFinding]:
    """The declared number against the logs, each seed against its log, README against both."""
    whole = [log for log in claims.logs if log.headline and log.headline.bits_per_byte]
    if whole:
        yield from _declared(claims, whole)
        yield from _each_seed(claims, whole)
    yield from _readme(claims, whole)


def _declared(claims: Claims, whole: list[Log]) -> Iterator[ClaimFinding]:
    declared = claims.declared.bits_per_byte
    if declared is None or not 0 < declared.value < 1e6:
        return
    lasts = [_bits(log.headline) for log in whole]
    chosen = [_bits(log.headline) for log in claims.supporting]
    means = [fmean(lasts), *([fmean(chosen)] if chosen else [])]
    claim = f"submission.json claims {declared.value:.5f} bits per byte"
    if that_come_to([*lasts, *means], declared.value):
        text = f"{claim}, which is the last number of its logs, or their mean"
        yield ClaimFinding("PASS-4", Standing.PASS, text, (declared.place,))
        return
    earlier = [e for log in whole for e in _once(log) if _is(e, declared)]
    if earlier:
        worst = fmean(chosen or lasts)
        better = declared.value < worst - SAME
        text = (
            f"{claim}: {earlier[-1].place} prints it as {earlier[-1].tag!r}, and the last number"
            f" of the logs is {worst:.5f}"
        )
        chosen_early = better and not _means_of_tags(whole, declared)
        standing = Standing.WARN if chosen_early else Standing.NOTE
        yield ClaimFinding("PASS-4", standing, text, (declared.place, earlier[-1].place))
    elif that_come_to(_tag_means(whole), declared.value):
        text = f"{claim}, the mean of a number that is not the last one of its logs"
        yield ClaimFinding("PASS-4", Standing.NOTE, text, (declared.place,))
    elif declared.value < min(_printed(whole)) - SAME:
        best = min(lasts)
        text = f"{claim}, which no log prints; the best of them has {best:.5f}"
        yield ClaimFinding("PACKAGE-4", Standing.WARN, text, (declared.place,))
    else:
        text = f"{claim}, which no log prints"
        yield ClaimFinding("PACKAGE-4", Standing.NOTE, text, (declared.place,))


def _once(log: Log) -> list[Evaluation]:
    """Without lines that tell of progress, again and again."""
    named = [_FIGURE.sub("#", one.tag) for one in log.evaluations]
    counted = Counter(named)
    pairs = zip(log.evaluations, named, strict=True)
    return [one for one, name in pairs if counted[name] <= AGAIN]


def _bits(evaluation: Evaluation | None) -> float:
    assert evaluation is not None
    assert evaluation.bits_per_byte is not None
    return evaluation.bits_per_byte


def _printed(logs: list[Log]) -> list[float]:
    """Bits per byte of every line."""
    return [e.bits_per_byte for log in logs for e in log.evaluations if e.bits_per_byte]


def _is(evaluation: Evaluation, declared: Number) -> bool:
    bits = evaluation.bits_per_byte
    return bits is not None and bool(that_come_to([bits], declared.value))


def _tag_means(whole: list[Log]) -> list[float]:
    """Of what several logs call by one name, the last of each."""
    by_tag: dict[str, dict[str, float]] = {}
    for log in whole:
        for one in log.evaluations:
            if one.bits_per_byte is not None:
                by_tag.setdefault(one.tag, {})[log.file] = one.bits_per_byte
    return [fmean(several.values()) for several in by_tag.values()]


def _means_of_tags(whole: list[Log], declared: Number) -> bool:
    return len(whole) > 1 and bool(that_come_to(_tag_means(whole), declared.value))


def _each_seed(claims: Claims, whole: list[Log]) -> Iterator[ClaimFinding]:
    for claim in claims.declared.seeds:
        logs = [log for log in whole if log.seed == claim.seed]
        if claim.bits_per_byte is None or not logs:
            continue
        printed = [e.bits_per_byte for log in logs for e in log.evaluations if e.bits_per_byte]
        if claim.bits_per_byte < min(printed) - SAME:
            text = (
                f"seed {claim.seed}: submission.json says {claim.bits_per_byte:.5f} bits per byte,"
                f" and nothing in its log is below {min(printed):.5f}"
            )
            yield ClaimFinding("PACKAGE-4", Standing.WARN, text, (claim.place,))


def _readme(claims: Claims, whole: list[Log]) -> Iterator[ClaimFinding]:
    """The title's number, where it is better than everything else that the folder shows."""
    titled = [n for n in claims.readme if n.name == TITLED and n.place.line <= TOP_LINES]
    declared = [one for name, one in claims.declared.numbers.items() if "bpb" in name]
    shown = [*_printed(whole), *(one.value for one in declared if one.value > DIFFERENCE)]
    if titled and shown and titled[0].value < min(shown) - SAME:
        text = (
            f"README claims {titled[0].value:.5f} bits per byte, and nothing else in the folder is"
            f" below {min(shown):.5f}"
        )
        yield ClaimFinding("PACKAGE-4", Standing.WARN, text, (titled[0].place,))
