"""Reads an engine's hyperparameters out of a manifest, strictly.

A name that the engine does not know is an error: of 2,194 contest folders 383 set a variable that
their script never reads, and believed it.
"""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

from harness.errors import ContractError
from harness.submission import DEFAULTS

T = TypeVar("T")


def read_settings(kind: type[T], settings: Mapping[str, Any], engine: str) -> T:
    """A frozen dataclass of hyperparameters; the geometry is not the engine's to read."""
    known = {f.name for f in fields(kind)}  # type: ignore[arg-type]  # T is always a dataclass here
    given = {k: v for k, v in settings.items() if k not in DEFAULTS}
    unknown = sorted(set(given) - known)
    if unknown:
        raise ContractError(
            f"engine {engine} knows no setting {', '.join(unknown)};"
            f" it reads {', '.join(sorted(known))}"
        )
    return kind(**given)
