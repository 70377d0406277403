"""Lists and dictionaries: what their methods add, look up and hand out.

Guarantees: losses that are appended are recorded; a look-up by tokens counts as one.
Does not cover: the order of elements; what is removed stays an element.
"""

from __future__ import annotations

from typing import Final

from audits.facts.call import Call
from audits.facts.effects import makers, sifts, statistics, tables, totals
from audits.facts.labels import OUTPUT
from audits.facts.state import Interpreter
from audits.facts.values import BLANK, Obj, Value, derive, element_of, join, kinds_of

_GROWS: Final = frozenset({"append", "extend", "add", "appendleft", "insert", "put", "put_nowait"})


def on_container(interp: Interpreter, ref: Obj, me: Value, name: str, call: Call) -> Value:
    args, site = call.args, interp.site_of(call)
    if name in _GROWS and args:
        _grow(interp, ref, name, call)
        return BLANK
    if name == "sort":
        sifts.sorted_in_place(ref)
        return BLANK
    if name == "items":
        keyed = [Value(items=(Value(), entry)) for entry in ref.entries.values()]
        return makers.listed(join(keyed)) if keyed else BLANK
    if name in ("values", "keys", "copy"):
        return me
    if name == "get" and args:
        stored = tables.element(interp, [ref], args[0], site)
        return stored if len(args) < 2 else join((stored, args[1]))
    if name == "setdefault" and args:
        tables.note_write(interp, frozenset({ref}), args[0], site)
        if len(args) > 1:
            tables.store(interp, me, args[0], args[1])
        return tables.element(interp, [ref], args[0], site)
    if name in ("pop", "popleft", "get", "get_nowait"):
        return tables.in_this_round(interp, element_of(me))
    if name == "update" and args:
        for other in args[0].refs:
            ref.entries |= other.entries
        return BLANK
    return derive(me, *args)


def _grow(interp: Interpreter, ref: Obj, name: str, call: Call) -> None:
    value = element_of(call.args[-1]) if name == "extend" else call.args[-1]
    value = statistics.by_position(interp, value) if interp.loops else value
    if OUTPUT in kinds_of(value):
        value = totals.accumulate(interp, value, interp.site_of(call))
    ref.entries[None] = join([value, *([ref.entries[None]] if None in ref.entries else [])])
