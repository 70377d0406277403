"""BYTES-2: a leading space is one byte, counted once.

Catches: a table of bytes per token that already counts the space of a word mark, together with a
count that adds the space where the token before is no boundary: the denominator grows by a sixth.
Does not cover: tables read from files; what byte pieces and control pieces weigh.
"""

from __future__ import annotations

from collections.abc import Iterator

from audits.facts.effects.pieces import WITH_SPACE, WITHOUT_SPACE
from audits.facts.labels import OUTPUT, PIECE_FLAG, PIECE_LENGTH, ids, kinds
from audits.facts.trace import Trace
from audits.flow import results
from audits.match import Match, settled
from audits.rules.cases import script

RULE = "BYTES-2"


def check(trace: Trace) -> Iterator[Match]:
    last = max(results(trace), key=lambda score: score.moment.position, default=None)
    if last is None:
        return
    for count in trace.accumulations:
        held, counted = kinds(count.labels), ids(count.labels, PIECE_LENGTH)
        if PIECE_FLAG not in held or OUTPUT in held:
            continue
        if WITH_SPACE not in counted or WITHOUT_SPACE in counted:
            continue
        yield Match.at(
            count.site,
            "the bytes added up here come from a table that counts the space of a word mark, and "
            "the space is added once more where the token before is no boundary",
            (count.moment,),
            ("counted here", count.site),
            ("reported here", last.site),
            sure=settled(count.moment),
        )


def _table(marked: str, added: str) -> str:
    return script(f"""
        import sentencepiece as spm

        speller = spm.SentencePieceProcessor(model_file="tokenizer.model")
        lengths, spaced = torch.zeros(1024), torch.zeros(1024, dtype=torch.bool)
        edge = torch.zeros(1024, dtype=torch.bool)
        for number in range(1024):
            if speller.is_control(number):
                edge[number] = True
                continue
            piece = speller.id_to_piece(number)
            if piece.startswith("\\u2581"):
                spaced[number] = True
                piece = piece[1:]
            lengths[number] = {marked}
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            loss_sum += model(x, y)
            token_count += y.numel()
            byte_count += (lengths[y]{added}).sum()
    """)


VALID = (
    # The table leaves the mark out, the count adds the space.
    _table('len(piece.encode("utf-8"))', " + (spaced[y] & ~edge[x])"),
    # The table counts the space, and nothing adds it again.
    _table('len(piece.encode("utf-8")) + 1', ""),
)
INVALID = (_table('len(piece.encode("utf-8")) + 1', " + (spaced[y] & ~edge[x])"),)
