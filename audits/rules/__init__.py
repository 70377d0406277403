"""The static checks: one rule a file, with the code that must pass and the code that must be
caught inside.

Guarantees: a check sees only the trace, never names; it reports what it is sure of with HIGH
confidence.
Does not cover: rules without a check; the catalogue says which these are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from audits.facts.trace import Trace
from audits.findings import Match
from audits.rules import (
    budget_3,
    budget_6,
    bytes_2,
    causal_2,
    causal_3,
    causal_5,
    causal_6,
    data_1,
    data_2,
    data_3,
    data_4,
    data_6,
    data_7,
    norm_2,
    norm_3,
    norm_5,
    norm_6,
    order_1,
    order_2,
    order_4,
    pass_1,
    pass_2,
)


@dataclass(frozen=True, slots=True)
class Check:
    """One rule's check and its cases."""

    rule: str
    run: Callable[[Trace], Iterator[Match]]
    valid: tuple[str, ...]  # scripts that must not be failed
    invalid: tuple[str, ...]  # scripts that must be failed; where it is not sure, warned of
    sure: bool = True  # whether the pattern can be told from legal code by reading alone


_MODULES = (
    budget_3,
    budget_6,
    bytes_2,
    causal_2,
    causal_3,
    causal_5,
    causal_6,
    data_1,
    data_2,
    data_3,
    data_4,
    data_6,
    data_7,
    norm_2,
    norm_3,
    norm_5,
    norm_6,
    order_1,
    order_2,
    order_4,
    pass_1,
    pass_2,
)
CHECKS: Mapping[str, Check] = {
    module.RULE: Check(
        module.RULE, module.check, module.VALID, module.INVALID, getattr(module, "SURE", True)
    )
    for module in _MODULES
}
