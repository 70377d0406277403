"""Files of shards: lists that take both kinds in, what a test of a name leaves, and copies.

Guarantees: a list of both that is filtered by the words of a shard's name, or cut, is what that
leaves, where it can be told; else it counts as training files. Of a folder that is listed whole,
the words of a test say what passes.
Does not cover: files that another program writes.
"""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import Final

from audits.facts.effects import makers
from audits.facts.events import Site
from audits.facts.labels import NOTHING, PATHS, STREAM, TRAIN, Label, kinds
from audits.facts.state import Interpreter
from audits.facts.values import Value, element_of, labels_of

COPIES: Final = frozenset(
    {"copy", "copy2", "copyfile", "move", "rename", "replace", "renames", "symlink", "link"}
    | {"symlink_to", "hardlink_to"}
)
LISTS: Final = frozenset({"glob", "iglob", "rglob", "listdir", "iterdir", "scandir", "walk"})
_HARMLESS: Final = frozenset({"is_file", "exists", "endswith", "isfile", "suffix", "name"})
READS: Final = frozenset({"fromfile", "memmap", "load", "from_file", "frombuffer", "loadtxt"})
_WORDS: Final = {"train": TRAIN, "val": STREAM}  # in a name
_OTHER: Final = {TRAIN: STREAM, STREAM: TRAIN}


def copied(interp: Interpreter, source: Value, target: Value, site: Site) -> None:
    """A validation shard under a training shard's name is in the training files from here on."""
    if STREAM in kinds(labels_of(source)) and TRAIN in kinds(labels_of(target)):
        interp.mixed_in = site


def listed(interp: Interpreter, files: Value) -> Value:
    """The files that a pattern finds."""
    marks = {Label(PATHS, 0)}
    if interp.mixed_in is not None and TRAIN in kinds(files.labels):
        marks.add(Label(STREAM, 0))
    return replace(files, labels=files.labels | marks)


def read(content: Value) -> Value:
    """What a file holds is no path."""
    return without(content, PATHS) if PATHS in kinds(content.labels) else content


def mixed(labels: frozenset[Label]) -> bool:
    return {STREAM, TRAIN} <= kinds(labels)


def without(value: Value, kind: str) -> Value:
    return replace(value, labels=frozenset(one for one in value.labels if one.kind != kind))


def renamed(value: Value, old: Value, new: Value) -> Value:
    """`path.replace("_train_", "_val_")` of a path that is not known."""
    if not isinstance(old.const, str) or not isinstance(new.const, str):
        return value
    for word, kind in _WORDS.items():
        other = next(one for one in _WORDS if one != word)
        if word in old.const and other in new.const and kind in kinds(value.labels):
            return replace(
                without(value, kind),
                labels=value.labels - {Label(kind, 0)} | {Label(_WORDS[other], 0)},
            )
    return value


def are_files(value: Value) -> bool:
    held = kinds(labels_of(value))
    return PATHS in held or {STREAM, TRAIN} <= held


def filtered(
    value: Value, test: ast.expr, texts: frozenset[str], *, any_test: bool = False
) -> Value:
    """What passes a test of its name, which asks for these texts; `any_test`: also one that cannot
    be read."""
    labels = labels_of(value)
    if PATHS in kinds(labels) and not kinds(labels) & {STREAM, TRAIN}:
        return replace(value, labels=value.labels | _named_by(test, texts))
    if not mixed(labels):
        return value
    words = _words(texts)
    called = {one.attr for one in ast.walk(test) if isinstance(one, ast.Attribute)}
    if len(words) != 1:
        doubtful = any_test and not (called and called <= _HARMLESS)
        return without(value, STREAM) if doubtful else value
    return without(value, _OTHER[_left_by(test, *words)])


def _named_by(test: ast.expr, texts: frozenset[str]) -> frozenset[Label]:
    """Of a folder that was listed whole, the shards whose name passes."""
    if len(words := _words(texts)) == 1:
        return frozenset({Label(_left_by(test, *words), 0)})
    if any(text.endswith("_") or text in ("fineweb", "\0") for text in texts):
        return NOTHING  # the rest of the name is not known
    shards = any(text.endswith(".bin") for text in texts) and not words
    return frozenset({Label(STREAM, 0), Label(TRAIN, 0)} if shards else ())


def _words(texts: frozenset[str]) -> set[str]:
    return {word for text in texts for word in _WORDS if word in text}


def _left_by(test: ast.expr, word: str) -> str:
    negated = any(isinstance(one, ast.NotIn | ast.Not | ast.NotEq) for one in ast.walk(test))
    return _OTHER[_WORDS[word]] if negated else _WORDS[word]


def cut(value: Value, node: ast.Subscript) -> Value:
    """`files[0]` is a training shard and `files[-1]` the validation shard, in their order."""
    if not mixed(labels_of(value)) or PATHS not in kinds(labels_of(value)):
        return value
    key = node.slice
    match key:
        case ast.UnaryOp(op=ast.USub()) | ast.Slice(lower=ast.UnaryOp(op=ast.USub()), upper=None):
            return _left(value, TRAIN)
        case ast.Constant(value=0) | ast.Slice(lower=None):
            return _left(value, STREAM)
    return value


def _left(value: Value, kind: str) -> Value:
    """The list, or what stands for it, without files of a kind."""
    if any(ref.kind == "list" for ref in value.refs):
        return makers.listed(without(element_of(value), kind))
    return without(value, kind)
