"""BYTES-2: a leading space is one byte, counted once.

Catches: a table of bytes per token that already counts the space of a word mark, together with a
count that adds the space where the token before is no boundary: the denominator grows by a sixth.
As a warning: a table of lengths of pieces in code that never asks which pieces stand for a byte.
Does not cover: tables read from files; what control pieces weigh.
"""

from __future__ import annotations

from collections.abc import Iterator

from audits.facts.effects.pieces import WITH_SPACE, WITHOUT_SPACE
from audits.facts.events import Accumulation
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
    yield from _by_name(trace, last)


def _by_name(trace: Trace, last: Accumulation) -> Iterator[Match]:
    """`<0x0A>` is one byte, not six."""
    for number in sorted(trace.counts) if not trace.asks_for_bytes else ():
        count = trace.accumulations[number]
        if PIECE_LENGTH not in kinds(count.labels):
            continue
        yield Match.at(
            count.site,
            "the bytes added up here are lengths of pieces, and nothing asks which pieces stand "
            "for one byte: their names are longer",
            (count.moment,),
            ("counted here", count.site),
            ("reported here", last.site),
            sure=False,
        )
        return


def _counted(build: str, added: str = " + (spaced[y] & ~edge[x])", asks: str = "is_byte") -> str:
    return script(f"""
        import sentencepiece as spm

        speller = spm.SentencePieceProcessor(model_file="tokenizer.model")
        edge = torch.zeros(1024, dtype=torch.bool)
        single = [speller.{asks}(number) for number in range(1024)]


        def tables():
            lengths, spaced = [], []
            for number in range(1024):
                piece = speller.id_to_piece(number)
                lead = piece.startswith("\u2581")
                {build}
                spaced.append(lead)
            return torch.tensor(lengths), torch.tensor(spaced)


        lengths, spaced = tables()
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            loss_sum += model(x, y)
            token_count += y.numel()
            byte_count += (lengths[y]{added}).sum()
    """)


_BODY = "body = piece[1:] if lead else piece; "
VALID = (
    # The table leaves the mark out, the count adds the space.
    _counted(_BODY + 'lengths.append(len(body.encode("utf-8")))'),
    # The table counts the space, and nothing adds it again.
    _counted(_BODY + 'lengths.append(len(body.encode("utf-8")) + lead)', ""),
    # It is taken off where no space is printed.
    _counted(
        'lengths.append(len(piece.replace("\u2581", " ").encode("utf-8")))',
        " - (spaced[y] & edge[x])",
    ),
)
INVALID = (
    _counted(_BODY + 'lengths.append(len(body.encode("utf-8")) + lead)'),
    _counted(_BODY + 'lengths.append(len(body.encode("utf-8")) + (1 if lead else 0))'),
    _counted('lengths.append(len(piece.replace("\u2581", " ").encode("utf-8")))'),
    _counted(
        'text = (" " if lead else "") + piece.lstrip("\u2581"); '
        'lengths.append(len(text.encode("utf-8")))'
    ),
    _counted("lengths.append(len(piece[1:].encode()) + 1 if lead else len(piece.encode()))"),
)
DOUBTFUL = (_counted(_BODY + 'lengths.append(len(body.encode("utf-8")))', asks="is_control"),)
