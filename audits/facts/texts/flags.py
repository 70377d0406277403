"""Defaults of command-line flags, of any file of the folder, whether the entry reaches it or not.

Guarantees: literals only. Does not cover: defaults computed from names.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from audits.facts.events import FlagDefault, Site


def defaults(tree: ast.Module, file: str) -> Iterator[FlagDefault]:
    for node in ast.walk(tree):
        match node:
            case ast.Call(
                func=ast.Attribute(attr="add_argument"),
                args=[ast.Constant(value=str(flag)), *_],
                keywords=keywords,
            ):
                for keyword in keywords:
                    if keyword.arg == "default" and isinstance(keyword.value, ast.Constant):
                        site = Site(file, node.lineno, "<module>")
                        yield FlagDefault(site, flag, keyword.value.value)
