"""What the folder says it ran with: commands, then logs, then prose.

Guarantees: every value keeps its origin. Commands in README.md and run scripts (the last of
several) outrank what its logs show, which outranks assignments in the prose of README.md.
Does not cover: settings in words.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from audits.facts.documented.commands import commands_of, configuration
from audits.facts.documented.configuration import Configuration
from audits.facts.documented.logs import Logs
from audits.facts.documented.papers import Paper, read_paper
from audits.facts.documented.setting import Setting, SettingKind
from audits.facts.values import BLANK, Value
from audits.folder import Target
from audits.switches.texts import plausible, same

_PROSE = re.compile(r"\b([A-Z][A-Z0-9_]{2,})=([^\s`'\",;|)*]+)")


def settings_of(
    target: Target, config: Configuration, read: Mapping[str, Value]
) -> dict[str, Setting]:
    """Commands (the last of several), then logs, then prose: the surer origin wins."""
    commands = config.settings or _commands_of_any(target.root)
    config = replace(config, settings=commands)
    if _contradicts(config, read):
        config = replace(config, logs=Logs())
    found = _prose(target.root, set(read)) if not commands and _is_folder(target) else {}
    for name in sorted(set(read) | set(commands)):
        for setting in (config.setting(name), commands.get(name)):
            if setting is not None and plausible(setting.value, read.get(name, BLANK)):
                found[name] = setting
                break
    for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE"):
        found.pop(name, None)  # the launcher's business, and ours is another machine
    return found


def _contradicts(config: Configuration, read: Mapping[str, Value]) -> bool:
    """Logs of another run than the documented one: what else they show is that run's too."""
    logs = config.logs.settings
    for name, setting in config.settings.items():
        logged = logs.get(name.lower(), setting).value
        clear = name in read and name != "SEED" and name not in config.ambiguous
        if clear and plausible(logged, read[name]) and not same(logged, setting.value):
            return True
    return False


def _is_folder(target: Target) -> bool:
    return target.files != (target.entry,) or (target.root / "submission.json").is_file()


def _commands_of_any(folder: Path) -> dict[str, Setting]:
    """A folder whose commands name another copy of the script still says how it was run."""
    commands = commands_of(folder)
    scripts = {command.script for command in commands if command.script}
    if len(scripts) != 1:
        return {}
    return dict(configuration(commands, scripts.pop()).settings)


def _prose(folder: Path, read: set[str]) -> dict[str, Setting]:
    """`NAME=value` anywhere in README.md, where it always says the same."""
    found: dict[str, Setting | None] = {}
    paper = read_paper(folder / "README.md") or Paper("")
    for number, line in enumerate(paper.text.split("\n"), 1):
        for name, value in _PROSE.findall(line):
            if name in read and "$" not in value and "<" not in value:
                origin = f"README.md line {number} (prose)"
                setting = Setting(value.rstrip("."), origin, SettingKind.PROSE)
                known = found.setdefault(name, setting)
                if known is not None and known.value != setting.value:
                    found[name] = None
    return {name: setting for name, setting in found.items() if setting is not None}
