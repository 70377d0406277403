"""The static checks: one rule a file, with the code that must pass and the code that must be
caught inside.

Guarantees: a check sees only the trace, never names; it reports what it is sure of with HIGH
confidence.
Does not cover: rules without a check; the catalogue says which these are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules

from audits.facts.trace import Trace
from audits.match import Match


@dataclass(frozen=True, slots=True)
class Check:
    """One rule's check and its cases."""

    rule: str
    run: Callable[[Trace], Iterator[Match]]
    valid: tuple[str, ...]  # scripts that must not be failed
    invalid: tuple[str, ...]  # scripts that must be failed; where it is not sure, warned of
    doubtful: tuple[str, ...] = ()  # scripts that must be warned of, where others fail
    sure: bool = True  # whether the pattern can be told from legal code by reading alone


_MODULES = [
    import_module(f"{__name__}.{module.name}")
    for module in iter_modules(__path__)
    if module.name != "cases"
]
CHECKS: Mapping[str, Check] = {
    module.RULE: Check(
        module.RULE,
        module.check,
        module.VALID,
        module.INVALID,
        getattr(module, "DOUBTFUL", ()),
        getattr(module, "SURE", True),
    )
    for module in _MODULES
}
