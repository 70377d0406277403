"""BYTES-1: the denominator, recounted over the tokens that the script really scored.

From the printed pair, loss in nats a token and bits per byte, follows a number of bytes a token;
the canonical table says how many there are. A larger denominator would lower the claim without
lowering the loss; where it is that of all targets, and fewer have a loss in the number, that is
BYTES-5. Allowed: what rounding of both numbers explains; one token more or less at either end; one
byte a document (the space after a boundary). A smaller denominator only hurts its author.
One that counts the characters of "<0x0A>" and "<s>" instead of a byte and nothing is *unknown*:
text has few of them, our streams a quarter (#1553: 38 % here, little there).
Where bits alone were printed, the loss that was captured takes its place; it fails nothing.
Does not cover scripts that print no bits, or another loss than nats a token: *unknown*.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from audits.facts.documented.printed_scores import Printed
from harness.arrays import Bools, Floats, Ints
from harness.checks.source import inconclusive_reason
from harness.checks.status import Finding, Level, Reason, Status
from harness.trace.scored_positions import ScoredPass

BYTE_SPELT = 5  # characters of "<0x0A>" beyond the byte that it stands for
BOS_SPELT = 3  # of "<s>", which stands for none
RULE = "BYTES-1"
OF_ALL = "BYTES-5"  # bytes of tokens without a loss
NUMBER = re.compile(r"\d+\.\d+")


def check_bytes(
    printed: Printed,
    scored: ScoredPass | None,
    bytes_of: Ints,  # (T,) canonical bytes of each position's token after its predecessor
    starts: Ints,  # (D,) positions at which a document begins
    is_byte: Bools,  # (T,) byte pieces
) -> Finding:
    """The status of BYTES-1 for one printed pair, or for bits whose loss was captured."""
    bits = printed.bits_per_byte
    reason = inconclusive_reason(scored) or ("" if bits else "no bits per byte were printed")
    if reason or scored is None or not bits:
        return Finding(RULE, Status.UNKNOWN, Level.BLACK_BOX, reason)
    nats = _nats_per_token(printed, scored)
    implied = nats / math.log(2) / bits  # bytes a token
    spelt_of = BYTE_SPELT * is_byte.astype(np.float64)
    spelt_of[starts] += BOS_SPELT
    once, means = _once(scored), _means(scored, bytes_of, spelt_of)
    ours, spelt = min(means, key=lambda m: min(abs(m[0] - implied), abs(m[0] + m[1] - implied)))
    edges = (2 * float(bytes_of[once].max(initial=0)) + len(starts)) / max(1, len(once))
    allowed = ours * rounding(printed, bits, nats) + edges
    found = compared(printed, nats, (implied, ours, allowed, spelt), len(once))
    every = float(bytes_of[1:].sum()) / max(1, len(once))  # of all targets, a counted token
    if found.status is Status.FAIL and abs(implied - every) <= allowed:
        return of_all(found, len(once), len(bytes_of) - 1)
    return found


def of_all(found: Finding, tokens: int, targets: int) -> Finding:
    """BYTES-5: the count is right, and not that of the tokens whose losses were added up."""
    text = (
        f"{found.message}: it is that of all {targets:,} targets, {targets - tokens:,} of which"
        " have no loss in the number"
    )
    return replace(found, rule=OF_ALL, message=text)


def bytes_per_token(
    printed: Printed,
    scored: ScoredPass,
    bytes_of: Ints,  # (T,) canonical bytes of each position's token after its predecessor
) -> float:
    """The canonical mean over the scored tokens, by the way of counting that the script's own
    number is nearest to.
    """
    means = [mean for mean, _ in _means(scored, bytes_of, np.zeros(len(bytes_of)))]
    if not printed.bits_per_byte:
        return means[-1]
    implied = _nats_per_token(printed, scored) / math.log(2) / printed.bits_per_byte
    return min(means, key=lambda mean: abs(mean - implied))


def _nats_per_token(printed: Printed, scored: ScoredPass) -> float:
    return printed.nats_per_token or float(np.average(scored.nats, weights=scored.weight))


def _once(scored: ScoredPass) -> Ints:
    """(k,) every position that counts."""
    return np.unique(scored.position[scored.weight > 0]).astype(np.int64)


def _means(scored: ScoredPass, bytes_of: Ints, spelt_of: Floats) -> list[tuple[float, float]]:
    """A token's bytes count as often as it was scored, or once: scripts do either."""
    once = _once(scored)
    ways = ((scored.position, scored.weight), (once, np.ones(len(once))))
    return [
        (float(np.average(bytes_of[at], weights=w)), float(np.average(spelt_of[at], weights=w)))
        for at, w in ways
    ]


def counted_elsewhere(
    tables: Sequence[str],  # settings that lead to a table which the folder does not hold
) -> Reason:
    """A pass that another table of bytes might have failed is none."""
    why = (
        f"but bytes are counted by the file that {', '.join(tables)} names, where there is one,"
        " and the folder holds none: this run counted by the tokenizer"
    )
    return Reason(RULE, Status.PASS, Status.UNKNOWN, why)


def half_unit(text: str, value: float, otherwise: float) -> float:
    """Half a unit of the last place in which `value` is printed in `text`."""
    for number in NUMBER.findall(text):
        if math.isclose(float(number), value, rel_tol=1e-12):
            return float(0.5 * 10.0 ** -len(number.split(".")[1]))
    return otherwise


def rounding(printed: Printed, bits: float, nats: float) -> float:
    """Relative, of the denominator that a pair of numbers implies; `nats` a token."""
    of_bits = half_unit(printed.text, bits, printed.half_unit) / bits
    return of_bits + (printed.half_unit / nats if printed.nats_per_token else 0.0)


def compared(
    printed: Printed,
    nats: float,  # a token
    means: tuple[float, float, float, float],  # bytes a token: implied, ours, allowed, spelt out
    tokens: int,
) -> Finding:
    """BYTES-1 of two denominators."""
    implied, ours, allowed, spelt = means
    numbers = {
        "tag": printed.tag,
        "implied_bytes": implied * tokens,
        "counted_bytes": ours * tokens,
        "allowed_bytes": allowed * tokens,
        "nats_per_token": nats,
        "bits_per_byte": printed.bits_per_byte,
    }
    seen = printed.nats_per_token is None  # the loss was, by hooks in the script's own process
    what = "bits and the captured loss imply" if seen else "printed pair implies"
    text = (
        f"the {what} {implied * tokens:,.0f} bytes for {tokens:,} tokens, and the canonical count"
        f" is {ours * tokens:,.0f}"
    )
    detail = f"{printed.tag}: a difference of up to {allowed * tokens:,.0f} bytes is rounding"
    if implied < ours - allowed:
        text += "; a smaller denominator only hurts its author"
    status = Status.FAIL if implied > ours + allowed else Status.PASS
    if status is Status.FAIL and abs(implied - ours - spelt) <= allowed:
        status = Status.UNKNOWN
        text += "; what it has more is byte and boundary pieces spelt out, which are rare in text"
    if status is Status.FAIL and seen:
        status = Status.UNKNOWN
    level = Level.INSTRUMENTED if seen else Level.BLACK_BOX
    return Finding(RULE, status, level, text, (numbers,), powered=True, detail=detail)
