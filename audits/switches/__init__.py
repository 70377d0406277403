"""Switches: what a script can be told from outside, and what its folder says it was told.

Guarantees: no code of the submission runs; a default is given where literals and the folder's own
settings decide it.
Does not cover: what `reads`, `fixed` and `documented` leave out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from audits.facts.documented.configuration import Configuration
from audits.facts.documented.setting import Setting, SettingKind
from audits.facts.values import BLANK
from audits.folder import Target, target_of
from audits.source import Source
from audits.switches.documented import settings_of
from audits.switches.fixed import Literal, attributes_of, paths_of, scopes_of
from audits.switches.reads import Flag, Reader, Switch, switch_of
from audits.switches.texts import as_number


@dataclass(frozen=True)
class Switches:
    """Everything that decides a run from outside."""

    target: Target
    files: tuple[str, ...]  # the files that the entry reaches, itself first
    switches: Mapping[str, Switch]
    settings: Mapping[str, Setting]  # what the folder says it ran with
    attributes: Mapping[str, Literal]  # "Hyperparameters.model_dim" or "MODEL_DIM": no switch
    paths: Mapping[str, str]  # the same kind of names: what leads to a file, as configured
    flags: Mapping[str, Flag] = field(default_factory=dict)
    entries: Mapping[str, str] = field(default_factory=dict)  # of parsed files: "model.dim"
    sources: Mapping[str, Source] = field(default_factory=dict)

    def paths_under(self, environment: Mapping[str, str]) -> dict[str, str]:
        """What leads to files when the environment is this one."""
        given = {
            name: Setting(text, "environment", SettingKind.GIVEN)
            for name, text in environment.items()
        }
        interp = Reader(self.target, self.sources).read(Configuration(given)).interp
        return dict(paths_of(dict(scopes_of(interp))))

    def value(self, name: str) -> str | None:
        """What the folder's run had in this variable."""
        if (setting := self.settings.get(name)) is not None:
            return setting.value
        switch = self.switches.get(name)
        return None if switch is None else switch.default

    def with_asked(
        self,
        environment: Mapping[str, str | None],
        options: Mapping[str, str | None],
        entries: Mapping[str, str | None],
    ) -> Switches:
        """The same and what a run asked for: name -> default. What reading decided stays."""
        switches, flags = dict(self.switches), dict(self.flags)
        new = {name: BLANK for name in environment if name not in switches}
        settings = settings_of(self.target, self.target.config, new) | dict(self.settings)
        for name, default in environment.items():
            known = switches.get(name)
            if known is None or (known.default is None and default is not None):
                required = known is not None and known.required
                switches[name] = Switch(name, default, required)
        for name, default in options.items():
            if name not in flags or flags[name].default is None:
                flags[name] = Flag(name, default)
        told = {name: text for name, text in entries.items() if text is not None}
        told |= self.entries
        return replace(self, switches=switches, flags=flags, settings=settings, entries=told)

    @property
    def text(self) -> str:
        """The innermost text of every file reached."""
        return "\n".join(source.text for source in self.sources.values())


def read_switches(path: Path, entry: str | None = None) -> Switches:
    """Reads one script or folder. Raises UsageError and NothingToScan as a scan does."""
    target = target_of(path, entry)
    reader = Reader(target)
    first = reader.read(target.config)
    config = target.config.with_printed(first.interp.trace.shown)
    settings = settings_of(target, config, first.seen)
    first = reader.read(Configuration(settings))
    if by_ranks := reader.on_many_ranks(settings, first):
        settings |= by_ranks
        first = reader.read(Configuration(settings))
    loose = {switch.name: switch for switch in reader.loose_reads()}
    scopes = dict(scopes_of(first.interp))
    return Switches(
        target=target,
        files=tuple(reader.sources),
        switches=loose | {name: switch_of(name, value) for name, value in first.seen.items()},
        settings=settings,
        attributes=dict(attributes_of(scopes)),
        paths=dict(paths_of(scopes)),
        flags={flag.name: flag for flag in reader.flags()},
        sources=dict(reader.sources),
    )


__all__ = ["Flag", "Setting", "SettingKind", "Switch", "Switches", "as_number", "read_switches"]
