"""STATS-3: one code and one configuration over all seeds, and their mean is the number claimed.

Guarantees: sizes of code and listed settings are compared among the runs that are claimed, without
what names a run (seed, paths, ranks); nothing is said of fewer than two runs.
Does not cover: runs that were made and not shown.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from statistics import fmean

from audits.contests import Contest
from harness.claims.finding import ClaimFinding, Standing
from harness.claims.record import SAME, Claims, Log

# Settings that name a run, or the machine that it ran on.
_OWN = re.compile(r"seed|path|file|dir|run_id|rank|log|name|device|main_process|distributed|world")
SLIGHT = 0.01  # of the code: merged records differ by up to 0.6 % (#1218, #1493, #1729)
FEW = 4  # settings that are named in one sentence


def check(claims: Claims, contest: Contest) -> Iterator[ClaimFinding]:
    """Code, configuration, mean."""
    logs = claims.supporting
    if len(logs) >= 2:
        differ = [*_code(logs), *_settings(logs)]
        yield from differ
        known = sum(bool(log.settings or log.last("code_bytes")) for log in logs)
        if not differ and known >= 2:
            text = f"{len(logs)} runs of one code size and one configuration, as far as logs show"
            yield ClaimFinding("STATS-3", Standing.PASS, text)
    yield from _mean(claims)


def _code(logs: Sequence[Log]) -> Iterator[ClaimFinding]:
    sizes = [number for log in logs if (number := log.last("code_bytes"))]
    counted = Counter(int(number.value) for number in sizes)
    if len(counted) > 1:
        listed = ", ".join(f"{size:,}" for size in sorted(counted))
        slight = max(counted) <= (1 + SLIGHT) * min(counted)
        what = "a little edited between runs" if slight else "not one script"
        text = f"the runs print different sizes of code ({listed} bytes): {what}"
        standing = Standing.NOTE if slight else Standing.WARN
        yield ClaimFinding("STATS-3", standing, text, tuple(one.place for one in sizes))


def _settings(logs: Sequence[Log]) -> Iterator[ClaimFinding]:
    known = [log.settings for log in logs if log.settings]
    shared = set.intersection(*map(set, known)) if len(known) > 1 else set()
    differing = sorted(
        name for name in shared if not _OWN.search(name) and len({one[name] for one in known}) > 1
    )
    if differing:
        listed = "; ".join(
            f"{n}: {', '.join(sorted({one[n] for one in known}))}" for n in differing[:FEW]
        )
        text = f"the runs were configured differently ({listed})"
        yield ClaimFinding("STATS-3", Standing.WARN, text)


def _mean(claims: Claims) -> Iterator[ClaimFinding]:
    seeds = [one.bits_per_byte for one in claims.declared.seeds if one.bits_per_byte is not None]
    declared = claims.declared.bits_per_byte
    if len(seeds) < 2 or declared is None:
        return
    mean = fmean(seeds)
    if abs(mean - declared.value) > SAME and declared.value < min(seeds) - SAME:
        text = (
            f"submission.json claims {declared.value:.5f} bits per byte; its {len(seeds)} runs have"
            f" {mean:.5f} on average and {min(seeds):.5f} at best"
        )
        yield ClaimFinding("PACKAGE-4", Standing.WARN, text, (declared.place,))
    elif abs(mean - declared.value) > SAME:
        text = (
            f"submission.json claims {declared.value:.5f} bits per byte, and its {len(seeds)} runs"
            f" have {mean:.5f} on average"
        )
        yield ClaimFinding("PACKAGE-4", Standing.NOTE, text, (declared.place,))
