"""NORM-5 of a script: a token's probability spread over its bytes.

A token of n bytes and probability p is no p^(1/n) for each byte: mixed with a model of bytes, the
cheaper of the two is taken byte by byte, and the first byte of a long word costs the n-th part of
what it says. Seen on two more streams, whose every token is drawn alike from a few ids:

    multi-byte tokens    32 whole words of many bytes: the source says ln 32 nats each
    single-byte tokens   26 letters, over which nothing can be spread: the control

A claim below the source on multi-byte tokens alone is the fault (1.1 to 1.6 nats a word at the
smallest size: PR #1785, #1835, #1850, #1877, #1881, #1885, #2103). Asked only of claims that no
captured scores explain, as mixtures of bytes are added up out of sight, and of those where one
token costs more numbers than another. The network must know the few ids that there are: it takes
more training steps than elsewhere.

Guarantees: nobody beats the source, a model of bytes neither, since the words begin with a space
and so the bytes tell them apart; a denominator that is off by three bytes a token flags nobody, and
is not in question where recorded scores come to the number. Does not cover: mixtures that are
switched off, vocabularies without words, a claim that the folder's submission.json does not name.
"""

import math
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np

from audits.facts.documented.printed_scores import Printed, kind
from harness.arrays import Tokens
from harness.checks.e_values import THRESHOLD_NATS
from harness.checks.source import GAP_TOLERANCE
from harness.checks.status import Finding, Level, Status
from harness.protocol.question import OfToken
from harness.streams.distributions import Uniform
from harness.trace.reconstruct import Pass
from harness.trace.script_run import ScriptRun

LONG_WORD = re.compile("▁[A-Za-z]{3,}")
LETTER = re.compile("[a-z]")
WORDS = 32
LETTERS = 26
MORE_BYTES = 3  # a token, counted beyond its own: a space sign of three bytes, and a space
NEARLY_ALL = 0.9  # of the stream, scored once each
OFF = 0.01  # relative: more than a denominator differs in honest scripts
RULE = "NORM-5"


@dataclass(frozen=True)
class Spread:
    """A claim on one of the two streams; nats a token."""

    printed: Printed
    stream: str
    claimed: float  # as printed, by the canonical bytes
    source: float
    log_e: float  # nats below the source in total, whatever the denominator
    recorded: bool  # by recorded scores, which no denominator is in

    @property
    def beats(self) -> bool:
        """Beyond chance."""
        return self.log_e >= THRESHOLD_NATS

    @property
    def text(self) -> str:
        """For the report."""
        return f"{self.claimed:.3f} nats a token on {self.stream}, {self.source:.3f} by the source"


def spread_distributions(
    longest: Callable[
        [re.Pattern[str], int], Tokens
    ],  # ids whose whole piece fits, at most so many
) -> list[Uniform]:
    """Of the two streams; none where the vocabulary has too few words or letters."""
    words, letters = longest(LONG_WORD, WORDS), longest(LETTER, LETTERS)
    if len(words) < WORDS or len(letters) < LETTERS:
        return []
    return [Uniform("multi-byte tokens", words), Uniform("single-byte tokens", letters)]


def unexplained(
    base: ScriptRun,
    declared: Collection[str],  # kinds of the numbers that submission.json names
) -> list[Printed]:
    """Claims in bits per byte that the captured scores do not explain, or byte by byte."""
    claimed = _claimed(base, declared)
    return [n for n in claimed if not _explained(n, base) or _in_parts(base.passes[n.line])]


def check_spread(
    words: ScriptRun | None, letters: ScriptRun | None, claims: Collection[Printed]
) -> Finding | None:
    """NORM-5 from the two runs; None where there was nothing to ask."""
    on_words = [s for claim in claims if (s := _spread(claim, words))]
    if not on_words:
        return None
    worst = max(on_words, key=lambda s: s.log_e)
    finding = {"tag": worst.printed.tag, "certain_nats": worst.log_e, "words": worst.text}
    text = f"{worst.printed.tag} costs {worst.text}"
    control = _spread(worst.printed, letters)
    if not worst.beats:
        return _status(Status.UNKNOWN, f"{text}: nothing is proved", finding)
    if control is None:
        return _status(Status.UNKNOWN, f"{text}; no control on single letters", finding)
    finding["letters"] = control.text
    if control.claimed < control.source:
        text = f"{text}, and {control.text}: impossible, and not for the spreading alone"
        return _status(Status.UNKNOWN, text, finding)
    even = "by its recorded scores" if worst.recorded else "even with three more bytes a token"
    text = (
        f"{text}: {worst.log_e:.1f} nats better than the source {even}"
        f" (threshold {THRESHOLD_NATS:.1f}); {control.text}, where a token is one byte:"
        " probability is spread over bytes"
    )
    return _status(Status.FAIL, text, finding)


def _claimed(run: ScriptRun, declared: Collection[str]) -> list[Printed]:
    """Those that submission.json names, diagnostics where nothing else is; else the headline.

    A progress line comes to the declared number as well, and stands for a part of the stream.
    """
    scores = [n for n in run.numbers if n.bits_per_byte is not None]
    named = [n for n in scores if kind(n) in declared]
    proper = [n for n in named if not n.diagnostic]
    return proper or named or [n for n in scores if n is run.headline]


def _explained(number: Printed, base: ScriptRun) -> bool:
    """Rebuilt, and its bits per byte are those scores' own."""
    scored = base.passes.get(number.line)
    if scored is None or not abs(scored.gap) <= GAP_TOLERANCE:
        return False
    assert number.bits_per_byte is not None
    by_bits = number.bits_per_byte * math.log(2) * base.n_bytes
    by_nats = scored.mean * (len(base.source.tokens) - 1)
    return abs(by_bits - by_nats) <= OFF * by_nats  # a mixture may lose on a stream like ours


def _in_parts(scored: Pass) -> bool:
    """A token's score is the sum of several numbers, of some more than of others."""
    return scored.of_token is OfToken.SUM and len(np.unique(scored.numbers)) > 1


def _spread(claim: Printed, run: ScriptRun | None) -> Spread | None:
    """The number of the same kind on another stream."""
    if run is None:
        return None
    same = [n for n in run.numbers if kind(n) == kind(claim) and n.bits_per_byte is not None]
    if not same or same[-1].bits_per_byte is None:
        return None
    tokens = len(run.source.tokens) - 1
    claimed = same[-1].bits_per_byte * math.log(2) * run.n_bytes
    source = -float(run.source.log_q[1:].sum())
    more = 1 + MORE_BYTES * tokens / run.n_bytes
    by_bytes, by_scores = source - claimed * more, _by_scores(same[-1], run)
    log_e, name = max(by_bytes, by_scores), run.source.distributions[0]
    each = claimed / tokens, source / tokens
    return Spread(claim, name, *each, log_e, recorded=by_scores > by_bytes)


def _by_scores(number: Printed, run: ScriptRun) -> float:
    """Nats below the source by the scores that come to the number, once each; else nothing."""
    scored = run.passes.get(number.line)
    if scored is None or not abs(scored.gap) <= GAP_TOLERANCE:
        return -math.inf
    at = scored.position
    if len(np.unique(at)) != len(at) or scored.coverage < NEARLY_ALL or scored.divided_by:
        return -math.inf
    return float(-run.source.log_q[at].sum() - scored.nats.sum())


def _status(status: Status, text: str, finding: dict[str, object]) -> Finding:
    return Finding(RULE, status, Level.BLACK_BOX, text, evidence=(finding,))
