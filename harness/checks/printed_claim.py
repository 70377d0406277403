"""The claim of a number that no captured scores explain: the printed mean times its tokens.

    unit      nats a token are believed where the printed pair gives bytes a token that some way of
              counting gives; from bits per byte alone they are taken by the way that counts most
    tokens    by PASS-3 a headline stands for all of them; here for no more than hooks saw scored
              in that run, and for a quarter where they saw none. What is claimed is the same a
              token for every part of a pure stream, so fewer tokens only claim less
    rounding  half a unit of the last place, a float32 accumulator, one 16-bit rounding a token
              unless hooks saw scores of nearly all tokens, and none a 16-bit number

Guarantees: a loss a byte, a character or a piece of a token, in bits, as perplexity, or without
bits beside it accuses nobody; nor does a denominator that is off, which is BYTES-1. Does not
cover: luck of a script that scores a few tokens only; two draws must both refute (`uniform`).
"""

import math
from dataclasses import dataclass

import numpy as np

from audits.facts.documented.printed_scores import Printed
from harness.checks.e_values import (
    BFLOAT16_NATS,
    FLOAT32_EPSILON,
    MASS_NATS,
    THRESHOLD_NATS,
    score_rounding,
)
from harness.checks.source import SourceTest
from harness.streams.drawn import SourceStream
from harness.trace.reconstruct import print_event
from harness.trace.script_run import ScriptRun

LEAST_SHARE = 0.25  # of the stream, where hooks saw nothing scored
NEARLY_ALL = 0.9
UNIT = 0.1  # relative, between bytes a token of the printed pair and a way of counting them
NO_UNIT = "what one unit of the printed number is, of what, is not known"


@dataclass(frozen=True)
class ByteCounts:
    """Bytes a token of one stream, by the ways in which scripts count them."""

    canonical: float
    largest: float  # a space is three bytes, byte and control pieces are spelt out


@dataclass(frozen=True)
class Seen:
    """What hooks saw of the scores that may be behind a number."""

    tokens: int  # that it stands for, at the least
    fine: bool  # nearly all tokens have a score, and none of those is a 16-bit number


def claim_test(
    printed: Printed,
    stream: SourceStream,  # pure
    counts: ByteCounts,
    seen: Seen,
) -> SourceTest:
    """What the printed mean saves on so many tokens, less what rounding may have given."""
    found = _nats_per_token(printed, counts)
    if found is None:
        return SourceTest(
            printed, seen.tokens, math.nan, -math.inf, -math.inf, 0.0, THRESHOLD_NATS, NO_UNIT
        )
    nats, half_unit = found
    rounding = half_unit + (0.0 if seen.fine else BFLOAT16_NATS)
    return mean_test(printed, stream, (nats, rounding), seen.tokens)


def mean_test(
    printed: Printed,
    stream: SourceStream,  # pure
    mean: tuple[float, float],  # nats a token, and what rounding may have given each
    tokens: int,
) -> SourceTest:
    """The same for a mean whose unit is known."""
    nats, rounding = mean
    below = least_source(stream, tokens) - nats * tokens
    allowance = tokens * (rounding + FLOAT32_EPSILON * nats * len(stream.tokens) + MASS_NATS)
    return SourceTest(
        printed, tokens, below, below - allowance, -math.inf, allowance, THRESHOLD_NATS
    )


def least_source(stream: SourceStream, tokens: int) -> float:
    """Nats of the cheapest run of so many targets: one with most boundaries in it."""
    nats = np.concatenate([[0.0], np.cumsum(-stream.log_q[1:])])
    return float((nats[tokens:] - nats[: len(nats) - tokens]).min())


def seen(run: ScriptRun, printed: Printed) -> Seen:
    """Scores that were recorded before the line."""
    capture, targets = run.capture, len(run.stream.tokens) - 1
    before = capture.score_event < print_event(capture, printed)
    places, nats = capture.position[before], capture.nats[before]
    line = capture.counter[capture.score_event[before]]
    found = np.unique(places[places > 0])
    tokens = len(found) or round(LEAST_SHARE * targets)
    coarse = any(score_rounding(nats[line == one]).any() for one in np.unique(line))
    return Seen(tokens, len(found) >= NEARLY_ALL * targets and not coarse)


def _nats_per_token(printed: Printed, counts: ByteCounts) -> tuple[float, float] | None:
    """Nats a token and half a unit of their last place; None where the unit is not known."""
    nats, bits = printed.nats_per_token, printed.bits_per_byte
    if bits is None or not bits > 0 or not math.isfinite(bits):
        return None
    if nats is None:
        scale = math.log(2) * counts.largest
        return bits * scale, printed.half_unit * scale
    implied = nats / math.log(2) / bits
    if not counts.canonical * (1 - UNIT) <= implied <= counts.largest * (1 + UNIT):
        return None
    return nats, printed.half_unit
