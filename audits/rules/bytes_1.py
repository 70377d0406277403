"""BYTES-1: the denominator is the size of the scored text.

Catches: bytes of pieces, or the bytes of their spaces, that are multiplied by a number above one
before they are added up.
Does not cover: totals and tables that come from files; the harness counts for itself.
"""

from __future__ import annotations

from collections.abc import Iterator

from audits.facts.labels import INFLATED, OUTPUT, ids, kinds
from audits.facts.trace import Trace
from audits.flow import results
from audits.match import Match, settled
from audits.rules.cases import script

RULE = "BYTES-1"


def check(trace: Trace) -> Iterator[Match]:
    last = max(results(trace), key=lambda score: score.moment.position, default=None)
    if last is None:
        return
    seen: set[int] = set()
    for count in (trace.accumulations[number] for number in sorted(trace.counts)):
        if OUTPUT in kinds(count.labels):
            continue
        for number in sorted(ids(count.labels, INFLATED) - seen):
            seen.add(number)
            change = trace.changes[number]
            yield Match.at(
                change.site,
                f"bytes count for more than they are ({change.how}) in the total at line "
                f"{count.site.line}: the denominator is no longer the text's size",
                (change.moment, count.moment),
                ("counted for more here", change.site),
                ("added up here", count.site),
                ("reported here", last.site),
                sure=settled(change.moment, count.moment),
            )


def _counted(bytes_: str, before: str = "pass") -> str:
    return script(f"""
        import sentencepiece as spm

        speller = spm.SentencePieceProcessor(model_file="tokenizer.model")
        lengths, spaced = np.zeros(1024), np.zeros(1024, dtype=bool)
        for number in range(1024):
            piece = speller.id_to_piece(number)
            if piece.startswith("\\u2581"):
                spaced[number] = True
                piece = piece[1:]
            lengths[number] = len(piece.encode("utf-8"))
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            loss_sum += model(x, y)
            token_count += y.numel()
            {before}
            byte_count += {bytes_}
    """)


VALID = (
    _counted("(lengths[y] + spaced[y]).sum()"),
    # Bits of bytes, and bytes of them again.
    _counted("bits.sum() / 8", "bits = 8 * (lengths[y] + spaced[y])"),
)
INVALID = (
    _counted("(lengths[y] + 2 * spaced[y]).sum()"),
    _counted("1.05 * lengths[y].sum() + spaced[y].sum()"),
    _counted("size.sum()", "size = lengths[y]; size += 2 * (spaced[y] & ~spaced[x])"),
)
