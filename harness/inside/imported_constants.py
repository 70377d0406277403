"""Numbers in files that the script imports, exchanged while Python compiles them.

Guarantees: the files stay what they are, and those without an exchanged number are compiled from
their own bytes. Does not cover: text that the script executes itself.
"""

from collections.abc import Mapping
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any

from harness.protocol import code_constants


def install(values: Mapping[str, str], stage: Path) -> None:
    """`values`: "model.py:51:DIM" -> number; the file's path is relative to the stage."""
    if not any(key.count(":") > 1 for key in values):
        return
    loader: Any = SourceFileLoader
    compiled = loader.source_to_code

    def source_to_code(own_loader: Any, data: Any, path: Any, **options: Any) -> Any:
        file = Path(str(path))
        if isinstance(data, bytes) and file.is_relative_to(stage):
            own = code_constants.of_file(values, str(file.relative_to(stage)))
            data = code_constants.parsed_with(data, str(path), own) if own else data
        return compiled(own_loader, data, path, **options)

    loader.source_to_code = source_to_code
