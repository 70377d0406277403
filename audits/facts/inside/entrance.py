"""Where reading a model begins: its class and parts, or a function between a model and its loss.

The first argument of a forward pass is the sequence; an argument that a cross-entropy is taken of
is one place ahead of it.

Guarantees: told alike however things are named; bounded in work and depth.
Does not cover: arguments whose use does not say what they are.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeGuard

from audits.facts.inside import operations as ops
from audits.facts.inside.forward import evaluate, run_block, run_inside, run_method
from audits.facts.inside.linear import number
from audits.facts.inside.reader import (
    LOSSES,
    Around,
    FunctionNode,
    Names,
    Reader,
    TooMuch,
    root,
    shape_of,
)
from audits.facts.inside.sequences import (
    Known,
    Look,
    Seq,
)

_KEPT: Final = 512  # a file is read twice, under two configurations
_EMBEDS: Final = frozenset({"Embedding", "EmbeddingBag"})
_SEQUENCES: Final = re.compile(r"^(x|h|z|u|inp)\d*$|ids|tok|input|idx|emb|hidden", re.IGNORECASE)
_IDS: Final = re.compile(r"ids$|^(tokens?|idx|inputs?|indices)$", re.IGNORECASE)
_OTHERS: Final = re.compile(r"^[qkv]\d?$|mask|cos|sin|pos|cache|state|seqlen|^(lengths?|cu_)")
_TIME: Final = re.compile(r"^(t|s|l|n|seq\w*|seqlen\w*|length|time|n_tokens|t_len)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Inside:
    """What the reading of one class found."""

    looks: tuple[Look, ...]
    shares: tuple[tuple[Look, float], ...]  # losses that it gives back in part


@lru_cache(maxsize=_KEPT)
def read_class(node: ast.ClassDef, around: Around) -> Inside:
    """The operations by which a place knows a later one, or a loss is no whole one: those of the
    class, and those of its parts where they reach what it gives back."""
    reader = _prepared(node)
    reader.surround(around)
    with suppress(TooMuch, RecursionError):  # what was found so far stands
        for name, method in reader.methods.items():
            if name.startswith("forward") or name == "__call__":
                run_method(reader, method, _arguments(reader, method), outermost=True)
    return Inside(tuple(_each_once(reader)), tuple(dict.fromkeys(reader.shares)))


@lru_cache(maxsize=_KEPT)
def looks_between(node: FunctionNode | ast.Module, around: Around) -> tuple[Look, ...]:
    """The same in a function that gives `x` to a model, and scores the next tokens `y`."""
    reader = Reader(node, evaluate, run_inside, _part)
    reader.surround(around)
    called = [one for one in ast.walk(node) if isinstance(one, ast.Call) and one.args]
    losses = [one for one in called if reader.called(one.func) in LOSSES and len(one.args) > 1]
    aims = {root(one.args[1]) for one in losses} - {""}
    if len(aims) != 1:
        return ()
    made = {name.id for one in losses for name in ast.walk(one.args[0]) if _is_name(name)}
    given = _given_to_model(node, made)
    if not given or aims & given:
        return ()
    names: Names = {name: Seq(1, 2, tokens=True) for name in given}
    names |= {name: Seq(1, 2, knows=number(1), tokens=True) for name in aims}
    reader.pinned = frozenset(names)
    with suppress(TooMuch, RecursionError):
        run_block(reader, node.body, dict(names), [])
    return tuple(_each_once(reader))


def _is_name(node: ast.AST) -> TypeGuard[ast.Name]:
    return isinstance(node, ast.Name)


def _given_to_model(node: FunctionNode | ast.Module, logits: set[str]) -> set[str]:
    """The one argument of the call that gives what a loss is taken of."""
    return {
        one.value.args[0].id
        for one in ast.walk(node)
        if isinstance(one, ast.Assign)
        and isinstance(one.value, ast.Call)
        and len(one.value.args) == 1
        and isinstance(one.value.args[0], ast.Name)
        and isinstance(one.targets[0], ast.Name)
        and one.targets[0].id in logits
    } - logits


def _each_once(reader: Reader) -> Iterator[Look]:
    seen: set[tuple[int, str]] = set()
    for look in reader.looks:
        if (look.line, look.how) not in seen:
            seen.add((look.line, look.how))
            yield look


def _prepared(node: ast.ClassDef) -> Reader:
    reader = Reader(node, evaluate, run_inside, _part)
    for one in node.body:
        if isinstance(one, ast.FunctionDef):
            reader.methods[one.name] = one
    if (first := reader.methods.get("__init__")) is not None:
        spec = first.args
        named = [argument.arg for argument in spec.args]
        given = dict(zip(named[::-1], spec.defaults[::-1], strict=False))
        reader.defaults = {name: ops.literal(value) for name, value in given.items()}
        for inner in ast.walk(first):
            _note_part(reader, inner)
    return reader


def _part(node: ast.ClassDef, outer: Reader) -> Reader:
    reader = _prepared(node)
    reader.classes, reader.functions, reader.paths = outer.classes, outer.functions, outer.paths
    reader.outer = (*outer.outer, getattr(outer.node, "name", ""))
    reader.guards, reader.work = list(outer.guards), outer.work
    return reader


def _note_part(reader: Reader, node: ast.AST) -> None:
    match node:
        case ast.Assign(targets=[ast.Attribute(value=ast.Name(id="self"), attr=name)], value=made):
            reader.parts[name] = made
        case ast.Assign(targets=[ast.Name(id=name)], value=ast.ListComp() as made):
            reader.parts[f"{name} (local)"] = made
        case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="append"), args=[made]):
            reader.parts[f"{name} (local)"] = made
        case ast.Assign(targets=[ast.Tuple(elts=parts)], value=ast.Tuple(elts=values)):
            for part, one in zip(parts, values, strict=False):
                if isinstance(part, ast.Attribute):
                    reader.parts[part.attr] = one
        case ast.Call(
            func=ast.Attribute(attr="register_buffer"),
            args=[ast.Constant(value=str(name)), made, *_],
        ):
            reader.parts[name] = made


def _arguments(reader: Reader, method: ast.FunctionDef) -> Names:
    """What the arguments of a forward pass are, by how they are used."""
    names = [one.arg for one in method.args.posonlyargs + method.args.args if one.arg != "self"]
    aims = _aims(reader)
    found: Names = {}
    for place, name in enumerate(names):
        if place and name in aims:
            found[name] = Seq(1, 2, knows=number(1), tokens=True)
        elif not _OTHERS.search(name) and (place == 0 or _SEQUENCES.search(name)):
            found[name] = _sequence(reader, method, name)
    return found


def _sequence(reader: Reader, method: ast.FunctionDef, name: str) -> Known:
    if _IDS.search(name) or _embedded(reader, name):
        return Seq(1, 2, tokens=True)
    for one in ast.walk(method):
        match one:
            case ast.Assign(targets=[ast.Tuple(elts=parts)], value=value) if (
                shape_of(value) == name
            ):
                axes = [
                    place
                    for place, part in enumerate(parts)
                    if isinstance(part, ast.Name) and _TIME.match(part.id)
                ]
                if len(parts) == 3 and len(axes) != 1:
                    return Seq(1, 3)  # by its place, where the names say nothing
                return Seq(axes[0], len(parts)) if len(axes) == 1 and len(parts) > 2 else None
    return Seq(1, 3)


def _embedded(reader: Reader, name: str) -> bool:
    """Whether an embedding, or a hash of whole numbers, is taken of it."""
    for method in reader.methods.values():
        for one in ast.walk(method):
            if not isinstance(one, ast.Call) or not one.args:
                continue
            called = one.func.attr if isinstance(one.func, ast.Attribute) else ""
            part = reader.parts.get(called)
            embeds = isinstance(part, ast.Call) and reader.called(part.func) in _EMBEDS
            whole = called in ("bitwise_xor", "embedding") or "emb" in called
            begins = root(one.args[0])
            ids = called in ("to", "long", "int") and any(
                isinstance(argument, ast.Attribute) and argument.attr.startswith(("int", "long"))
                for argument in one.args
            )
            if (embeds or whole) and begins == name:
                return True
            if ids and isinstance(one.func, ast.Attribute) and root(one.func.value) == name:
                return True
    return False


def _aims(reader: Reader) -> set[str]:
    """The names that a loss is taken of, also before they were given another name."""
    inside = [one for method in reader.methods.values() for one in ast.walk(method)]
    aims = {
        root(one.args[1])
        for one in inside
        if isinstance(one, ast.Call) and len(one.args) > 1 and reader.called(one.func) in LOSSES
    }
    for one in inside:
        match one:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if name in aims:
                aims.add(root(value))
    return aims
