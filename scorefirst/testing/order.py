"""ORDER-1 of an evaluation loop: what it says of a token was fixed before it learned from it.

The loop is called with other tokens behind a cut: scores in front of it may not move, as nothing
that was known then is another thing. And it is called with uniform ids, which nobody can score
below their own code length: a loop that learns from a token before it scores it does.

Guarantees: one call the same again, or the band of five, as in an evaluation; a control that other
tokens at the beginning move later scores. Each call gets a copy of the tokens and must start from
the same weights. Does not cover: numbers that the loop prints beside these scores.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from harness.arrays import Floats, Ints, Tokens
from harness.checks.cut import Cut, choose_cut
from harness.checks.future import FEWEST
from harness.checks.source import REFEREED, source_test
from harness.checks.status import Status
from harness.errors import UsageError
from harness.streams.drawn import SourceStream
from harness.streams.perturb import replaced
from scorefirst.testing.failures import NotShown, broken, not_shown
from scorefirst.testing.scores import Scores, heard_nats, moved_text, repeats_of, under_futures

RULE = "ORDER-1"
Evaluate = Callable[[Any], Any]
CURE = (
    "keep the scores of a chunk before a step is taken on it, and let them stand; a loop that"
    " scores in another order than that of the stream says so with order="
)
FRESH = "let every call start from the same weights, state and seed (copy the model inside)"


def assert_score_first(
    evaluate_fn: Evaluate,  # (T,) ids -> (T - 1,) nats of tokens 1..T-1
    tokens: Any,  # (T,) int64, an array or a tensor; evaluate_fn gets the same kind
    *,
    starts: Sequence[int] = (0,),  # positions at which documents begin; those tokens stay
    order: Sequence[int] | None = None,  # (T - 1,) when each token is scored; default: in turn
    cuts: int = 4,
    seed: int = 1337,
) -> None:
    """Raises where scores depend on tokens that were scored later, or cannot have been honest."""
    loop = _Loop(evaluate_fn, tokens, np.array(starts, np.int64), order)
    base = loop.scores(loop.tokens)
    repeats = repeats_of(base, lambda: loop.scores(loop.tokens))
    rng = np.random.default_rng([seed, len(loop.tokens)])
    edges = np.linspace(0.05, 0.95, cuts + 1)
    chosen = [choose_cut(base, loop.starts, float(at)) for at in rng.uniform(edges[:-1], edges[1:])]
    wide = [cut for cut in chosen if len(cut.compared) >= FEWEST]
    if not wide:
        why = f"no cut leaves {FEWEST} scores that are fixed before it"
        raise not_shown(RULE, why, "give more tokens, or longer documents")
    doubts = [doubt for cut in wide if (doubt := _compare(loop, base, repeats, cut))]
    _against_source(loop, rng)
    if doubts:  # only now: what proves something goes before what shows nothing
        raise doubts[0]
    _control(loop, base, repeats, rng)


class _Loop:
    """The caller's evaluation, and what it is given."""

    def __init__(
        self, evaluate_fn: Evaluate, tokens: Any, starts: Ints, order: Sequence[int] | None
    ) -> None:
        self._evaluate, self._as_tensor = evaluate_fn, isinstance(tokens, torch.Tensor)
        given = tokens.cpu().numpy() if isinstance(tokens, torch.Tensor) else tokens
        self.tokens: Tokens = np.array(given, np.int64)
        if self.tokens.ndim != 1 or len(self.tokens) < 16:
            raise UsageError("assert_score_first: tokens are one row of at least 16 ids")
        self.starts = starts
        self.ordinary = np.unique(np.delete(self.tokens, starts))
        if len(self.ordinary) < 2:
            raise UsageError("assert_score_first: tokens of at least two kinds")
        n = len(self.tokens) - 1
        self._event: Ints = np.arange(n) if order is None else np.array(order, np.int64)
        if self._event.shape != (n,):
            raise UsageError(f"order: {n} numbers, one for each token but the first")

    def scores(self, tokens: Tokens) -> Scores:
        """One call."""
        given: Any = tokens.copy()
        scored = self._evaluate(torch.from_numpy(given) if self._as_tensor else given)
        if isinstance(scored, torch.Tensor):
            scored = scored.detach().double().cpu().numpy()
        nats: Floats = np.asarray(scored, np.float64)
        if nats.shape != (len(tokens) - 1,):
            raise UsageError(
                f"evaluate_fn gave {nats.shape} for {len(tokens)} tokens: return the"
                f" {len(tokens) - 1:,} losses, nats, before they are averaged"
            )
        if not np.isfinite(nats).all():
            raise not_shown(RULE, "some scores are not finite", "return finite losses in nats")
        return Scores(np.arange(1, len(tokens), dtype=np.int32), nats, self._event)

    def others(self, places: Ints, rng: np.random.Generator) -> Tokens:
        """(T,) with other tokens at the places, but where documents begin."""
        places = np.setdiff1d(places, self.starts)
        return replaced(self.tokens, places, self.ordinary, rng)

    def uniform(self, rng: np.random.Generator) -> SourceStream:
        """Of the same length, all ids alike."""
        tokens, drawn = self.tokens.copy(), np.ones(len(self.tokens), bool)
        drawn[[0, *self.starts]] = False
        tokens[drawn] = rng.choice(self.ordinary, int(drawn.sum()))
        log_q = np.where(drawn, -np.log(len(self.ordinary)), 0.0)
        one = np.zeros(len(tokens), np.int8)
        return SourceStream(tokens, self.starts, log_q, drawn, one, ("uniform",), 0, self.ordinary)


def _compare(loop: _Loop, base: Scores, repeats: list[Scores], cut: Cut) -> NotShown | None:
    """Raises a counterexample; returns why there is neither one nor a pass."""
    result = under_futures(
        base,
        repeats,
        lambda seed: loop.scores(loop.others(cut.changed, np.random.default_rng(seed))),
        cut,
    )
    if result.status is Status.FAIL:
        assert result.counterexample is not None
        raise broken(
            RULE,
            f"other tokens behind position {cut.first_changed - 1} changed {len(result.moved):,} of"
            f" {result.compared:,} scores of tokens before them",
            f"position {result.counterexample.position}: {moved_text(result)}"
            f" (a move of {result.threshold_nats:g} counts)",
            CURE,
        )
    if result.status is Status.PASS:
        return None
    why = f"with other tokens from {cut.first_changed} on: {result.reason}"
    return not_shown(RULE, why, FRESH)


def _against_source(loop: _Loop, rng: np.random.Generator) -> None:
    """SOURCE-1 of the loop on uniform ids."""
    stream = loop.uniform(rng)
    scored = loop.scores(stream.tokens)
    test = source_test(REFEREED, scored, stream)
    if test.refuted:
        gain = -stream.log_q[1:] - scored.nats
        worst = int(gain.argmax())
        raise broken(
            "SOURCE-1",
            f"{test.tokens:,.0f} ids drawn at random were scored {test.below_source:,.1f} nats"
            f" below what they cost (log e-value {test.log_e:.1f}, honest code stays below"
            f" {test.threshold:.1f})",
            f"position {worst + 1}: {scored.nats[worst]:.6f} nats, and one of"
            f" {len(loop.ordinary):,} ids costs {-stream.log_q[worst + 1]:.6f}",
            "score a token before a step is taken on it, give no row its own target, and let"
            " probabilities sum to one",
        )


def _control(
    loop: _Loop, base: Scores, repeats: Sequence[Scores], rng: np.random.Generator
) -> None:
    """Other tokens where it is scored first must move what is scored later."""
    early = base.event < np.median(base.event)
    other = loop.scores(loop.others(base.position[early].astype(np.int64), rng))
    moved = np.abs(other.nats - base.nats)[~early]
    if not moved.max(initial=0.0) > heard_nats(base, repeats):
        why = "other tokens in the first half moved no score in the second, or less than a repeat"
        raise not_shown(RULE, why, "raise the learning rate, or give a model that uses its context")
