"""BYTES-1 against the text itself: what a tokenizer spells out that no text ever held.

Where the folder's tokenizer counts more bytes than its text has, the script is run on that text.
From its printed pair, loss in nats a token and bits per byte, follows how many bytes it divides by.

Guarantees: what rounding explains is allowed, and half a percent, and one byte a document; a script
that divides by the bytes of the text, however its tokenizer spells them, is not accused. Undecided
where the pair was not printed, or where fewer than nearly all tokens were scored.
"""

import math

import numpy as np

from audits.facts.documented.printed_scores import Printed
from harness.checks.bytes import RULE, half_unit
from harness.checks.printed_claim import NEARLY_ALL
from harness.checks.status import Finding, Level, Status
from harness.streams.raw_text import MORE, RawText
from harness.trace.script_run import ScriptRun


def check_raw_bytes(run: ScriptRun | None, text: RawText | None) -> Finding | None:
    """BYTES-1; None where the tokenizer counts what the text holds."""
    if text is None:
        return None
    pair = _pair(run, text)
    if pair is None:
        message = (
            f"its tokenizer counts {text.counted:,} bytes for text of {text.n_bytes:,}, and what"
            " the script divides by was not seen"
        )
        return Finding(RULE, Status.UNKNOWN, Level.BLACK_BOX, message)
    printed, nats, bits = pair
    implied = nats / math.log(2) / bits * text.stream.n_scored  # bytes
    rounding = implied * _relative_rounding(printed, nats, bits)
    allowed = rounding + MORE * text.n_bytes + len(text.stream.starts)
    over = implied > text.n_bytes + allowed
    message = f"the printed pair implies {implied:,.0f} bytes for text of {text.n_bytes:,}" + (
        ": its tokenizer spells out more than the text holds" if over else ""
    )
    numbers = {
        "tag": printed.tag,
        "implied_bytes": implied,
        "counted_bytes": text.n_bytes,
        "allowed_bytes": allowed,
        "nats_per_token": nats,
        "bits_per_byte": bits,
    }
    detail = f"{printed.tag}: token by token the tokenizer counts {text.counted:,} bytes"
    status = Status.FAIL if over else Status.PASS
    return Finding(RULE, status, Level.BLACK_BOX, message, (numbers,), detail=detail)


def _pair(run: ScriptRun | None, text: RawText) -> tuple[Printed, float, float] | None:
    """The headline with its nats a token and bits per byte, where nearly all tokens are in it."""
    if run is None or run.headline is None or run.scored is None:
        return None
    scored = np.unique(run.scored.position[run.scored.weight > 0])
    nats, bits = run.headline.nats_per_token, run.headline.bits_per_byte
    if not nats or not bits or len(scored) < NEARLY_ALL * text.stream.n_scored:
        return None
    return run.headline, nats, bits


def _relative_rounding(printed: Printed, nats: float, bits: float) -> float:
    return half_unit(printed.text, bits, printed.half_unit) / bits + printed.half_unit / nats
