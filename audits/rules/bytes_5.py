"""BYTES-5: losses and bytes are counted over the same positions.

Catches: in one loop, losses of the end of a window, `nll[s:]`, beside the bytes of all of it.
Does not cover: masks; positions that two loops count; bounds that only numbers tell apart.
"""

from __future__ import annotations

from collections.abc import Iterator

from audits.facts.events import Accumulation, Region
from audits.facts.labels import OUTPUT, REGION, TOKENS, ids, kinds
from audits.facts.trace import Trace
from audits.flow import regions, scores
from audits.match import Match, settled
from audits.rules.cases import script

RULE = "BYTES-5"


def check(trace: Trace) -> Iterator[Match]:
    told: set[object] = set()
    for score in scores(trace):
        late = [one for one in regions(trace, score.labels) if _begins_late(one)]
        if not late:
            continue
        for count in _beside(trace, score):
            if count.site in told or not _whole(trace, count):
                continue
            told.add(count.site)
            yield Match.at(
                count.site,
                "bytes of whole windows are added up here, but of their losses only those of "
                f"`{late[0].text}`, at line {score.site.line}",
                (count.moment, score.moment),
                ("counted here", count.site),
                ("scored here", score.site),
                sure=settled(count.moment, score.moment),
            )


def _begins_late(region: Region) -> bool:
    return region.lower not in ("", "0", "None") and not region.complement


def _beside(trace: Trace, score: Accumulation) -> Iterator[Accumulation]:
    """What else is added up from tokens, in the same loops."""
    for one in (trace.accumulations[number] for number in sorted(trace.counts)):
        plain = OUTPUT not in kinds(one.labels) and REGION not in kinds(one.labels)
        if plain and one.moment.loops == score.moment.loops != ():
            yield one


def _whole(trace: Trace, count: Accumulation) -> bool:
    """Whether all its tokens are cut from the beginning of a window."""
    found = [trace.reads[one].region for one in ids(count.labels, TOKENS)]
    return bool(found) and all(one is not None and one.lower in ("", "0") for one in found)


def _windows(target: str, before: str = "x[i, s:wlen]") -> str:
    return script(f"""
        starts = list(range(0, len(val_tokens), 64))
        for first in range(0, len(starts), 32):
            x, y = torch.zeros(32, 512).long(), torch.zeros(32, 512).long()
            for i, start in enumerate(starts[first : first + 32]):
                wlen = min(start + 512, len(val_tokens) - 1) - start
                piece = val_tokens[start : start + wlen + 1]
                x[i, :wlen], y[i, :wlen] = piece[:-1], piece[1:]
            nll = F.cross_entropy(model(x), y, reduction="none")
            for i, start in enumerate(starts[first : first + 32]):
                wlen = min(start + 512, len(val_tokens) - 1) - start
                s = 0 if start == 0 else wlen - 64
                loss_sum += nll[i, s:wlen].sum()
                token_count += wlen - s
                target, before = {target}, {before}
                size = byte_table[target]
                size += spaced[target] & ~edge[before]
                byte_count += size.sum()
    """)


VALID = (
    _windows("y[i, s:wlen]"),
    # The end of the window, told in another way.
    _windows("y[i, wlen - 64 :]", "x[i, wlen - 64 :]"),
)
INVALID = (_windows("y[i, :wlen]", "x[i, :wlen]"), _windows("y[i, 0:wlen]", "x[i, 0:wlen]"))
