"""Numbers in files that the script imports, and in text that it executes, exchanged while Python
compiles them.

Guarantees: the files stay what they are, and those without an exchanged number are compiled from
their own bytes. Text is seen where the hooks rewrite `exec` and `compile` (`hooks/code`). Does not
cover: text of one line and name in two places.
"""

import builtins
import contextlib
from collections.abc import Mapping
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any

from harness.protocol import code_constants


def install(values: Mapping[str, str], stage: Path) -> None:
    """`values`: "model.py:51:DIM" -> number; the file's path is relative to the stage."""
    if not any(key.count(":") > 1 for key in values):
        return
    if packed := code_constants.of_file(values, code_constants.PACKED):
        _install_in_text(packed)
    loader: Any = SourceFileLoader
    compiled = loader.source_to_code

    def source_to_code(own_loader: Any, data: Any, path: Any, **options: Any) -> Any:
        file = Path(str(path))
        if isinstance(data, bytes) and file.is_relative_to(stage):
            own = code_constants.of_file(values, str(file.relative_to(stage)))
            data = code_constants.parsed_with(data, str(path), own) if own else data
        return compiled(own_loader, data, path, **options)

    loader.source_to_code = source_to_code


def _install_in_text(values: Mapping[str, str]) -> None:
    """In front of the functions that rewritten code gives its texts to."""

    def exchanging(rewritten: Any) -> Any:
        def exchanged(text: Any) -> Any:
            if type(text) in (str, bytes):
                with contextlib.suppress(SyntaxError):  # the script's own to meet
                    text = code_constants.parsed_with(text, code_constants.PACKED, values)
            return rewritten(text)

        return exchanged

    for name in code_constants.TEXT_FUNCTIONS:
        if (rewritten := getattr(builtins, name, None)) is not None:
            setattr(builtins, name, exchanging(rewritten))
