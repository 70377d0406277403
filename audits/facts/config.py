"""The effective configuration: defaults in the script, overridden by what the folder says it ran.

Guarantees: every value keeps its source; a name that the folder's own commands set in different
ways is `doubtful` and decides nothing.
Does not cover: values that only a log shows; command-line flags, whose values are left open.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from audits.facts.values import UNKNOWN, Value

# The launcher sets these; a default in the script says nothing about the run.
LAUNCHER = frozenset({"RANK", "LOCAL_RANK"})


@dataclass(frozen=True, slots=True)
class Setting:
    """One environment variable as the folder sets it."""

    value: str
    source: str  # "README.md line 42"


@dataclass(frozen=True, slots=True)
class Configuration:
    """What the environment of the run was, as far as the folder tells."""

    settings: Mapping[str, Setting] = field(default_factory=dict)
    doubtful: frozenset[str] = frozenset()

    def read(self, name: str, default: Value) -> Value:
        """What `os.environ.get(name, default)` gives in the run."""
        switches = default.switches | {name}
        if name in LAUNCHER or name in self.doubtful:
            return Value(UNKNOWN, default.labels, switches=switches)
        if (setting := self.settings.get(name)) is not None:
            return Value(setting.value, default.labels, switches=switches)
        return Value(default.const, default.labels, default.refs, default.items, switches)

    def uncertain(self, names: Iterable[str]) -> list[str]:
        """The switches that nothing here decides: contradictory ones, and command-line flags."""
        return sorted(name for name in names if name in self.doubtful or name.startswith("--"))

    def describe(self, name: str) -> str:
        """The name with its value, for messages; a default is called so."""
        if (setting := self.settings.get(name)) is not None:
            return f"{name}={setting.value} ({setting.source})"
        return f"{name} (off by its default)"
