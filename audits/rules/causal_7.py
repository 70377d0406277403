"""CAUSAL-7: what ranks share was scored before, by the rank that shares it.

Catches: counts and other summaries of the tokens to be predicted that go through a collective
before these tokens are scored, in the same iteration, and shape the scores; weights that step along
gradients of all ranks before anything is scored in that iteration, which warns; it fails where the
tokens are those that a neighbour scores in the same iteration.
Does not cover: files and queues between processes; indices that do not say `(rank + 1) % ranks`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from audits.adaptation import licensed, reaches, steps_to
from audits.facts.events import Accumulation, Update
from audits.facts.labels import SHARED, TOKENS, ids
from audits.facts.trace import Trace
from audits.flow import common_loops, scores, share_loop
from audits.foresight import targets_of
from audits.match import Match, settled
from audits.rules.cases import script

RULE = "CAUSAL-7"


def check(trace: Trace) -> Iterator[Match]:
    yield from _shared_tokens(trace)
    yield from _shared_steps(trace)


def _shared_tokens(trace: Trace) -> Iterator[Match]:
    for score in scores(trace):
        wanted = targets_of(trace, score)
        for number in sorted(ids(score.labels, SHARED)):
            one = trace.exchanges[number]
            before = one.moment.position < score.moment.position
            if before and common_loops(one.moment, score.moment) and one.reads & wanted:
                yield Match.at(
                    one.site,
                    "the ranks share here what they make of the tokens that they are about to "
                    f"score, and it shapes what is scored at line {score.site.line}",
                    (one.moment, score.moment),
                    ("shared here", one.site),
                    ("scored here", score.site),
                    sure=settled(one.moment, score.moment),
                )


def _shared_steps(trace: Trace) -> Iterator[Match]:
    for number, update in enumerate(trace.updates):
        if not update.shared or licensed(trace, update):
            continue
        for score in scores(trace):
            later = score.moment.position > update.moment.position
            if later and share_loop(score.moment, update.moment) and reaches(number, score):
                neighbours = _of_a_neighbour(trace, update, score)
                yield Match.at(
                    update.backward,
                    "all ranks step along their shared gradients of what a neighbour has still to "
                    f"score in this iteration, before they score, at line {score.site.line}"
                    if neighbours
                    else "all ranks step along their shared gradients before they score, at line "
                    f"{score.site.line}: were these tokens scored before, by the rank that has "
                    "them?",
                    (update.moment, score.moment),
                    *steps_to(trace, update, score),
                    sure=neighbours and settled(update.moment, score.moment),
                )
                break


def _of_a_neighbour(trace: Trace, update: Update, score: Accumulation) -> bool:
    """Whether the tokens of the step are the scored ones, at another rank in the same round."""
    pairs = (
        (trace.reads[used], trace.reads[scored])
        for used in ids(update.labels, TOKENS)
        for scored in ids(score.labels, TOKENS)
    )
    return any(
        a.parents == b.parents
        and a.loops == b.loops
        and a.bounds.lower != b.bounds.lower
        and _own_place(a.bounds.lower) == b.bounds.lower
        for a, b in pairs
    )


def _own_place(written: str) -> str:
    """Where a rank's own piece begins, of what says where its neighbour's does."""
    return ast.unparse(_OwnRank().visit(ast.parse(written or "0", mode="eval")))


class _OwnRank(ast.NodeTransformer):
    """`(rank + 1) % ranks` becomes `rank`."""

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        match node:
            case ast.BinOp(
                op=ast.Mod(),
                left=ast.BinOp(op=ast.Add() | ast.Sub(), left=rank, right=ast.Constant()),
            ) if "rank" in ast.unparse(rank).lower():
                return rank
        return self.generic_visit(node)


_LOOP = """
    import torch.distributed as dist
    rank, ranks = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    counts = torch.ones(1024)
    for start in range(512 * rank, len(val_tokens), 512 * ranks):
        x, y = batch(val_tokens, start)
"""
_COUNT = """
        mine = torch.bincount(y, minlength=1024).float()
        dist.all_reduce(mine)
        counts += mine
"""
_GATHER = """
        mine = torch.bincount(y, minlength=1024).float()
        theirs = [torch.zeros(1024) for _ in range(ranks)]
        dist.all_gather(theirs, mine)
        counts = counts + sum(theirs)
"""
_SCORE = """
        add(F.cross_entropy(model(x) + counts.log(), y, reduction="none"), y)
"""
_TOTALS = """
    for total in (loss_sum, token_count, byte_count):
        dist.all_reduce(total)
"""
VALID = (
    # All ranks score, then all share.
    script(_LOOP + _SCORE + _COUNT + _TOTALS),
    script(_LOOP + _SCORE + _GATHER),
    # Gradients of what every rank has scored.
    script(
        _LOOP
        + _SCORE
        + """
        model(x, y).backward()
        for weight in model.parameters():
            dist.all_reduce(weight.grad)
        optimizer.step()
    """
    ),
)
_CUT_TWICE = """
        part = val_tokens[start + 1 : start + 513]
        mine = torch.bincount(part, minlength=1024).float()
        theirs = mine.clone()
        dist.all_reduce(theirs)
        counts += theirs - mine
        x, y = val_tokens[start : start + 512], val_tokens[start + 1 : start + 513]
        logp = F.log_softmax(model(x) + counts.log(), dim=-1)
        add(-logp[torch.arange(512), y], y)
"""
_NEIGHBOURS = """
    import torch.distributed as dist
    rank, ranks = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    rows = val_tokens[:-1].view(-1, 512)
    share = len(rows) // ranks
    for k in range(share):
        other = ((rank + 1) % ranks) * share + k
        model(rows[other], rows[other]).backward()
        for weight in model.parameters():
            dist.all_reduce(weight.grad)
        optimizer.step()
        own = rank * share + k
        add(model(rows[own], rows[own]), rows[own])
"""
INVALID = (
    # The row that the next rank scores in this round.
    script(_NEIGHBOURS),
    # What the others are about to score, cut twice, and scores that an index picks.
    script(_LOOP + _CUT_TWICE),
    script(_LOOP + _COUNT + _SCORE),
    script(_LOOP + _GATHER + _SCORE),
)
