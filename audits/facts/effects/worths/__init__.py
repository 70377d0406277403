"""What operations do to a token's code length: shares of it, masses of probabilities, bends."""

from audits.facts.effects.worths.calls import REPEATS, chosen, of_call
from audits.facts.effects.worths.held import (
    add_to,
    begin,
    either,
    filled,
    forget,
    score_of,
    span_of,
    worth_of,
)
from audits.facts.effects.worths.operators import combined, negated, rescaled
from audits.facts.effects.worths.steps import BETTER, TILTS

__all__ = [
    "BETTER",
    "REPEATS",
    "TILTS",
    "add_to",
    "begin",
    "chosen",
    "combined",
    "either",
    "filled",
    "forget",
    "negated",
    "of_call",
    "rescaled",
    "score_of",
    "span_of",
    "worth_of",
]
