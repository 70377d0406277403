"""The effective configuration: defaults in the script, overridden by what the folder says it ran.

Guarantees: every value keeps its origin; commands go before logs, logs before the script's own
defaults; a name that the folder's own commands set in different ways, with no log to decide, is
`ambiguous` and decides nothing.
A command-line flag that no command of the folder gives has its default.
Does not cover: values of flags that a command gives; they are left open.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from audits.facts.documented.logs import Logs
from audits.facts.documented.setting import Setting, SettingKind
from audits.facts.values import UNKNOWN, Value

# The launcher sets these; a default in the script says nothing about the run.
LAUNCHER = frozenset({"RANK", "LOCAL_RANK"})
CONTEST_RANKS = "8"  # eight GPUs, unless the folder says otherwise


@dataclass(frozen=True, slots=True)
class Configuration:
    """What the environment of the run was, as far as the folder tells."""

    settings: Mapping[str, Setting] = field(default_factory=dict)
    ambiguous: frozenset[str] = frozenset()
    logs: Logs = field(default_factory=Logs)
    flags: frozenset[str] = frozenset()  # that commands give: "--len"

    def read(self, name: str, default: Value) -> Value:
        """What `os.environ.get(name, default)` gives in the run."""
        switches = default.switches | {name}
        if name in LAUNCHER:
            return Value(UNKNOWN, default.labels, switches=switches)
        if (setting := self.setting(name)) is not None:
            return Value(setting.value, default.labels, switches=switches)
        if name in self.ambiguous:
            return Value(UNKNOWN, default.labels, switches=switches)
        return replace(default, switches=switches)

    def flag(self, name: str, default: Value) -> Value:
        """What a flag of the command line is in the run."""
        switches = default.switches | {name}
        if name in self.flags:
            return Value(UNKNOWN, default.labels, switches=switches)
        return replace(default, switches=switches)

    def setting(self, name: str) -> Setting | None:
        """The value the run had, when the folder shows it."""
        if name in self.settings and name not in self.ambiguous:
            return self.settings[name]
        if (logged := self.logs.settings.get(name.lower())) is not None:
            return logged
        if name == "WORLD_SIZE":
            return Setting(CONTEST_RANKS, "the contest's machine", SettingKind.RANKS)
        return None

    def uncertain(self, names: Iterable[str]) -> list[str]:
        """The switches that nothing here decides: contradictory ones, and command-line flags."""
        return sorted(name for name in names if self._is_open(name))

    def _is_open(self, name: str) -> bool:
        if name.startswith("--"):
            return name in self.flags
        return name in self.ambiguous and self.setting(name) is None

    def describe(self, name: str) -> str:
        """The name with its value, for messages; a default is called so."""
        if (setting := self.setting(name)) is not None:
            return f"{name}={setting.value} ({setting.origin})"
        return f"{name} (off by its default)"

    def with_printed(self, found: Mapping[str, Setting]) -> Configuration:
        """The same, with switches that a printed message shows to have been on."""
        ambiguous = self.ambiguous - set(found)
        return replace(self, settings={**self.settings, **found}, ambiguous=ambiguous)
