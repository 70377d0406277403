"""Where in the submission's own files something happened.

The innermost frame whose code was compiled from a file of the stage, from a relative path, or from
a text (`exec` of an unpacked payload: "<string>:line of the payload").
"""

import sys
from pathlib import Path
from types import CodeType, FrameType
from typing import NamedTuple

from harness.inside.hooks.recording.identity_map import identity


class Site(NamedTuple):
    """Where it was."""

    line: str  # "train_gpt.py:1144"
    function: str  # around it


NOWHERE = Site("", "")
GENERATED = ("<frozen", "<__array", "<attrs", "<eval_with")  # code of others without a file


class Sites:
    """Knows which code objects are the submission's."""

    def __init__(self, stage: Path) -> None:
        self._roots = tuple(f"{root}/" for root in {str(stage), str(stage.resolve())})
        # By identity, and held on to: a code object's own hash takes a microsecond.
        self._names: dict[int, tuple[CodeType, str | None]] = {}

    def here(self) -> Site:
        """The innermost line of the submission below the caller."""
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            code = frame.f_code
            name = self._known(code)
            if name is not None:
                return Site(f"{name}:{frame.f_lineno}", code.co_name)
            frame = frame.f_back
        return NOWHERE

    def is_theirs(self, code: CodeType) -> bool:
        """Whether code was compiled from the submission."""
        return self._known(code) is not None

    def name_of(self, path: str) -> str | None:
        """Name under which a file of the submission is cited; None for anyone else's file."""
        return self._name(path)

    def _known(self, code: CodeType) -> str | None:
        known = self._names.get(identity(code))
        if known is None:
            known = self._names[identity(code)] = code, self._name(code.co_filename)
        return known[1]

    def _name(self, path: str) -> str | None:
        """Name under which a file of the submission is cited; None for anyone else's file."""
        if path.startswith("<"):
            return None if path.startswith(GENERATED) else path
        if path.startswith(self._roots):
            return Path(path).name
        return Path(path).name if not path.startswith("/") else None
