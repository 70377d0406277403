"""PASS-3: the headline covers the whole validation set.

Catches: a last score all of whose tokens are cut from the first N of the stream, where N is known
and smaller than the official set in any vocabulary used so far.
Does not cover: documents that are dropped one by one; a limit that is not known.
"""

from __future__ import annotations

from collections.abc import Iterator

from audits.facts.events import Accumulation, TokenRead
from audits.facts.labels import TOKENS, ids
from audits.facts.trace import Trace
from audits.flow import scores, with_ancestors
from audits.match import Match
from audits.rules.cases import script

RULE = "PASS-3"
# The official set has 40.5 million tokens in the largest vocabulary merged (SP8192), 62 in SP1024.
FEWEST_TOKENS = 30_000_000
MOST_OF_A_WINDOW = 200_000  # shorter beginnings are chunks, samples and warm-ups


def check(trace: Trace) -> Iterator[Match]:
    last = max(scores(trace), key=lambda score: score.moment.position, default=None)
    if last is None:
        return
    used = [trace.reads[one] for one in with_ancestors(trace, ids(last.labels, TOKENS))]
    first_cuts = [read for read in used if not read.parents]
    short = [read for read in first_cuts if _is_short(read)]
    for read in short:
        sure = len(short) == len(first_cuts) and not last.moment.ambiguous
        yield _match(read, last, sure=sure)


def _is_short(read: TokenRead) -> bool:
    """Whether it is the beginning of the stream, cut once."""
    known = read.limit is not None and MOST_OF_A_WINDOW < read.limit < FEWEST_TOKENS
    return known and not read.loops


def _match(read: TokenRead, last: Accumulation, *, sure: bool) -> Match:
    return Match.at(
        read.site,
        f"only the first {read.limit:,} tokens of the validation set are kept here; the last "
        f"score, at line {last.site.line}, is made of them",
        (last.moment,),
        ("cut here", read.site),
        ("scored here", last.site),
        sure=sure,
    )


def _limited(kept: str) -> str:
    return script(f"""
        limit = int(os.environ.get("VAL_TOKEN_LIMIT", "5000000"))
        some = {kept}
        for start in range(0, len(some), 512):
            x, y = batch(some, start)
            add(model(x, y), y)
    """)


VALID = (
    _limited("val_tokens"),
    # The tail that fills no sequence.
    _limited("val_tokens[: (len(val_tokens) - 1) // 512 * 512 + 1]"),
    # A sample for a log line before the whole set.
    script("""
        sample = val_tokens[:1000000]
        log_sum = torch.zeros(())
        for start in range(0, len(sample), 512):
            x, y = batch(sample, start)
            log_sum += model(x, y).sum()
        print(log_sum)
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            add(model(x, y), y)
    """),
)
INVALID = (_limited("val_tokens[:limit]"),)
