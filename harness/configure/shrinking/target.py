"""How small a run is made, and what of the folder's own numbers keeps its proportion to that."""

import math
from collections.abc import Callable
from dataclasses import dataclass

CONTEST_TOKENS = {1024: 62_021_632, 4096: 45_000_000, 8192: 40_540_160}  # validation tokens


@dataclass(frozen=True)
class StreamShape:
    """The validation stream of a run."""

    tokens: int
    vocab_size: int
    documents: int


@dataclass(frozen=True)
class Bound:
    """What a script demands of a switch."""

    name: str
    least: int


@dataclass(frozen=True)
class ShrinkTarget:
    """How small a run is made; another attempt changes some of these."""

    width: int = 64
    heads: int = 4
    seq_len: int = 64
    stride: int = 32
    batch_seqs: int = 4
    batches: int = 1  # times the usual tokens of a training step, and so many of calibration
    iterations: int = 3
    epochs: int = 3
    steps: int = 4  # optimiser steps of a technique that optimises at evaluation time
    layers: int = 0  # 0: as the folder ran it; layer-indexed switches assume that depth
    shrink_model: bool = True
    wallclock_s: int = 0  # 0 means no cap in nearly all scripts; a few stop at once
    counted_clock: bool = False  # a second a look: where a loop ends by the clock alone
    val_every: int = 0  # 0 means never in nearly all scripts; a few divide by it
    only_common: bool = False  # only the names that hundreds of scripts share
    only_commands: bool = False  # of the folder's settings, only those of its commands
    omitted: frozenset[str] = frozenset()  # settings of the folder that cannot be given
    bounds: frozenset[Bound] = frozenset()  # below which no switch is set
    own_sizes: bool = False  # numbers that only the code names shrink by their names, too
    by_value: bool = False  # sizes whose names no rule knows shrink by how large they are
    native: bool = False  # the folder's own sizes: only how long it runs shrinks
    compiled: bool = False  # on a GPU: what the script compiles is compiled, which takes minutes


@dataclass(frozen=True)
class Proportions:
    """What the folder ran with, for everything that keeps a proportion to it."""

    width: float
    heads: float
    seq_len: float
    target: ShrinkTarget
    stream: StreamShape
    calibrates: bool = False  # the script fits a quantiser to tokens

    @property
    def stream_share(self) -> float:
        """The stream as a part of the contest's."""
        contest = min(CONTEST_TOKENS, key=lambda vocab: abs(vocab - self.stream.vocab_size))
        return self.stream.tokens / CONTEST_TOKENS[contest]

    @property
    def longest(self) -> int:
        """Tokens of the longest context."""
        return 2 * self.target.seq_len


# The value as it was -> the small one; None where it stays.
Shrink = Callable[[float, Proportions], float | None]


def power_of_two(value: float) -> int:
    """The nearest power of two, on a logarithmic scale; at least one."""
    return int(2 ** max(0, round(math.log2(max(value, 1.0)))))


def leave(value: float, was: Proportions) -> float | None:
    """Stays as the folder ran it."""
    return None


def fixed(small_value: float) -> Shrink:
    """The same whatever it was."""
    return lambda value, was: small_value


def at_most(limit: float) -> Shrink:
    """Lowered to a limit."""
    return lambda value, was: limit if value > limit else None
