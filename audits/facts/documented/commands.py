"""What a folder says it ran: commands in README.md and in run scripts.

Guarantees: a value keeps the file and line it was read from; a name that several commands set
differently is ambiguous rather than guessed.
Does not cover: shell arithmetic, loops, files sourced from elsewhere; `NAME=$OTHER` is no known
value.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, takewhile
from pathlib import Path

from audits.facts.documented.configuration import Configuration
from audits.facts.documented.logs import Logs
from audits.facts.documented.papers import read_paper
from audits.facts.documented.setting import Setting, SettingKind

_ASSIGNMENT = re.compile(r"^([A-Za-z_][A-Za-z0-9_]*)=(.*)$", re.DOTALL)
MAX_COMMAND = 100_000  # characters; the longest of two thousand real folders has 4,000
_INDENT = ("    ", "\t")  # of a block of code in Markdown
_STARTERS = ("torchrun", "python", "python3", "accelerate")
READMES = ("README.md", "readme.md", "README")  # the first that is there counts
_BRANCHES = {"if": 1, "case": 1, "fi": -1, "esac": -1}
_DEFAULTED = re.compile(r"^\$\{(\w+):?-([^}]*)\}$")  # ${NAME:-value}


@dataclass(frozen=True, slots=True)
class Command:
    """One line that starts a script, with the environment it is given."""

    script: str  # base name, or "" for a shell script it hands over to
    settings: dict[str, Setting]
    undecided: frozenset[str] = frozenset()  # set otherwise in another branch of the shell script
    module: bool = False  # started as `-m NAME`: of the folder only where it holds NAME.py
    flags: frozenset[str] = frozenset()  # given to the script: "--len"


def commands_of(folder: Path) -> list[Command]:
    """Every start command of the folder: README first, then run scripts in name order."""
    found: list[Command] = []
    for name in READMES:
        if (folder / name).is_file():
            found += _from_markdown(name, _text(folder / name))
            break
    for path in sorted(folder.glob("*.sh")):
        found += list(_from_shell(path.name, enumerate(_text(path).split("\n"), 1)))
    return [one for one in found if not one.module or (folder / one.script).is_file()]


def configuration(commands: list[Command], entry: str, logs: Logs | None = None) -> Configuration:
    """The environment of the entry: a later command wins, disagreement is remembered."""
    settings: dict[str, Setting] = {}
    ambiguous: set[str] = set()
    mine = [command for command in commands if command.script == entry.rpartition("/")[2]]
    for command in mine:
        ambiguous |= command.undecided
        for name, setting in command.settings.items():
            if name in settings and settings[name].value != setting.value:
                ambiguous.add(name)
            settings[name] = setting
    flags = frozenset().union(*(command.flags for command in mine))
    return Configuration(settings, frozenset(ambiguous), logs or Logs(), flags)


def _text(path: Path) -> str:
    paper = read_paper(path)
    return "" if paper is None else paper.text


def _from_markdown(name: str, text: str) -> list[Command]:
    """Of its blocks of code: those between fences, and those that are indented."""
    found: list[Command] = []
    block: list[tuple[int, str]] | None = None
    indented: list[tuple[int, str]] = []
    for number, line in enumerate(text.split("\n"), 1):
        if line.lstrip().startswith(("```", "~~~")):
            if block is not None:
                found += list(_from_shell(name, iter(block)))
            block = [] if block is None else None
        elif block is not None:
            block.append((number, line))
        elif line.startswith(_INDENT):
            indented.append((number, line))
            continue
        if indented and line.strip():
            found += list(_from_shell(name, iter(indented)))
            indented = []
    return found + list(_from_shell(name, iter(indented)))


def _from_shell(name: str, lines: Iterator[tuple[int, str]]) -> Iterator[Command]:
    exported: dict[str, Setting] = {}
    undecided: set[str] = set()
    depth = 0  # of `if` and `case`, which this reading does not follow
    for number, line in _joined(lines):
        words = _words(line)
        depth += sum(_BRANCHES.get(word.strip(";"), 0) for word in words if words[0] != "echo")
        given: dict[str, Setting] = {}
        assigned = [found for found in map(_ASSIGNMENT.match, _leading(words)) if found]
        for one in assigned:
            _set(given, one, f"{name} line {number}")
        words = words[len(assigned) :]
        if words and words[0] in ("export", "env"):
            for word in words[1:]:
                if match := _ASSIGNMENT.match(word):
                    _set(given, match, f"{name} line {number}")
        if not words or words[0] == "export":
            undecided |= _overridden(exported, given) if depth else set()
            exported |= given
            continue
        if (script := _started(words)) is not None:
            settings = exported | given | _world_size(words, name, number)
            module = script not in {word.rsplit("/", 1)[-1] for word in words}
            undecided_here = frozenset(undecided - set(given))
            yield Command(script, settings, undecided_here, module, _flags(words, script))


def _flags(words: list[str], script: str) -> frozenset[str]:
    """What stands behind the script's name."""
    names = [word.rsplit("/", 1)[-1] for word in words]
    after = words[names.index(script) + 1 :] if script in names else words
    return frozenset(word.partition("=")[0] for word in after if word.startswith("--"))


def _overridden(before: dict[str, Setting], given: dict[str, Setting]) -> set[str]:
    return {
        name
        for name, setting in given.items()
        if name in before and before[name].value != setting.value
    }


def _joined(lines: Iterator[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """Lines, those that end in a backslash taken together."""
    start, held = 0, ""
    for number, line in lines:
        start = number if not held else start
        text = line.strip().removeprefix("$ ")
        if text.endswith("\\"):
            held += text[:-1] + " "
            continue
        yield start, held + text
        held = ""
    if held:
        yield start, held


def _leading(words: Sequence[str]) -> Iterator[str]:
    """Assignments in front of a command."""
    return takewhile(_ASSIGNMENT.match, words)


def _words(line: str) -> list[str]:
    if len(line) > MAX_COMMAND:
        return []
    try:
        return shlex.split(line, comments=True)
    except ValueError:  # prose inside a block
        return line.split()


def _set(settings: dict[str, Setting], match: re.Match[str], origin: str) -> None:
    value = match[2]
    if defaulted := _DEFAULTED.match(value):
        value = defaulted[2]
    if "$" not in value and "`" not in value:
        settings[match[1]] = Setting(value, origin, SettingKind.COMMAND)


def _started(words: list[str]) -> str | None:
    """The Python file a command starts; None when it starts something else."""
    runs = any(word.rsplit("/", 1)[-1] in _STARTERS for word in words)
    scripts = [word.rsplit("/", 1)[-1] for word in words if word.endswith(".py")]
    modules = [after for word, after in pairwise(words) if word == "-m"]
    scripts += [f"{name.replace('.', '/')}.py" for name in modules[-1:]]
    return scripts[0] if runs and scripts else None


def _world_size(words: list[str], name: str, number: int) -> dict[str, Setting]:
    for index, word in enumerate(words):
        flag, _, value = word.replace("-", "_").partition("=")
        if flag == "__nproc_per_node":
            value = value or (words[index + 1] if index + 1 < len(words) else "")
            if value.isdigit():
                origin = f"{name} line {number}"
                return {"WORLD_SIZE": Setting(value, origin, SettingKind.COMMAND)}
    return {}
