"""NORM-1 of a function: what it gives to all tokens of the vocabulary adds up to at most one.

A function that returns whole rows is summed over each; one that returns scores of the tokens that
it is given is asked for every token in turn, behind the same earlier ones.

Guarantees: more than 1 + 1e-4 is broken, as in an evaluation; less only hurts its author, and
passes. Does not cover: tokens that were not asked (uniform ids; a table that is empty here adds
up to one).
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from harness.arrays import Floats
from harness.checks.refereed.mass import RULE, of_mass
from harness.checks.status import Status
from harness.errors import UsageError
from scorefirst.testing.failures import broken, not_shown

CURE = (
    "mix whole distributions with weights that do not look at the token (lerp of probabilities, or"
    " a softmax over the vocabulary behind a mix of logits)"
)


def assert_normalised(
    log_probs_fn: Callable[[Tensor], Tensor],  # (B, L) int64 -> (B, L, V) nats, or scores
    vocab_size: int,
    length: int,
    *,
    positions: int = 4,  # at which every token is tried, where scores are returned
    seed: int = 1337,
) -> None:
    """Raises where probabilities of all tokens sum to more than one.

    `log_probs_fn` returns log-probabilities of whole rows, (B, L, V), or nats of the tokens that it
    was given, each after its predecessors: (B, L) or (B, L - 1), the last one that of the last.
    """
    if length < 2 or vocab_size < 2 or positions < 1:
        raise UsageError("assert_normalised: length and vocab_size of at least 2, positions of 1")
    rng = np.random.default_rng([seed, length])
    tokens = torch.from_numpy(rng.integers(0, vocab_size, (1, length)))
    given = _ask(log_probs_fn, tokens)
    if given.ndim == 3:
        places, mass = np.arange(1, length + 1), np.exp(given[0]).sum(axis=-1)
    else:
        chosen = rng.choice(np.arange(1, length), min(positions, length - 1), replace=False)
        places = np.unique([*chosen, length - 1])
        mass = np.array([_sum_at(log_probs_fn, tokens, int(t), vocab_size) for t in places])
    _judge(places, mass)


def _judge(places: np.ndarray, mass: Floats) -> None:
    """`places`: (n,) positions whose tokens (n,) `mass` sums over."""
    if np.isnan(mass).any():
        raise not_shown(RULE, "a sum over the vocabulary is NaN", "give finite log-probabilities")
    found = of_mass(mass)
    if found.status is Status.FAIL:
        worst = int(mass.argmax())
        raise broken(
            RULE,
            f"distributions sum to more than one at {found.evidence[0]['positions_above']} of"
            f" {len(mass)} positions",
            f"position {places[worst]}: the probabilities of all tokens sum to {mass[worst]:.6g},"
            " and 1 is the most that a code can give",
            CURE,
        )


def _sum_at(
    log_probs_fn: Callable[[Tensor], Tensor], tokens: Tensor, place: int, vocab_size: int
) -> float:
    """Over every token at the position, behind the same earlier ones."""
    asked = tokens[:, : place + 1].repeat(vocab_size, 1)
    asked[:, place] = torch.arange(vocab_size)
    return float(np.exp(-_ask(log_probs_fn, asked)[:, -1]).sum())


def _ask(log_probs_fn: Callable[[Tensor], Tensor], tokens: Tensor) -> Floats:
    with torch.no_grad():
        given = torch.as_tensor(log_probs_fn(tokens.clone()))
    rows, length = tokens.shape
    whole = given.ndim == 3 and given.shape[:2] == (rows, length)
    scores = given.ndim == 2 and given.shape[0] == rows and length - given.shape[1] in (0, 1)
    if not (whole or scores):
        raise UsageError(
            f"of {rows} rows of {length} tokens came {tuple(given.shape)}: return log-probabilities"
            f" ({rows}, {length}, V), or nats of the given tokens ({rows}, {length})"
        )
    return given.double().cpu().numpy()
