"""Tables: arrays, lists and dictionaries that are written and read by key.

Guarantees: a store into an array by a key made of tokens marks the array as a table of counts; a
read by such a key is remembered as a look-up, of the very table.
Does not cover: partial overwrites; an array keeps the labels of everything ever stored in it.
"""

from __future__ import annotations

from dataclasses import replace

from audits.facts.effects import regions, statistics, worths
from audits.facts.events import Region, Site, TableRead, TableWrite
from audits.facts.labels import (
    AHEAD,
    BEHIND,
    BYTES,
    COUNT,
    LOOP,
    STREAM,
    TOKENS,
    TRAIN,
    Label,
    kinds,
)
from audits.facts.state import Interpreter
from audits.facts.trace import noted
from audits.facts.values import Obj, Value, join, kinds_of, labels_of, marked


def key_class(key: Value) -> object:
    """Entries are told apart by constant key, else by whether the key comes from the stream."""
    if key.known:
        return key.const
    return "stream" if kinds_of(key) & {STREAM, TOKENS} else None


def store(
    interp: Interpreter, base: Value, key: Value, value: Value, region: Region | None = None
) -> None:
    """`base[key] = value` for each object that `base` may be; the region it fills, if a slice."""
    for ref in base.refs:
        if ref.kind in ("list", "dict"):
            wanted = key_class(key)
            held = [ref.entries[wanted]] if wanted in ref.entries else []
            ref.entries[wanted] = join([value, *held])
        elif ref.kind == "tensor":
            ref.labels |= labels_of(value)
            worths.add_to(ref, value)
            if region is not None:
                regions.fill(interp, ref, region, value)


def note_write(interp: Interpreter, tables: frozenset[Obj], key: Value, site: Site) -> None:
    """Remembers a store by a key that was computed from tokens."""
    labels = labels_of(key)
    held = kinds(labels)
    if tables and held & {TOKENS, TRAIN, STREAM, BYTES}:
        write = TableWrite(site, tables, labels, interp.moment())
        interp.trace.table_writes.append(write)
        interp.trace.written_tables |= tables if held & {TOKENS, TRAIN, STREAM} else frozenset()
        marks = statistics.of_labels(interp, labels, site)
        for ref in tables:
            ref.labels |= marks


def element(interp: Interpreter, holders: list[Obj], key: Value, site: Site) -> Value:
    """What lists and dictionaries hold under a key."""
    wanted = key_class(key)
    found = [ref.entries[wanted] for ref in holders if wanted in ref.entries]
    if not found:
        found = [entry for ref in holders for entry in ref.entries.values()]
    loose = frozenset(label for ref in holders for label in ref.labels)
    made = join([*found, Value(labels=loose)] if loose else found)
    if not key.known and kinds_of(made) & {STREAM, TOKENS}:
        made = in_this_round(interp, made)
    rounds = frozenset(one for one in labels_of(key) if one.kind in (LOOP, AHEAD, BEHIND))
    made = replace(made, labels=made.labels | rounds)
    return note_read(interp, made, frozenset(holders), key, site)


def in_this_round(interp: Interpreter, value: Value) -> Value:
    """Another element in every round of the loop that is being read, whatever counts them."""
    marks = frozenset(Label(LOOP, loop) for loop in interp.loops[-1:])
    return replace(value, labels=value.labels | marks)


def note_read(
    interp: Interpreter, made: Value, tables: frozenset[Obj], key: Value, site: Site
) -> Value:
    """A read by a key that was computed from tokens is remembered as a look-up."""
    labels = labels_of(key)
    if not tables or not kinds(labels) & {TOKENS, BYTES}:
        return made
    number = noted(interp.trace.table_reads, TableRead(site, tables, labels, interp.moment()))
    return marked(made, labels | {Label(COUNT, number)})
