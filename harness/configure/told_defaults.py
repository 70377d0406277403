"""The default of a setting that a script asked for, as the script has it.

A script that looks a name up with a number of its code as the default (options made from the fields
of a class, variables laid over names) tells, while that number is exchanged, our number; one that
looks whether the name is there at all tells none. Both are the code's number of that name, or of
the name without a word before it (`"PG_" + key`).

Guarantees: a default that neither is absent nor ours stays. Does not cover: a name that the code
gives several different numbers.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from audits.switches import Switches, as_number
from harness.configure.configuration import Configuration
from harness.protocol.asked import AskedSetting, Way
from harness.protocol.code_constants import named_numbers_in


def with_own_defaults(
    asked: Iterable[AskedSetting], switches: Switches, configuration: Configuration
) -> list[AskedSetting]:
    """Of what was asked in a run with that configuration."""
    numbers, ours = _numbers(switches), _exchanged(configuration)

    def own(one: AskedSetting) -> AskedSetting:
        name = _as_in_code(_plain(one.name), numbers)
        told = None if one.default is None else as_number(one.default)
        is_ours = told is not None and told in ours.get(name, ())
        if one.way is Way.ENTRY or name not in numbers or not (one.default is None or is_ours):
            return one
        return replace(one, default=numbers[name])

    return [own(one) for one in asked]


def _numbers(switches: Switches) -> Mapping[str, str]:
    """Plain name -> the one number that the code gives it."""
    found: dict[str, set[str]] = {}
    for source in switches.sources.values():
        for one in () if source.tree is None else named_numbers_in(source.tree):
            found.setdefault(_plain(one.name), set()).add(str(one.value))
    return {name: next(iter(texts)) for name, texts in found.items() if len(texts) == 1}


def _as_in_code(name: str, numbers: Mapping[str, str]) -> str:
    """Without its first word where the code has no such number: `PG_DIM` of a table with `dim`."""
    return name if name in numbers else name.partition("_")[2] or name


def _exchanged(configuration: Configuration) -> Mapping[str, set[float]]:
    """Plain name -> the numbers that stand there instead, in the code or in a class."""
    found: dict[str, set[float]] = {}
    for key, value in (*configuration.class_patches.items(), *configuration.code_constants.items()):
        name = key.rpartition(":")[2].partition(" ")[0].rpartition(".")[2]
        number = as_number(value.text)
        if number is not None:
            found.setdefault(_plain(name), set()).add(number)
    return found


def _plain(name: str) -> str:
    return name.lstrip("-").replace("-", "_").upper()
