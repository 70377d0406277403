"""Tables of defaults that the whole environment is laid over.

    {**STANDARD, **os.environ}    STANDARD | os.environ    dict(STANDARD, **os.environ)
    told.update(os.environ)       ChainMap(os.environ, STANDARD)

Guarantees: a name is a switch where its table, written out in the code, is one of what is merged.
Does not cover: tables that are computed, or that the environment is copied into entry by entry.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

Tables = Mapping[str, list[ast.Dict]]  # by the name that they are kept under


def merged_defaults(tree: ast.Module) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Key and default of each entry of such a table."""
    tables = _tables(tree)
    for node in ast.walk(tree):
        parts = list(_merged(node))
        if any(_is_environ(part) for part in parts):
            for table in (one for part in parts for one in _written(part, tables)):
                pairs = zip(table.keys, table.values, strict=True)
                yield from ((key, value) for key, value in pairs if key is not None)


def _merged(node: ast.AST) -> Iterator[ast.expr]:
    """What becomes one mapping there."""
    match node:
        case ast.Dict():
            yield node
            pairs = zip(node.keys, node.values, strict=True)
            yield from (value for key, value in pairs if key is None)
        case ast.BinOp(op=ast.BitOr()):
            yield from (node.left, node.right)
        case ast.AugAssign(op=ast.BitOr()):
            yield from (node.target, node.value)
        case ast.Call(func=ast.Attribute(value=target, attr="update")):
            yield from (target, *node.args)
        case ast.Call() if ast.unparse(node.func).endswith(("dict", "ChainMap")):
            yield from (*node.args, *(one.value for one in node.keywords if one.arg is None))


def _written(part: ast.expr, tables: Tables) -> Iterator[ast.Dict]:
    """The tables of an expression."""
    match part:
        case ast.Dict():
            yield part
        case ast.BinOp(op=ast.BitOr()):
            yield from _written(part.left, tables)
            yield from _written(part.right, tables)
        case ast.Name() | ast.Attribute():
            yield from tables.get(_last_name(part), ())
        case ast.Call() if part.args:  # a copy
            yield from _written(part.args[0], tables)


def _tables(tree: ast.Module) -> Tables:
    found: dict[str, list[ast.Dict]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for name in (_last_name(target) for target in targets):
                tables = [] if node.value is None else _written(node.value, {})
                found.setdefault(name, []).extend(tables)
    return found


def _last_name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else getattr(node, "attr", "")


def _is_environ(node: ast.expr) -> bool:
    """The whole environment, or a copy of it."""
    if isinstance(node, ast.Call):
        inner = node.func.value if isinstance(node.func, ast.Attribute) else None
        return any(_is_environ(one) for one in (*node.args, *([inner] if inner else [])))
    return ast.unparse(node).endswith("environ")
