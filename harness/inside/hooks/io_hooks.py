"""What the process does outside of its arithmetic: lines that hold a number, files, the network.

Printed lines are heard at `sys.stdout.write` and `sys.stderr.write`, and written down in the same
order as the losses, which is how a printed number is tied to the scores before it. Files and
connections are heard through Python's audit events; torch writes archives in C++, so `torch.save`
is wrapped.
"""

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from harness.inside.hooks.recording.recorder import Recorder
from harness.protocol.schema import EventKind

# A name or a unit beside a number; the names of columns, and what may stand below them.
NUMBER = re.compile(
    r"(val_loss|val_bpb|bpb|loss)\w*\s*[:=]?\s*-?\d+\.\d+|\d\.\d+\s*(nats|bits|bpb)\b"
    r"|\b(nats?|bits?)[ _-]*(per|/).{0,20}\d\.\d",
    re.IGNORECASE,
)
COLUMN = re.compile(r"loss|nll|bpb|(nats?|bits?)[ _-]*(per|/)", re.IGNORECASE)
DECIMAL = re.compile(r"\b\d+\.\d")
LONG = re.compile(r"\d\.\d{5}")  # a number that two evaluations do not share by chance
CODE = (".py", ".pyc", ".so", ".h", ".cpp", ".cu")
CACHES = ("/torchinductor_", "/.triton/", "/.nv/")  # of compilers: hundreds of files a model
MACHINE = (sys.prefix, sys.base_prefix, "/usr", "/proc", "/sys", "/dev", "/etc")
STARTS_A_PROCESS = ("subprocess.Popen", "os.posix_spawn", "os.system", "os.fork", "os.forkpty")
PARTIAL = 4_096  # characters of an unfinished line that are kept


class IoHooks:
    """Hears prints, opens and connections while installed."""

    def __init__(
        self,
        recorder: Recorder,
        stage: Path,
        # Path in the stage, path, whether it is written, notes so far; true: we alone open it.
        opened: Callable[[str, str, bool, int], bool],
    ) -> None:
        self._recorder, self._file_opened = recorder, opened
        self._roots = tuple(f"{root}/" for root in {str(stage), str(stage.resolve())})
        self._last = ""
        self._columns = False  # the last line without a decimal number names columns
        self.noted = 0  # lines and files that were written down
        self._partial: dict[str, str] = {}
        self._save: Any = torch.save
        self._writes = {name: getattr(sys, name).write for name in ("stdout", "stderr")}
        for name, write in self._writes.items():
            getattr(sys, name).write = self._heard(name, write)
        torch.save = self._saved  # type: ignore[assignment]
        sys.addaudithook(self._audit)  # cannot be removed: it asks `active` each time

    def close(self) -> None:
        """Takes everything back but the audit hook."""
        for name in self._writes:
            vars(getattr(sys, name)).pop("write", None)
        torch.save = self._save

    def _heard(self, name: str, write: Any) -> Any:
        def heard(text: str) -> Any:
            done = write(text)
            self._recorder.guarded("print", self._printed, name, text)
            return done

        return heard

    def _printed(self, name: str, text: str) -> None:
        lines = (self._partial.get(name, "") + text).split("\n")
        self._partial[name] = lines.pop()[-PARTIAL:]
        for line in lines:
            if self._may_score(line):
                self._note(EventKind.PRINT, line)
                self._recorder.flush()
            elif LONG.search(line):
                self._note(EventKind.LINE, line)

    def _note(self, kind: EventKind, text: str) -> None:
        self._recorder.event(kind, text)
        self.noted += 1

    def _may_score(self, line: str) -> bool:
        """It names a number, or stands in a table that names its columns."""
        if NUMBER.search(line):
            return True
        if DECIMAL.search(line) is not None:
            return self._columns
        if any(map(str.isalnum, line)):  # no ruler of a table
            self._columns = COLUMN.search(line) is not None
        return False

    def _saved(self, thing: Any, target: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(target, str | os.PathLike):
            self._recorder.guarded("save", self._named, os.fspath(target))
        return self._save(thing, target, *args, **kwargs)

    def _named(self, path: str) -> None:
        cited = self._cited(path) or path
        self._file_opened(cited, path, True, self.noted)
        self._note(EventKind.SAVE, cited)

    def _audit(self, name: str, arguments: tuple[Any, ...]) -> None:
        if name == "open":
            self._recorder.guarded("open", self._opened, *arguments)
        elif name in STARTS_A_PROCESS and self._recorder.listener is None:  # no copy of ours
            self._recorder.guarded("child", self._started, name)

    def _started(self, how: str) -> None:
        self._recorder.event(EventKind.CHILD, how)

    def _opened(self, path: Any, mode: Any, flags: Any) -> None:
        if isinstance(path, bytes):
            path = os.fsdecode(path)
        if not isinstance(path, str) or path.endswith(CODE) or any(c in path for c in CACHES):
            return
        cited = self._cited(path)
        writes = bool(flags & (os.O_WRONLY | os.O_RDWR)) if isinstance(flags, int) else False
        key = f"{writes} {path}"
        if cited is None or self._file_opened(cited, path, writes, self.noted):
            return
        if key == self._last:
            return
        self._last = key
        self._note(EventKind.SAVE if writes else EventKind.READ, cited)

    def _cited(self, path: str) -> str | None:
        """The path as seen from the stage; None for the machine's own files."""
        whole = os.path.abspath(path)
        for root in self._roots:
            if whole.startswith(root):
                return whole.removeprefix(root)
        return None if whole.startswith(MACHINE) else whole
