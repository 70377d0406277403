"""The names that the script asked for, each once, onto disk at once.

A run that is only to learn them ends where the script's work begins, if it asked for a size that
nobody had foreseen: what it would do at its own size takes minutes and memory, and tells nothing.
Guarantees: a bounded number of names, of bounded length; a name that comes with a default later
is noted again, with it. Does not cover: names that are asked for behind the first module call of
such a run; the next run notes those.
"""

import os
from collections.abc import Collection
from pathlib import Path
from typing import Any

from torch.nn.modules.module import register_module_forward_pre_hook

from harness.inside.hooks.recording.recorder import Recorder
from harness.inside.hooks.recording.writer import AskedWriter
from harness.protocol.asked import MOST_CHARACTERS, MOST_NAMES, AskedSetting, Way


class AskedNames:
    """Notes them while installed."""

    def __init__(
        self, recorder: Recorder, folder: Path, foreseen: Collection[str] | None = None
    ) -> None:
        self._recorder, self._foreseen = recorder, foreseen
        self._writer = AskedWriter(folder)
        self._known: dict[str, bool] = {}  # name -> whether a default came with it
        self._unforeseen = False
        self._begun: Any = None
        if foreseen is not None:
            self._begun = register_module_forward_pre_hook(self._work_begins)

    def close(self) -> None:
        """The end of the watch."""
        if self._begun is not None:
            self._begun.remove()
        self._writer.close()

    def wants(self, name: str) -> bool:
        """Whether a look-up would tell anything new."""
        return len(self._known) < MOST_NAMES and not self._known.get(name, False)

    def note(self, name: str, way: Way, default: object) -> None:
        """The script asked; `default`: what it gave, of any type."""
        if not name or len(name) > MOST_CHARACTERS or not self.wants(name):
            return
        text = _as_text(default)
        if self._known.get(name, text is None and name in self._known):
            return
        self._known[name] = text is not None
        site = self._recorder.sites.here().line
        asked = AskedSetting(name, way, text, site)
        self._writer.asked(asked)
        if self._foreseen is not None and name not in self._foreseen and asked.is_size:
            self._unforeseen = True

    def _work_begins(self, module: Any, inputs: Any) -> None:
        self._begun.remove()
        if self._unforeseen and self._recorder.active:
            raise SystemExit(0)  # the next run is told more


def _as_text(default: object) -> str | None:
    """As the environment would hold it."""
    if isinstance(default, bool):
        return str(int(default))
    if isinstance(default, str | int | float | os.PathLike):
        text = os.fspath(default) if isinstance(default, os.PathLike) else str(default)
        return text if isinstance(text, str) and len(text) <= MOST_CHARACTERS else None
    return None
