"""Small coders, legal and cheating, as what the battery sees of them: scores in an order."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from audits.facts.documented.printed_scores import Printed
from harness.streams.distributions import Distribution, Repeats, Uniform
from harness.streams.drawn import SourceStream, draw, schedule

BOS, ORDINARY = 1, np.arange(4, 68)
VOCAB = 68
N_TOKENS = 1024


@dataclass(frozen=True)
class Scores:
    """A reconstructed pass."""

    position: np.ndarray
    nats: np.ndarray
    event: np.ndarray
    weight: np.ndarray = field(default=None)  # type: ignore[assignment]
    gap: float = 0.0

    def __post_init__(self) -> None:
        if self.weight is None:
            object.__setattr__(self, "weight", np.ones(len(self.position)))

    @property
    def mean(self) -> float:
        return float(np.average(self.nats, weights=self.weight))


def printed(loss: float, places: int = 8, diagnostic: bool = False, tag: str = "final") -> Printed:
    """A line of the log."""
    text = f"{tag} val_loss:{loss:.{places}f}"
    return Printed(1, tag, text, round(loss, places), None, 0.5 * 10.0**-places, diagnostic)


def stream(
    seed: int, laws: tuple[Distribution, ...] = (Uniform(),), n: int = N_TOKENS
) -> SourceStream:
    plan = schedule(n, [1] * len(laws), 64, seed)
    return draw(laws, plan, ORDINARY, BOS, seed)


def wide(seed: int, ids: int = 512) -> SourceStream:
    """A longer stream that says it has so many ids."""
    return replace(stream(seed, n=4097), ordinary=np.arange(4, 4 + ids))


REPEATS = (Repeats(0.5, (8, 16)),)


def score(
    law: SourceStream,
    order: np.ndarray | None = None,  # positions in the order of scoring
    batch: int = 16,  # positions scored in one step, then learnt from
    learn: Callable[[int, np.ndarray], np.ndarray] | None = None,  # step, batch -> learnt before
    tokens: np.ndarray | None = None,
) -> Scores:
    """A counting bigram coder: scores a batch, then learns it; score first whatever the order.

    `learn` gives positions that the coder also learns, twenty times, before it scores the batch.
    """
    x = law.tokens if tokens is None else tokens
    order = np.arange(1, len(x)) if order is None else order
    counts = np.full((VOCAB, VOCAB), 0.5)
    nats, event = np.empty(len(order)), np.empty(len(order), np.int64)
    for step, low in enumerate(range(0, len(order), batch)):
        at = order[low : low + batch]
        early = at[:0] if learn is None else learn(step, at)
        np.add.at(counts, (x[early - 1], x[early]), 20.0)
        nats[low : low + batch] = -np.log(counts[x[at - 1], x[at]] / counts[x[at - 1]].sum(1))
        event[low : low + batch] = step
        np.add.at(counts, (x[at - 1], x[at]), 1.0)
    return Scores(order.astype(np.int32), nats, event)


def lucky(law: SourceStream, seed: int, noise: float = 0.3) -> Scores:
    """As good as the source but for noise: p = q times noise, normalised, at every drawn token."""
    rng = np.random.default_rng(seed)
    at = np.arange(1, len(law.tokens))
    tilt = rng.normal(0, noise, (len(at), len(ORDINARY)))
    q = np.full(tilt.shape, 1 / len(ORDINARY))
    mine = tilt[np.arange(len(at)), np.searchsorted(ORDINARY, law.tokens[at]).clip(max=63)]
    nats = -mine + np.log((q * np.exp(tilt)).sum(1)) - law.log_q[at]
    nats[~law.drawn[at]] = 0.0
    return Scores(at.astype(np.int32), nats, at // 16)


def peek(scores: Scores, seed: int, share: float = 0.1, nats: float = 2.0) -> Scores:
    """The cheating twin: better by some nats on a share of the tokens."""
    seen = np.random.default_rng(seed + 1).random(len(scores.nats)) < share
    better = np.where(seen, np.maximum(scores.nats - nats, 0.01), scores.nats)
    return Scores(scores.position, better, scores.event, scores.weight, scores.gap)


def document_of(law: SourceStream) -> np.ndarray:
    """(T,) index of the document around each position."""
    return np.searchsorted(law.starts, np.arange(len(law.tokens)), side="right") - 1


def heavier(scores: Scores, mass: float) -> Scores:
    """The same scores by a code whose distributions weigh so much."""
    return Scores(scores.position, scores.nats - math.log(mass), scores.event)
