"""What the script tries beyond its own folder: files, addresses, other processes.

Heard through Python's audit events, which come before the kernel answers: an attempt counts also
where the isolation refuses it. Only what no honest script of the contest does is noted: writing
into its folder, a temporary folder or a cache below its home is usual, as are its own children.
Guarantees: what a library does by itself is not taken for the script's own, but for addresses,
which are noted of both, apart.
Does not cover: what is done in C or by programs that it starts.
"""

import os
import sys
import sysconfig
from pathlib import Path
from types import FrameType
from typing import Any

from harness.inside.hooks.recording.recorder import Recorder
from harness.inside.hooks.recording.sites import Site
from harness.protocol.schema import EventKind

WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
STANDARD = (sysconfig.get_path("stdlib") + os.sep, "<frozen")
INSTALLED = sysconfig.get_path("purelib")
OPEN = ("/tmp", "/var/tmp", "/dev/null", "/dev/tty", "/dev/std", "/dev/fd", "/proc/self")
REPOSITORY = "/workspace"  # where the contest's machines keep it
LOCAL = ("127.", "localhost", "::1", "0.0.0.0", "::ffff:127.")
MOST = 64  # attempts that are noted


class Conduct:
    """Hears attempts while installed."""

    def __init__(self, recorder: Recorder, stage: Path) -> None:
        self._recorder, self._noted = recorder, set[tuple[EventKind, str]]()
        self._home = os.environ.get("HOME", str(stage))
        self._temporary = os.environ.get("TMPDIR", self._home)
        self._stage = os.path.realpath(stage)
        self._looking = False
        sys.addaudithook(self._audit)  # cannot be removed: it asks `active` each time

    def close(self) -> None:
        """Nothing can be taken back."""

    def _audit(self, name: str, arguments: tuple[Any, ...]) -> None:
        if name in _HEARD and not self._looking:
            self._looking = True  # what is opened to look is no attempt
            self._recorder.guarded("conduct", _HEARD[name], self, *arguments)
            self._looking = False

    def _opened(self, path: Any, mode: Any, flags: Any) -> None:
        path = _text(path)
        if not path:
            return
        if isinstance(flags, int) and flags & WRITES:
            self._written(path)
        elif path.startswith("/proc/") and _of_another(path.split("/")[2]):
            self._note(EventKind.PEEK, path)

    def _moved(self, source: Any, target: Any, *_: Any) -> None:
        self._written(_text(target))

    def _written(self, path: str) -> None:
        place = os.path.abspath(path) if path else ""
        if place and not self._is_usual(place):
            self._note(EventKind.OUTSIDE, place)

    def _is_usual(self, place: str) -> bool:
        """Its folder, temporary ones, and caches; in its home it has nothing else to write."""
        if _is_in(place, self._home):
            return os.path.dirname(place) != self._home or place == self._temporary
        if _is_in(place, self._stage) or _is_in(os.path.realpath(place), self._stage):
            return True
        beside = _is_in(place, os.path.dirname(self._stage))
        return not beside and place.startswith((*OPEN, REPOSITORY))

    def _signalled(self, process: Any, signal: Any) -> None:
        caller = sys._getframe(3)  # behind the hook, `guarded` and the audit
        if not signal or not self._recorder.sites.is_theirs(caller.f_code):
            return
        if process < 0 or _of_another(str(process)):
            self._note(EventKind.SIGNAL, f"process {process}, signal {int(signal)}")

    def _reached(self, address: Any) -> None:
        where = address[0] if isinstance(address, tuple) and address else address
        text = _text(where)
        if not isinstance(address, tuple | str | bytes) or not text or text.startswith("/"):
            return  # a socket of this machine
        if text.startswith(LOCAL) or text == os.uname().nodename:
            return
        own = self._site() is not None and isinstance(address, tuple)
        self._note(EventKind.SOCKET if own else EventKind.NETWORK, repr(address), anyone=True)

    def _connected(self, socket: Any, address: Any) -> None:
        self._reached(address)

    def _asked(self, host: Any, *_: Any) -> None:
        self._reached(_text(host))

    def _note(self, kind: EventKind, text: str, anyone: bool = False) -> None:
        site = self._site()
        if site is None and not anyone:
            return
        if (kind, text) in self._noted or len(self._noted) >= MOST:
            return
        self._noted.add((kind, text))
        self._recorder.event(kind, text, site=site)

    def _site(self) -> Site | None:
        """The line that asked, if it is the script's, by way of the standard library or none."""
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            file = frame.f_code.co_filename
            if self._recorder.sites.is_theirs(frame.f_code):
                name = self._recorder.sites.name_of(file)
                return Site(f"{name}:{frame.f_lineno}", frame.f_code.co_name)
            ours = file in _OURS
            if not ours and (not file.startswith(STANDARD) or file.startswith(INSTALLED)):
                return None
            frame = frame.f_back
        return None


_OURS = frozenset({__file__, Recorder.guarded.__code__.co_filename})
_HEARD: dict[str, Any] = {
    "open": Conduct._opened,
    "os.rename": Conduct._moved,
    "os.link": Conduct._moved,
    "os.symlink": Conduct._moved,
    "os.kill": Conduct._signalled,
    "os.killpg": Conduct._signalled,
    "socket.connect": Conduct._connected,
    "socket.sendto": Conduct._connected,
    "socket.getaddrinfo": Conduct._asked,
    "socket.gethostbyname": Conduct._asked,
}


def _text(path: Any) -> str:
    if isinstance(path, bytes):
        return os.fsdecode(path)
    return path if isinstance(path, str) else ""


def _is_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _of_another(process: str) -> bool:
    """Neither this process nor one of its children."""
    if not process.isdigit() or int(process) == os.getpid():
        return False
    try:
        os.waitid(os.P_PID, int(process), os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return True
    return False
