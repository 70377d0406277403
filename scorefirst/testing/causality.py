"""CAUSAL-1 of a model by itself: its rows do not depend on what stands behind them.

A batch of uniform ids is given; behind a cut other ids take their place, and in the other rows of
the batch too. Every log-probability in front of the cut, also that of the first changed token, must
stay. Behind the model's own weights a second time with noise in them, where some are zero or where
earlier tokens move nothing: causality holds for any weights, and a silent layer leaks in silence.

Guarantees: the control is that earlier tokens move later rows; where they do not, NotShown. Each
call has the same seed. Does not cover: leaks between cuts that fall elsewhere (`cuts` more of
them), lengths that were not tried (give the real one), what the script does around the model.
"""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from harness.arrays import Floats, Ints
from harness.checks.cut import Cut
from harness.checks.future import FEWEST, FutureChange
from harness.checks.status import Status
from harness.errors import UsageError
from harness.inside.hooks.recording.silent_weights import add_noise, silent_parts
from harness.streams.perturb import replaced
from harness.tolerances import BAND_TIMES, MOVE_NATS
from scorefirst.testing.failures import NotShown, broken, not_shown
from scorefirst.testing.scores import Scores, heard_nats, moved_text, repeats_of, under_futures

RULE = "CAUSAL-1"
ENTRIES = 62  # of a row that are compared, beside those of the tokens that stand there
FLOOR_NATS = -100.0  # what is less likely is as good as masked
CURE = (
    "mask attention (is_causal=True), pad convolutions on the left alone, and take no mean, norm,"
    " scale, sort or capacity over the sequence or over the batch"
)
REPEAT = "give it in evaluation mode (model.eval()), without state between two calls"


def assert_causal(
    model: Callable[[Tensor], Any],  # (rows, length) int64 -> (rows, length, >= vocab_size)
    vocab_size: int,
    length: int,
    *,
    rows: int = 2,  # of a batch
    cuts: int = 6,
    seed: int = 1337,
) -> None:
    """Raises where a model's logits or log-probabilities depend on later tokens.

    `model` may also return them as the first such tensor of a tuple, or as `.logits`.
    """
    if length < 2 or vocab_size < 2 or rows < 1 or cuts < 1:
        raise UsageError("assert_causal: length and vocab_size of at least 2, rows and cuts of 1")
    batch = _Batch(vocab_size, length, rows, seed)
    silent = _examine(model, batch, cuts)
    zeros = isinstance(model, nn.Module) and any(
        True for parameter in model.parameters() for _ in silent_parts(parameter)
    )
    if isinstance(model, nn.Module) and (silent or zeros):
        _examine(_louder(model, seed), batch, cuts)  # silent in noise, too: it uses no context
    elif silent:
        raise silent


def _louder(model: nn.Module, seed: int) -> nn.Module:
    """A copy with noise in its weights."""
    try:
        loud = copy.deepcopy(model)
    except (RuntimeError, TypeError) as error:
        why = f"some weights are zero, and no copy with noise in them can be made ({error})"
        raise not_shown(RULE, why, "give a model that was trained for a few steps") from error
    generator = torch.Generator().manual_seed(seed)
    for parameter in loud.parameters():
        add_noise(parameter, generator)
    return loud


@dataclass(frozen=True)
class _Batch:
    """What is asked."""

    vocab_size: int
    length: int
    rows: int
    seed: int

    @property
    def rng(self) -> np.random.Generator:
        return np.random.default_rng([self.seed, self.length])

    @property
    def tokens(self) -> Ints:
        """(rows, length)."""
        return self.rng.integers(0, self.vocab_size, (self.rows, self.length))

    def future(self, cut: int, seed: int) -> Ints:
        """(rows, length): others from the cut on, and in every further row."""
        places = np.arange(cut, self.rows * self.length)
        return self._others(places, seed)

    def past(self, cut: int) -> Ints:
        """(rows, length): others in front of the cut."""
        return self._others(np.arange(cut), 3)

    def _others(self, places: Ints, seed: int) -> Ints:
        rng = np.random.default_rng([self.seed, seed])
        ids = np.arange(self.vocab_size)
        return replaced(self.tokens.ravel(), places, ids, rng).reshape(self.rows, self.length)

    def cuts(self, number: int) -> list[int]:
        """The first and last that can be compared, and one at random in each stretch between;
        from the middle on, where most positions can serve as an example.
        """
        first = min(-(-FEWEST // (1 + min(self.vocab_size, ENTRIES))), self.length - 1)
        edges = np.linspace(first, self.length - 1, number + 1)
        inside = self.rng.uniform(edges[:-1], edges[1:]).astype(int)
        chosen = sorted({first, self.length - 1, *map(int, inside)})
        return sorted(chosen, key=lambda cut: abs(cut - self.length / 2))


def _examine(model: Callable[[Tensor], Any], batch: _Batch, cuts: int) -> NotShown | None:
    """Raises a counterexample; returns that earlier tokens moved nothing."""

    def ask(tokens: Ints) -> Floats:
        return _first_row(model, tokens, batch)

    base = ask(batch.tokens)
    if not np.isfinite(base).all():
        raise not_shown(RULE, "the model gives NaN", "give one with finite weights")
    again = repeats_of(_every(base), lambda: _every(ask(batch.tokens)))
    repeats = [scores.nats.reshape(base.shape) for scores in again]
    doubts = [
        doubt for cut in batch.cuts(cuts) if (doubt := _compare(ask, batch, base, repeats, cut))
    ]
    if doubts:  # only now: what proves something goes before what shows nothing
        raise doubts[0]
    middle = max(1, batch.length // 2)
    moved = np.abs(ask(batch.past(middle)) - base)[middle:].max(initial=0.0)
    heard = heard_nats(_every(base), again)
    if moved > heard:
        return None
    why = "other tokens in the first half moved nothing in the second"
    if heard > MOVE_NATS:
        why = f"the same call again moves by {heard / BAND_TIMES:.3g} nats, which hides what would"
        raise not_shown(RULE, why, REPEAT)
    return not_shown(RULE, why, "give the nn.Module itself, or a model that was trained a little")


def _compare(
    ask: Callable[[Ints], Floats],
    batch: _Batch,
    base: Floats,  # (length, V) nats
    repeats: list[Floats],  # the same
    cut: int,
) -> NotShown | None:
    """One cut: raises a counterexample, returns why there is neither one nor a pass.

    Entries are named by position * width + column.
    """
    changed = {seed: batch.future(cut, seed) for seed in (1, 2)}
    columns = _columns(batch, [int(tokens[0, cut]) for tokens in changed.values()])
    width = len(columns) + 1

    def entries(log_p: Floats) -> Scores:
        return _entries(log_p[:cut], batch.tokens[0], columns)

    place = Cut(np.array([(cut + 1) * width]), np.arange(width, (cut + 1) * width), {})
    result = under_futures(
        entries(base),
        [entries(one) for one in repeats],
        lambda seed: entries(ask(changed[seed])),
        place,
    )
    if result.status is Status.FAIL:
        raise _counterexample(result, batch, columns, cut)
    if result.status is Status.PASS:
        return None
    return not_shown(RULE, f"with other tokens from {cut} on: {result.reason}", REPEAT)


def _counterexample(result: FutureChange, batch: _Batch, columns: Ints, cut: int) -> AssertionError:
    assert result.counterexample is not None
    position, column = divmod(result.counterexample.position, len(columns) + 1)
    token = columns[column - 1] if column else batch.tokens[0, position]
    rows = len(np.unique(result.moved // (len(columns) + 1)))
    others = " and the other rows of the batch" if batch.rows > 1 else ""
    return broken(
        RULE,
        f"replacing the tokens from {cut} on{others} changed what the model says at {rows} of the"
        f" {cut} positions up to there",
        f"position {position}, token {token}: {moved_text(result)}"
        f" (a move of {result.threshold_nats:g} counts)",
        CURE,
    )


def _columns(batch: _Batch, always: list[int]) -> Ints:
    """(k,) entries of each row that are compared."""
    some = batch.rng.permutation(batch.vocab_size)[:ENTRIES]
    return np.union1d(some, always).astype(np.int64)


def _entries(
    log_p: Floats,  # (n, V) nats
    tokens: Ints,  # (length,)
    columns: Ints,  # (k,)
) -> Scores:
    """Of the n first rows: the entry of the token that comes, then those of the columns."""
    rows = np.arange(len(log_p))
    own = log_p[rows, tokens[rows + 1]]
    nats = -np.concatenate([own[:, None], log_p[:, columns]], axis=1).ravel()
    width = len(columns) + 1
    position = np.arange(width, width + len(nats), dtype=np.int32)
    return Scores(position, nats, np.zeros(len(nats), np.int64))


def _every(log_p: Floats) -> Scores:
    """All of a row, to see whether calls repeat."""
    nats = log_p.ravel()
    return Scores(np.arange(len(nats), dtype=np.int32), nats, np.zeros(len(nats), np.int64))


def _first_row(model: Callable[[Tensor], Any], tokens: Ints, batch: _Batch) -> Floats:
    """(length, vocab_size) nats of the batch's first row."""
    device = next(_devices(model), torch.device("cpu"))
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(batch.seed)
        given = model(torch.from_numpy(tokens).to(device))
    logits = logits_of(given, batch.rows, batch.length, batch.vocab_size)
    rows: Floats = torch.log_softmax(logits[0].double(), -1)[:, : batch.vocab_size].cpu().numpy()
    return np.asarray(np.maximum(rows, FLOOR_NATS))  # NaN stays


def _devices(model: object) -> Iterator[torch.device]:
    if isinstance(model, nn.Module):
        yield from (parameter.device for parameter in model.parameters())


def logits_of(given: Any, rows: int, length: int, vocab_size: int) -> Tensor:
    """The first tensor (rows, length, at least vocab_size) of what was returned."""
    named = getattr(given, "logits", None)
    parts = given if isinstance(given, (tuple, list)) else [given, named]
    for part in parts:
        if not isinstance(part, Tensor) or part.ndim != 3:
            continue
        if part.shape[:2] == (rows, length) and part.shape[2] >= vocab_size:
            return part
    shapes = ", ".join(str(tuple(p.shape)) for p in parts if isinstance(p, Tensor)) or type(given)
    raise UsageError(
        f"expected ({rows}, {length}, {vocab_size}) logits, and got {shapes}: wrap the model so"
        " that it returns a row for every position"
    )
