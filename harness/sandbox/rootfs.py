"""The file system that a run sees: what it needs of the machine and of us, read-only, and its own
places.

Listed is what is visible; everything else does not exist inside: home folders, sockets of services
(a read-only socket would still answer), other users' files, the harness's results.
The folders of the capture have no path inside: each is an open descriptor on a mount of its own, so
that no `..` leads from it to the machine's files. Empty is what holds our own validation text: one
folder of every installed Python.
Needs a mount and a process namespace of its own. Where the machine refuses, OSError is raised and
everything is as it was before.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from harness.errors import SandboxError
from harness.protocol.confinement import Confinement
from harness.protocol.traceback_origin import OUR_PACKAGES, is_library
from harness.sandbox import syscalls

SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/opt", "/sys")
SETTINGS = ("passwd", "group", "hosts", "nsswitch.conf", "ld.so.cache", "localtime", "alternatives")
DEVICES = ("null", "zero", "full", "random", "urandom")
HIDDEN = "pydoc_data"  # what `reference_model.data.corpus` holds out is made of it
PAGES = "share/doc/python3*"  # the same text, where it is installed as pages
PYTHONS = ("", "envs/*/", "pkgs/python-*/", "versions/*/")  # below a prefix; of conda and pyenv
KEPT_FROM_WRITING = ("sys", "irq", "bus", "sysrq-trigger")  # of /proc: user 0 may write them


def enter_root(confinement: Confinement, root: Path, outs: Sequence[Path]) -> list[int]:
    """Puts this process, and all it starts, into a root built at the folder `root`.

    Returns open descriptors of the folders `outs`, which have no path inside.
    """
    syscalls.mount("none", "/", None, syscalls.MS_REC | syscalls.MS_PRIVATE)
    _tmpfs(root, "mode=0755")
    folders: list[int] = []
    try:
        folders += [_without_path(out, root / "out") for out in outs]
        _furnish(confinement, root)
        syscalls.change_root(str(root))
    except OSError:
        os.chdir("/")
        syscalls.unmount(str(root))
        for folder in folders:
            os.close(folder)
        raise
    return folders


def _furnish(confinement: Confinement, root: Path) -> None:
    _private_places(confinement, root)  # first: a checkout or a library may lie below /tmp
    _insisted_on(confinement, root)  # then: Python or the stage may lie below such a path
    for path in _visible(confinement):
        if str(path) not in confinement.binds:
            _bind(path, root, read_only=True)
    for path in _hidden(root):
        _tmpfs(path, "size=4k,nr_inodes=1,mode=0555")
        syscalls.set_read_only(str(path), True)
    _links(root)
    _bind(confinement.stage, root, read_only=False, at=confinement.at)
    _processes(root)
    syscalls.set_read_only(str(root), True, recursive=False)


def _without_path(folder: Path, place: Path) -> int:
    """An open descriptor of the folder whose parent is the folder itself."""
    place.mkdir()
    syscalls.mount(str(folder), str(place), None, syscalls.MS_BIND)
    descriptor = os.open(place, os.O_PATH | os.O_DIRECTORY)
    syscalls.unmount(str(place))  # a mount that is nowhere: its top has nothing above it
    place.rmdir()
    return descriptor


def _visible(confinement: Confinement) -> list[Path]:
    """Read-only parts of the machine, outermost first."""
    libraries = os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep)
    python = [sys.prefix, sys.base_prefix, *_imported_from(confinement), *libraries]
    settings = [f"/etc/{name}" for name in SETTINGS]
    ours = map(str, (*OUR_PACKAGES, *confinement.given))
    shown = (*SYSTEM, *settings, *python, *ours)
    paths = {Path(path) for path in shown if path and os.path.exists(path)} - {Path("/")}
    devices = [Path("/dev") / name for name in DEVICES] + sorted(Path("/dev").glob("nvidia*"))
    return sorted(p for p in paths if not any(up in paths for up in p.parents)) + devices


def _imported_from(confinement: Confinement) -> list[str]:
    """Folders of the path, but never all of one that holds the checkout or this run, with results
    and secrets beside them. A folder of installed packages holds neither.
    """
    holding = {folder for inner in (*OUR_PACKAGES, confinement.stage) for folder in inner.parents}
    entries = [Path(entry) for entry in sys.path if os.path.isabs(entry)]
    return [str(entry) for entry in entries if entry not in holding or is_library(entry)]


def _insisted_on(confinement: Confinement, root: Path) -> None:
    """The absolute paths that the script asks for, as folders of its stage."""
    for path, folder in sorted(confinement.binds.items()):
        at = Path(path)
        if not at.is_absolute() or ".." in at.parts or at == Path("/"):
            raise SandboxError(f"no folder can stand at {path!r}")
        shown = confinement.stage / folder
        if not shown.is_dir() or shown.resolve() != confinement.stage.resolve() / folder:
            raise SandboxError(f"the stage has no folder {folder!r} that could stand at {path!r}")
        _bind(shown, root, read_only=False, at=at)


def _hidden(root: Path) -> list[Path]:
    """Places inside, of every Python that is visible there."""
    others = map(str, Path("/opt").glob("*"))
    prefixes = {sys.prefix, sys.base_prefix, "/usr", "/usr/local", *others}
    insides = {(root / prefix.lstrip("/")).resolve() for prefix in prefixes}
    patterns = [PAGES, *(f"{python}lib*/python3*/{HIDDEN}" for python in PYTHONS)]
    found = {p.resolve() for one in insides for pattern in patterns for p in one.glob(pattern)}
    return sorted(p for p in found if p.is_relative_to(root.resolve()) and p.is_dir())


def _private_places(confinement: Confinement, root: Path) -> None:
    for place in ("tmp", "dev/shm"):
        (root / place).mkdir(parents=True, exist_ok=True)
        if f"/{place}" not in confinement.binds:
            quota = confinement.quota
            most = f"size={quota.private_bytes},nr_inodes={quota.stage_files}"
            _tmpfs(root / place, f"{most},mode=1777")


def _links(root: Path) -> None:
    (root / "var").mkdir(exist_ok=True)
    if not os.path.lexists(root / "var/tmp"):
        (root / "var/tmp").symlink_to("/tmp")
    for name, target in (("fd", ""), ("stdin", "/0"), ("stdout", "/1"), ("stderr", "/2")):
        (root / "dev" / name).symlink_to(f"/proc/self/fd{target}")


def _processes(root: Path) -> None:
    proc = root / "proc"
    proc.mkdir()
    quiet = syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC
    syscalls.mount("proc", str(proc), "proc", quiet, "hidepid=4")  # only what may be read
    for name in KEPT_FROM_WRITING:
        if (proc / name).exists():
            syscalls.mount(str(proc / name), str(proc / name), None, syscalls.MS_BIND)
            syscalls.set_read_only(str(proc / name), True)


def _bind(source: Path, root: Path, read_only: bool, at: Path | None = None) -> None:
    """Shows `source` inside, at its own path or another. A link stays the link that it is."""
    target = root / str(at or source).lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    if at is None and source.is_symlink() and not target.exists():
        target.symlink_to(os.readlink(source))
        if not source.resolve().is_relative_to("/usr"):
            _bind(source.resolve(), root, read_only)
        return
    if source.is_dir():
        target.mkdir(exist_ok=True)
    else:
        target.touch()
    syscalls.mount(str(source), str(target), None, syscalls.MS_BIND | syscalls.MS_REC)
    is_device = source.is_relative_to("/dev")
    syscalls.set_read_only(str(target), read_only and not is_device)


def _tmpfs(place: Path, options: str) -> None:
    syscalls.mount("tmpfs", str(place), "tmpfs", syscalls.MS_NOSUID, options)
