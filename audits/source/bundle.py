"""Bundles: a payload of several files behind marker lines, which its wrapper writes out and starts.

Guarantees: the files' names are the wrapper's own literals; every tree keeps the line numbers of
the whole unpacked text.
Does not cover: files in other languages, which are named but not read; other ways to pack several
files.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import Final

MARKER: Final = "# ==="  # a line that begins so, and comes again before each further file


def parts(text: str, wrapper: ast.Module) -> Mapping[str, ast.Module | None]:
    """The files of a bundle by name, first the one that is started; empty when it is none.

    The tree is None where a file is no Python that can be read.
    """
    pieces = list(_pieces(text.split("\n")))
    names = _names(wrapper, len(pieces)) if len(pieces) > 1 else ()
    return {
        name: _tree(piece, offset) if name.endswith(".py") else None
        for name, (offset, piece) in zip(names, pieces, strict=False)
    }


def first_of_several(text: str) -> tuple[ast.Module, int] | None:
    """Where nothing names the files: the first one, and the number of its lines."""
    pieces = list(_pieces(text.split("\n")))
    if len(pieces) < 2 or (tree := _tree(pieces[0][1], 0)) is None:
        return None
    return tree, pieces[1][0] - 1


def _pieces(lines: list[str]) -> Iterator[tuple[int, str]]:
    """Each file with the number of lines before it."""
    marker = next((line for line in lines if line.startswith(MARKER)), None)
    begin = 0
    for number, line in enumerate(lines):
        if marker is not None and line == marker:
            yield begin, "\n".join(lines[begin:number])
            begin = number + 1
    yield begin, "\n".join(lines[begin:])


def _names(wrapper: ast.Module, count: int) -> tuple[str, ...]:
    """The wrapper's list of so many file names."""
    for node in ast.walk(wrapper):
        if isinstance(node, ast.List | ast.Tuple) and len(node.elts) == count:
            names = [one.value for one in node.elts if isinstance(one, ast.Constant)]
            if len(names) == count and all(isinstance(name, str) for name in names):
                return tuple(str(name) for name in names)
    return ()


def _tree(piece: str, offset: int) -> ast.Module | None:
    try:
        tree = ast.parse(piece)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    ast.increment_lineno(tree, offset)
    return tree
