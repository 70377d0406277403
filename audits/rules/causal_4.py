"""CAUSAL-4: what several windows share is fitted on tokens before all of them.

Catches: one bias or shift for a whole batch of windows (a leading dimension of one), fitted on the
windows' contexts and then used to score these windows. Where windows overlap, the context of one
holds the scored tokens of another.
Does not cover: whether the windows overlap, which needs index arithmetic; so it warns.
"""

from __future__ import annotations

from collections.abc import Iterator

from audits.adaptation import licensed, reaches, same_positions, steps_to
from audits.facts.events import Update
from audits.facts.trace import Trace
from audits.facts.values import ROWS
from audits.flow import cut_by, same_tokens, scores, share_loop
from audits.match import Match
from audits.rules.cases import script

RULE = "CAUSAL-4"
SURE = False


def check(trace: Trace) -> Iterator[Match]:
    for number, update in enumerate(trace.updates):
        if not _shared(update) or not _many_windows(trace, update) or licensed(trace, update):
            continue
        for score in scores(trace):
            used = share_loop(score.moment, update.moment) and reaches(number, score)
            same = same_tokens(trace, update.labels, score.labels)
            if not used or not same or same_positions(trace, update, score):
                continue
            yield Match.at(
                update.backward,
                "one tensor serves a whole batch of windows; it is fitted here on their contexts, "
                f"and the same windows are scored with it at line {score.site.line}: where they "
                "overlap, one window's context is another's answer",
                (update.moment, score.moment),
                *steps_to(trace, update, score),
                sure=False,
            )
            break


def _shared(update: Update) -> bool:
    """Whether what is fitted has one row for all."""
    return bool(update.targets) and all(
        ROWS in target.attrs and target.attrs[ROWS].const == 1 for target in update.targets
    )


def _many_windows(trace: Trace, update: Update) -> bool:
    """Whether the tokens were collected by a loop that ended before the update."""
    return bool(cut_by(trace, update.labels) - set(update.moment.loops))


def _fitted(rows: str) -> str:
    return script(f"""
        starts = list(range(0, len(val_tokens), 64))
        for first in range(0, len(starts), 32):
            x, y = torch.zeros(32, 512), torch.zeros(32, 512)
            for row, start in enumerate(starts[first : first + 32]):
                piece = val_tokens[start : start + 513]
                x[row], y[row] = piece[:-1], piece[1:]
            hidden = model(x)
            delta = torch.zeros({rows}, 1, 512, requires_grad=True)
            fit = torch.optim.AdamW([delta], lr=0.01)
            mask = torch.zeros(32, 512)
            mask[:, :s] = 1.0
            loss = F.cross_entropy(hidden + delta, y, reduction="none")
            (loss * mask).sum().backward()
            fit.step()
            nll = F.cross_entropy(hidden + delta, y, reduction="none")
            add(nll[:, s:512], y)
    """)


VALID = (
    # A row for each window.
    _fitted("32"),
    # One window at a time.
    script("""
        for start in range(0, len(val_tokens), 64):
            x, y = batch(val_tokens, start)
            hidden = model(x)
            delta = torch.zeros(1, 1, 512, requires_grad=True)
            fit = torch.optim.AdamW([delta], lr=0.01)
            loss = F.cross_entropy(hidden + delta, y, reduction="none")
            loss[:, :s].sum().backward()
            fit.step()
            nll = F.cross_entropy(hidden + delta, y, reduction="none")
            add(nll[:, s:512], y)
    """),
)
INVALID = (_fitted("1"),)
