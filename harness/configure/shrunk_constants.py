"""Small values for numbers in the entry's code: counting tables with all that belongs to them, the
size from which a calibrated quantiser takes a matrix, rates of averages.

Guarantees: a table's mask and modulus follow it; numbers that belong to no table stay. A later
attempt, and a size that fits the device, leave the code alone.
"""

import ast
from collections.abc import Iterable, Mapping

from audits.source import Outcome, Source
from audits.switches import Switches
from harness.configure.setting import Origin, OriginKind, SettingValue
from harness.configure.shrinking.rules import counted_entries, shrunk_value
from harness.configure.shrinking.target import Proportions
from harness.configure.shrunk_settings import shrunk_text
from harness.protocol.code_constants import (
    AVERAGE,
    MODULUS,
    NUMEL,
    PACKED,
    CodeConstant,
    constants_in,
    named_numbers_in,
)


def shrunk_constants(switches: Switches, was: Proportions) -> dict[str, SettingValue]:
    """Key of a constant -> what stands there instead."""
    tree = _entry_tree(switches)
    if tree is None or was.target.only_common or was.target.native:
        return {}
    found, packed = list(constants_in(tree)), _is_packed(switches.sources[switches.target.entry])
    tables = _table_sizes(found, was)
    small = {one.key: (one.value, _in_its_place(one, tables, was)) for one in found}
    return {
        f"{PACKED}:{key}" if packed else key: SettingValue(text, _origin(f"{text} for {value}"))
        for key, (value, text) in small.items()
        if text is not None
    }


def shrunk_numbers(switches: Switches, was: Proportions) -> dict[str, SettingValue]:
    """The same for every number that the code names, in every file, as switches of those names
    shrink; what a switch or an option decides stays with it.
    """
    if was.target.native:
        return {}
    read = {*switches.switches, *(_plain(flag) for flag in switches.flags)}
    return {
        key: SettingValue(text, _origin(f"{text} for {one.value}"))
        for file, source in switches.sources.items()
        if source.tree is not None
        for one in named_numbers_in(source.tree)
        if (name := one.name.upper()) not in read
        and (text := shrunk_text(name, str(one.value), was)) is not None
        for key in [_key(one, "" if file == switches.target.entry else file, source)]
    }


def _key(one: CodeConstant, file: str, source: Source) -> str:
    """With the file that it stands in, but for the entry's own."""
    place = PACKED if _is_packed(source) else file
    return f"{place}:{one.key}" if place else one.key


def _is_packed(source: Source) -> bool:
    return source.wrapper_line is not None


def _plain(flag: str) -> str:
    return flag.lstrip("-").replace("-", "_").upper()


def _entry_tree(switches: Switches) -> ast.AST | None:
    source = switches.sources.get(switches.target.entry)
    read = source is not None and source.outcome in (Outcome.PARSED, Outcome.UNPACKED)
    return source.tree if source is not None and read else None


def _origin(change: str) -> Origin:
    return Origin(OriginKind.SHRUNK, f"{change}, a number in the code")


def _table_sizes(found: Iterable[CodeConstant], was: Proportions) -> dict[float, int]:
    """Entries of every counting table -> entries of the small one."""
    tables = [one for one in found if _is_table(one)]
    return {
        one.value: int(shrunk_value(one.name.upper(), one.value, was) or one.value)
        for one in tables
    }


def _in_its_place(one: CodeConstant, tables: Mapping[float, int], was: Proportions) -> str | None:
    name = one.name.upper()
    if AVERAGE.search(one.name) or NUMEL.upper() in name:
        text = shrunk_text(name, str(one.value), was)
        if text is not None:
            return text
    if "MASK" in name and one.value + 1 in tables:
        return str(tables[one.value + 1] - 1)
    if one.value in tables and (one.name == MODULUS or _is_table(one)):
        return str(tables[one.value])
    return None


def _is_table(one: CodeConstant) -> bool:
    return counted_entries(one.name, str(one.value)) == one.value
