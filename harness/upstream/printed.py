"""Numbers that a script printed, read off its log (the templates: 1,518 of 1,601 real scripts).

`Printed` is the contract; a diagnostic, a step line or a progress line is never a headline.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Printed:
    """One figure in the log."""

    line: int  # 1-based line of the log
    tag: str  # "final_int6_sliding_window_exact"
    text: str  # the line
    nats_per_token: float | None  # val_loss, where the line has it
    bits_per_byte: float | None
    half_unit: float  # half a unit of the last printed place of nats_per_token (or of the bpb)
    diagnostic: bool  # a number that enters no claim: steps, progress, "DIAGNOSTIC", pre-quantisation
