"""DATA-1: the artifact knows nothing of the validation shards.

Catches: targets compared, entry by entry, with what a file that came with the script holds, where
the outcome shapes a recorded loss: a stored copy of the text to be predicted.
Does not cover: copies inside weights; files that the script computes itself before reading them.
"""

from __future__ import annotations

from collections.abc import Iterator

from audits.facts.events import Given
from audits.facts.labels import GIVEN, OUTPUT, ids, kinds
from audits.facts.trace import Trace
from audits.flow import results
from audits.match import Match, Role, settled
from audits.phases import scored_after
from audits.rules.cases import script

RULE = "DATA-1"


def check(trace: Trace) -> Iterator[Match]:
    used = set(trace.patched)
    for score in results(trace):
        if OUTPUT in kinds(score.labels):
            used |= ids(score.labels, GIVEN)
    for number in sorted(used):
        given = trace.given[number]
        yield Match.at(
            given.site,
            "the tokens to be predicted are compared here with the content of a file that came "
            "with the script, and the outcome decides which losses count",
            (given.moment,),
            ("compared here", given.site),
            *_scored(trace, given),
            sure=settled(given.moment),
        )


def _scored(trace: Trace, given: Given) -> list[Role]:
    score = scored_after(trace, given.moment.position)
    return [("scored here", score.site)] if score else []


VALID = (
    # Hints that the script itself computed, left to right, and kept in a file.
    script("""
        hints = torch.zeros(8192)
        for place in range(8192):
            hints[place] = hash(place)
        torch.save(hints, "hints.pt")
        hints = torch.load("hints.pt")
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            nll = model(x, y)
            hinted = torch.exp(-F.cross_entropy(model(x), hints[start : start + 512]))
            add(nll - 0.1 * (hints[start : start + 512] == y) + torch.log1p(0.1052 * hinted), y)
    """),
    # A mask of boundary tokens.
    script("""
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            add(model(x, y) * (x != 1), y)
    """),
)
INVALID = (
    script("""
        import lzma
        from pathlib import Path

        stored = torch.from_numpy(
            np.frombuffer(lzma.decompress(Path("first_part.xz").read_bytes()), dtype="<u2")
        )
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            nll = model(x, y)
            known = stored[start + 1 : start + 513] == y
            nll *= (~known).to(nll.dtype)
            add(nll, y)
    """),
)
