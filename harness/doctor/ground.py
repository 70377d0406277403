"""What hostile scripts are let loose on: listeners, secrets and another run's folder, all made for
them; and whether the machine is as before.

Guarantees: nothing beyond loopback is a target; everything that a script may leave carries the mark
of this ground, by which it is found again. Does not cover what other programs do meanwhile.
"""

import contextlib
import ctypes
import json
import os
import secrets
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

from harness.closing import Closing
from harness.protocol.traceback_origin import OUR_PACKAGES
from harness.sandbox import quota
from reference_model.data.cache import cache_folder

SECRET = "SCOREFIRST_DOCTOR_SECRET"  # variable of our environment
SEARCHED = ("/tmp", "/var/tmp", "/dev/shm", "/dev/mqueue", "/etc", "/usr", "/")
KEYCTL = {"x86_64": 250, "aarch64": 219}
SEARCH, USERS_KEYRING = 10, -4


class Ground(Closing):
    """Stands until it is closed."""

    def __init__(self) -> None:
        self.mark = f"scorefirst{secrets.token_hex(6)}"
        self.folder = Path(tempfile.mkdtemp()).resolve()
        self.other = self.folder / "other_run"
        self.other.mkdir()
        (self.other / "stream.npy").write_bytes(b"its tokens")
        self.secret = self.folder / "secret"
        self.secret.write_text(self.mark)
        os.environ[SECRET] = self.mark
        self._tcp = socket.create_server(("127.0.0.1", 0))
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind(("127.0.0.1", 0))
        self._unix, self._abstract = (socket.socket(socket.AF_UNIX) for _ in range(2))
        self._unix.bind(str(self.folder / "socket"))
        self._abstract.bind(f"\0{self.mark}")
        for listener in (self._unix, self._abstract):
            listener.listen()
        self._udp.setblocking(False)

    def close(self) -> None:
        """Takes everything away again."""
        for one in (self._tcp, self._udp, self._unix, self._abstract):
            one.close()
        del os.environ[SECRET]
        quota.remove(self.folder)

    def told(self) -> str:
        """What a script is told of it: the line before its own."""
        known = {
            "mark": self.mark,
            "key": int(self.mark[-7:], 16),
            "secret_name": SECRET,
            "secrets": [*map(str, (self.secret, cache_folder(), self.other / "stream.npy"))],
            "other": str(self.other),
            "ours": [*map(str, OUR_PACKAGES)],
            "processes": [os.getpid(), os.getppid()],
            "tcp": self._tcp.getsockname(),
            "udp": self._udp.getsockname(),
            "unix": str(self.folder / "socket"),
        }
        return f"import json; G = json.loads({json.dumps(known)!r})\n"

    def heard(self) -> bool:
        """Whether anything came by UDP."""
        try:
            return bool(self._udp.recv(1 << 10))
        except BlockingIOError:
            return False

    def traces(self) -> list[str]:
        """What of it is on the machine that was not before."""
        return [*self._files(), *self._processes(), *self._ipc(), *self._mounts(), *self._keys()]

    def _files(self) -> Iterator[str]:
        homes = (Path.home(), Path.cwd(), self.other, *OUR_PACKAGES, OUR_PACKAGES[0].parent)
        for folder in dict.fromkeys((*map(Path, SEARCHED), *homes)):
            with contextlib.suppress(OSError):
                yield from (str(folder / n) for n in os.listdir(folder) if self.mark in n)

    def _processes(self) -> Iterator[str]:
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):  # it has ended
                if self.mark.encode() in (entry / "cmdline").read_bytes():
                    yield f"process {entry.name}"

    def _ipc(self) -> Iterator[str]:
        key = str(int(self.mark[-7:], 16))
        for kind in ("shm", "sem", "msg"):
            with contextlib.suppress(OSError):
                lines = Path("/proc/sysvipc", kind).read_text().splitlines()[1:]
                yield from (f"System V {kind}" for line in lines if line.split()[0] == key)

    def _mounts(self) -> Iterator[str]:
        for line in Path("/proc/self/mountinfo").read_text().splitlines():
            if str(self.folder) in line:
                yield f"mount {line.split()[4]}"

    def _keys(self) -> Iterator[str]:
        number = KEYCTL.get(os.uname().machine)
        if number is None:
            return
        words = (b"user", self.mark.encode())
        found = ctypes.CDLL(None).syscall(
            ctypes.c_long(number), SEARCH, ctypes.c_long(USERS_KEYRING), *words, ctypes.c_long(0)
        )
        if found > 0:
            yield "a key in the user's keyring"
