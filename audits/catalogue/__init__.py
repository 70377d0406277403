"""The catalogue: every rule of the challenge, as data, with its sources and its severity per
profile.

Guarantees: `RULES` is complete and checked when it is loaded; a disputed rule is at most a warning
on the leaderboard.
Does not cover: how a rule is checked; see `audits.rules` for the static checks and the harness for
the others.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from types import MappingProxyType
from typing import Final

PROFILES: Final = ("strict", "leaderboard")
SEVERITIES: Final = ("fail", "warn", "info")
STATUSES: Final = ("SETTLED", "CONSENSUS", "DISPUTED", "OURS")


@dataclass(frozen=True, slots=True)
class Rule:
    """One obligation."""

    id: str
    title: str
    statement: str
    broken: str  # what a submission that breaks it does, one sentence
    look: str  # what a person looks at next where it is undecided
    clears: str  # what would clear a finding of a reading; empty where reading finds nothing
    status: str  # one of STATUSES
    sources: tuple[str, ...]
    severity: Mapping[str, str]  # profile -> one of SEVERITIES
    look_alikes: tuple[str, ...]  # legal code that resembles a violation
    check: bool  # whether a static check exists


def _rule(name: str, entry: Mapping[str, object]) -> Rule:
    def strings(key: str) -> tuple[str, ...]:
        value = entry[key]
        assert isinstance(value, list)
        return tuple(str(item) for item in value)

    rule = Rule(
        id=name,
        title=str(entry["title"]),
        statement=str(entry["statement"]),
        broken=str(entry["broken"]),
        look=str(entry["look"]),
        clears=str(entry.get("clears", "")),
        status=str(entry["status"]),
        sources=strings("sources"),
        severity=MappingProxyType({profile: str(entry[profile]) for profile in PROFILES}),
        look_alikes=strings("look_alikes"),
        check=entry["check"] is True,
    )
    if rule.status not in STATUSES or not set(rule.severity.values()) <= set(SEVERITIES):
        raise ValueError(f"rules.toml: {name}: unknown status or severity")
    return rule


def _load() -> Mapping[str, Rule]:
    text = files(__package__).joinpath("rules.toml").read_text(encoding="utf-8")
    return MappingProxyType(
        {name: _rule(name, entry) for name, entry in tomllib.loads(text).items()}
    )


RULES: Final[Mapping[str, Rule]] = _load()
