"""What a script may not reach: the network, our memory and files, anything outside its folder.

Every target is a listener or a file that the suite made for this. Files outside are opened for
writing and closed again: nothing is written but below names of the suite's own.
"""

from harness.doctor.check import Check, Seen, nothing_reached
from harness.protocol.confinement import IsolationPart

FILES, NET = (IsolationPart.FILESYSTEM,), (IsolationPart.NETWORK,)
CALLS, OTHERS = (IsolationPart.LIMITS,), (IsolationPart.PROCESSES,)

TRIED = """
def tried(what, step, *arguments):
    try:
        step(*arguments)
    except (OSError, AttributeError, ValueError, ImportError):
        return
    print("reached", what)
"""


def _unheard(seen: Seen) -> str:
    return "its packet came" if seen.ground.heard() else nothing_reached(seen)


def _asks(
    what: str,
    text: str,
    needs: tuple[IsolationPart, ...],
    *,
    fast: bool = False,
    capture: bool = False,
) -> Check:
    script = f"{TRIED}{text}\nprint('done')"
    return Check(what, (script,), needs=needs, harmless=True, fast=fast, capture=capture)


NETWORK = (
    _asks(
        "TCP to a listener of this machine",
        "import socket\ntried('TCP', socket.create_connection, tuple(G['tcp']), 2)",
        NET,
        fast=True,
    ),
    Check(
        "UDP to a listener of this machine",
        (
            "import socket\n"
            "for _ in range(3): socket.socket(2, 2).sendto(b'x', tuple(G['udp']))\nprint('done')",
        ),
        _unheard,
        needs=NET,
    ),
    _asks(
        "names: no resolver, no interface but loopback, no route",
        """
import os, socket
names = [name for _, name in socket.if_nameindex()]
routes = open("/proc/net/route").read().splitlines()[1:]
if os.path.exists("/etc/resolv.conf") or names != ["lo"] or routes:
    print("reached", names, routes)
""",
        NET,
    ),
    _asks(
        "a Unix socket by its path",
        "import socket\ntried('it', socket.socket(socket.AF_UNIX).connect, G['unix'])",
        FILES,
        fast=True,
    ),
    _asks(
        "a Unix socket by an abstract name",
        "import socket\ntried('it', socket.socket(socket.AF_UNIX).connect, chr(0) + G['mark'])",
        NET,
        fast=True,
    ),
    _asks(
        "vsock, packets, raw and kernel sockets",
        """
import socket
for kind in ((40, 1), (17, 3), (38, 5), (44, 3), (29, 3), (31, 3), (16, 3, 15), (2, 3, 1)):
    tried(f"socket {kind}", socket.socket, *kind)
""",
        CALLS,
        fast=True,
    ),
)

READING = (
    _asks(
        "the harness's memory and environment",
        """
import ctypes, os
def peek(process):
    address = ctypes.create_string_buffer(8)
    vector = (ctypes.c_size_t * 2)(ctypes.addressof(address), 8)
    number = {"x86_64": 310, "aarch64": 270}[os.uname().machine]
    if ctypes.CDLL(None).syscall(number, process, vector, 1, vector, 1, 0) < 0:
        raise OSError
def look(path):
    os.read(os.open(path, os.O_RDONLY | os.O_NONBLOCK), 1)
for process in (*G["processes"], os.getppid(), 1):
    if process == os.getpid():
        continue
    tried(f"memory of {process}", peek, process)
    descriptors = (f"fd/{number}" for number in range(40))
    for name in ("mem", "environ", "maps", "root/etc", "cwd/.", *descriptors):
        tried(f"/proc/{process}/{name}", look, f"/proc/{process}/{name}")
""",
        OTHERS,
        fast=True,
    ),
    _asks(
        "the harness's environment in its own",
        """
import os
def look():
    if G["mark"].encode() not in open("/proc/self/environ", "rb").read():
        raise OSError
tried("it as it was", look)
if G["secret_name"] in os.environ:
    print("reached it")
""",
        (),
        fast=True,
    ),
    _asks(
        "secrets, caches, streams of other runs, homes, what our validation text is made of",
        """
import glob, os
tried("the language reference", __import__, "pydoc_data.topics")
for path in glob.glob("/usr/lib/python3*/pydoc_data/*"):
    print("reached", path)
homes = [f"{home}/{n}" for home in ("/root", "/home") for n in (".ssh", ".bashrc", ".netrc")]
for path in (*G["secrets"], *homes, "/etc/shadow", "/etc/ssh", "/run", "/var/lib", "/boot"):
    if os.path.lexists(path):
        print("reached", path)
for descriptor in os.listdir("/proc/self/fd"):
    for ups in range(12):
        top = f"/proc/self/fd/{descriptor}/" + "../" * ups
        if os.path.exists(top + G["secrets"][0]) or os.path.exists(top + "etc/shadow"):
            print("reached", top)
""",
        FILES,
        fast=True,
        capture=True,
    ),
    _asks(
        "who runs it: what it was started as, and its modules",
        """
import sys
ours = [name for name in sys.modules if name.partition(".")[0] == "harness"]
said = [*sys.argv, *sys.orig_argv, open("/proc/self/cmdline").read()]
if "submission" not in sys.modules:  # a predictor imports its contract
    said += ours
for word in ("harness", "scorefirst", "seed", "sandbox"):
    if any(word in one for one in said):
        print("reached", word)
""",
        (),
        fast=True,
    ),
)

WRITING = (
    _asks(
        "files outside: system, homes, the project, another run's folder",
        """
import os
folders = ["/", "/etc", "/usr", "/usr/lib", "/root", "/home", "/var", "/dev", "/proc", "/sys"]
for folder in (*folders, *G["ours"], G["other"]):
    tried(folder, lambda: open(os.path.join(folder, G["mark"]), "w"))
for path in (G["ours"][0] + "/__init__.py", G["other"] + "/stream.npy", sys.executable):
    tried(path, lambda: open(path, "ab"))
""".replace("import os", "import os, sys"),
        FILES,
        fast=True,
    ),
    _asks(
        "switches of the kernel, control groups, devices",
        """
import glob, os
for path in ("/proc/sysrq-trigger", "/proc/sys/kernel/core_pattern", "/proc/sys/vm/drop_caches",
             "/proc/1/oom_score_adj", *glob.glob("/sys/fs/cgroup/**/*procs", recursive=True),
             "/dev/mem", "/dev/kmsg", "/dev/kvm", "/dev/fuse", "/dev/net/tun"):
    tried(path, lambda: os.close(os.open(path, os.O_WRONLY)))
tried("a device of its own", os.mknod, "disk", 0o60600, os.makedev(254, 0))
""",
        FILES,
    ),
    _asks(
        "capabilities, mounts, namespaces of its own",
        """
import ctypes, os
libc = ctypes.CDLL(None)
def call(name, *arguments):
    if getattr(libc, name)(*arguments) < 0:
        raise OSError
for flag in (1 << 28, 1 << 17, 1 << 29, 1 << 30, 1 << 25, 1 << 26, 1 << 27):
    tried(f"namespace {flag:#x}", call, "unshare", flag)
    tried(f"clone {flag:#x}", call, "syscall", {"x86_64": 56}.get(os.uname().machine, 220), flag)
tried("mount", call, "mount", b"none", b"/tmp", b"tmpfs", 0, None)
tried("remount", call, "mount", None, b"/", None, 4096 | 32, None)
tried("chroot", os.chroot, ".")
tried("setuid", os.setresuid, 12345, 12345, 12345)
status = dict(line.split(":", 1) for line in open("/proc/self/status").read().splitlines())
for name in ("CapEff", "CapPrm", "CapInh", "CapAmb"):
    if int(status[name], 16):
        print("reached", name, status[name])
if status["NoNewPrivs"].strip() != "1" or status["Seccomp"].strip() != "2":
    print("reached new privileges")
""",
        CALLS,
        fast=True,
    ),
)
