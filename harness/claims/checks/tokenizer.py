"""BYTES-2 and BYTES-3: a tokenizer that the folder ships gives back the text that it is given.

Guarantees: a warning at most, since nobody knows from a folder which tokenizer was used, and the
standing of lossy ones is disputed. Does not cover: what a script counts for each piece.
"""

from collections.abc import Iterator

from audits.contests import Contest
from harness.claims.finding import ClaimFinding, Standing
from harness.claims.record import Claims, Place, Tokenizer

ALL_BYTES = 256


def check(claims: Claims, contest: Contest) -> Iterator[ClaimFinding]:
    """One finding a model."""
    for one in claims.tokenizers if contest.claims.texts else ():
        if one.unread:
            continue
        wrong = list(_wrong(one))
        place = (Place(one.path, 0),)
        text = f"{one.path} ({one.pieces:,} pieces): {'; '.join(wrong) or 'sample texts come back'}"
        yield ClaimFinding("BYTES-3", Standing.WARN if wrong else Standing.PASS, text, place)


def _wrong(one: Tokenizer) -> Iterator[str]:
    if one.byte_pieces < ALL_BYTES:
        yield f"{one.byte_pieces} of {ALL_BYTES} pieces for bytes, so that characters can be lost"
    if not one.lone_space:
        yield "no piece for a lone space"
    if one.lost:
        yield f"{len(one.lost)} sample texts do not come back, the first of them: {one.lost[0]}"
