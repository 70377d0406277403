"""Preparation scripts: what is done to documents before they become tokens.

The entry never runs these files, so they are looked at as text, function by function.

Guarantees: only text that reaches a tokeniser's `encode` in the same function counts, changed there
or by a function that returns its own argument changed.
Does not cover: changes made per word with marks beside them, which can be undone; normalisation
inside a tokeniser's model.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Final

from audits.facts.events import LossyText, Site

_METHODS: Final = frozenset({"lower", "casefold", "upper"})
_ENCODERS: Final = frozenset({"encode", "encode_as_ids", "EncodeAsIds", "encode_batch", "Encode"})
_CHANGE_SIGNS: Final = (b".lower()", b".upper()", b".casefold()", b"normalize(")
# An encode call whose argument is neither missing nor the name of an encoding.
_ENCODE_SIGN: Final = re.compile(rb"\.[Ee]ncode\w*\(\s*[^)\s\"']")
_Function = ast.FunctionDef | ast.AsyncFunctionDef


def worth_reading(content: bytes) -> bool:
    """Whether a file may change documents and encode them; parsing every file costs too much."""
    return any(sign in content for sign in _CHANGE_SIGNS) and bool(_ENCODE_SIGN.search(content))


def lossy(tree: ast.Module, file: str) -> Iterator[LossyText]:
    """Places where a document loses something on its way to the tokeniser."""
    functions = [node for node in ast.walk(tree) if isinstance(node, _Function)]
    changers = {one.name: name for one in functions if (name := _changes_its_argument(one))}
    for function in functions:
        held = _changed_names(function, changers)
        for call in ast.walk(function):
            if not isinstance(call, ast.Call) or not _encodes(call):
                continue
            text = call.args[0]
            name = held.get(text.id, "") if isinstance(text, ast.Name) else _change(text, changers)
            if name:
                yield LossyText(Site(file, call.lineno, function.name), name)


def _encodes(call: ast.Call) -> bool:
    """A tokeniser's `encode(text)`; of a string, it would name an encoding or nothing."""
    named = isinstance(call.func, ast.Attribute) and call.func.attr in _ENCODERS
    return named and bool(call.args) and not isinstance(call.args[0], ast.Constant)


def _changed_names(function: _Function, changers: dict[str, str]) -> dict[str, str]:
    return {
        target.id: name
        for node in ast.walk(function)
        if isinstance(node, ast.Assign) and (name := _change(node.value, changers))
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def _changes_its_argument(function: _Function) -> str:
    """The change that a function makes to one of its arguments before it returns it."""
    own = {argument.arg for argument in function.args.args}
    for node in ast.walk(function):
        if isinstance(node, ast.Return | ast.Assign) and node.value is not None:
            call = node.value
            if (name := _change(call, {})) and _text_of(call) in own:
                return name
    return ""


def _change(node: ast.expr, changers: dict[str, str]) -> str:
    """The name of the change, when the outermost call is one."""
    match node:
        case ast.Call(func=ast.Attribute(attr=name), args=[]) if name in _METHODS:
            return f".{name}()"
        case ast.Call(
            func=ast.Attribute(attr="normalize") | ast.Name(id="normalize"),
            args=[ast.Constant(value=str(form)), _],
        ) if form in ("NFKC", "NFKD"):
            return f"normalize({form!r})"
        case ast.Call(func=ast.Name(id=name)) if name in changers:
            return f"{name}, {changers[name]}"
    return ""


def _text_of(node: ast.expr) -> str:
    """The name of what is changed."""
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name(id=name)), args=[]):
            return name
        case ast.Call(args=[_, ast.Name(id=name)]):
            return name
    return ""
