"""Isolation on machines that allow less: nothing starts there, but for a caller who asked for less;
then what they refuse is left out and said, and the rest holds.

Three machines are played by taking rights away from a fork server: those of a user who may make a
user namespace; of a user 0 who may make none that it is user 0 of; no namespace at all.
"""

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from driven_jobs import BEATING, TOKENS, is_silent, make_job, printed

from harness.protocol.confinement import NOT_WHOLE, IsolationAsked, IsolationPart, Quota
from harness.protocol.job import RunState
from harness.sandbox.fork_server import ForkServer
from harness.trace.reader import load

_WEAKENED = """
import ctypes, os, sys
from harness.sandbox import syscalls
from harness.sandbox import fork_server

def no_namespaces():
    def refused(flags):
        raise PermissionError(1, "unshare: refused by this machine")
    syscalls.unshare = refused

def user_namespace():
    setfcap = 1 << 31  # without it a user 0 cannot stay user 0
    header = (ctypes.c_uint32 * 2)(syscalls.CAPABILITY_VERSION_3, 0)
    ctypes.CDLL(None).capset(header, (ctypes.c_uint32 * 6)(setfcap, setfcap))

def no_capability():
    syscalls.drop_privileges()

{rights}()
fork_server.serve(int(sys.argv[1]), sys.argv[2])
os._exit(0)
"""
# The n-th call of a function of `syscalls` fails, n as the job's environment says.
_FAILING = """
import os, sys
from harness.sandbox import syscalls
from harness.sandbox import fork_server
from harness.sandbox import supervisor

def fail(name, at):
    real, calls = getattr(syscalls, name), [0]
    def failing(*arguments, **options):
        calls[0] += 1
        if calls[0] == at:
            raise OSError(28, f"{name} fails at call {at}")
        return real(*arguments, **options)
    setattr(syscalls, name, failing)

supervise = supervisor.supervise
def supervise_failing(job):
    name, at = job.environment["FAIL"].split()
    fail(name, int(at))
    return supervise(job)
supervisor.supervise = supervise_failing
fork_server.serve(int(sys.argv[1]), sys.argv[2])
os._exit(0)
"""
_SCORING = """
    import numpy as np, torch
    tokens = torch.from_numpy(np.load("stream.npy"))
    logits = torch.zeros(len(tokens) - 1, 64)
    print("val_loss:", torch.nn.functional.cross_entropy(logits, tokens[1:]).item())
"""


def _server(program: str) -> ForkServer:
    class Weakened(ForkServer):
        COMMAND = (sys.executable, "-c", program)

    return Weakened()


@pytest.fixture(scope="module", params=["user_namespace", "no_namespaces"])
def machine(request) -> Iterator[ForkServer]:
    with _server(_WEAKENED.format(rights=request.param)) as one:
        one.rights = request.param
        yield one


def _mounts() -> str:
    return Path("/proc/self/mountinfo").read_text()


@pytest.mark.parametrize(
    "machine", ["user_namespace", "no_capability", "no_namespaces"], indirect=True
)
def test_nothing_starts_in_less_than_whole_isolation(machine, tmp_path):
    """Unless the caller asked for less; the cause names what is missing and what was refused."""
    job = make_job(tmp_path, "print('ran')", isolation=IsolationAsked.WHOLE)
    outcome = machine.run(job)

    whole = set(outcome.isolation) == set(IsolationPart)
    assert (outcome.state == RunState.ENDED) == whole == (printed(job) == ["ran"])
    if not whole:
        assert outcome.state == RunState.NOT_STARTED and NOT_WHOLE in outcome.cause
    assert not (machine.rights == "no_namespaces" and "network" not in outcome.cause)
    assert not (job.out / "root").exists()


@pytest.mark.parametrize(
    "machine", ["user_namespace", "no_capability", "no_namespaces"], indirect=True
)
def test_the_parts_that_are_active_are_named(machine, tmp_path):
    """The outcome names no part that is not there, and a run is watched with any or none."""
    text = f"""
    import os
    print(os.path.exists("../stream.npy"))
    print(int(open("/proc/self/status").read().split("CapEff:")[1].split()[0], 16))
    {_SCORING}
    """
    before = _mounts()
    job = make_job(tmp_path, text, capture=True)
    outcome = machine.run(job)
    outside, capabilities, _ = printed(job)

    assert outcome.state == RunState.ENDED, outcome
    assert (outside == "False") == (IsolationPart.FILESYSTEM in outcome.isolation)
    assert IsolationPart.LIMITS in outcome.isolation and capabilities == "0"
    assert machine.rights != "no_namespaces" or outcome.isolation == (IsolationPart.LIMITS,)
    assert len(load(job.out).nats) == TOKENS - 1
    assert _mounts() == before and not (job.out / "root").exists()


@pytest.mark.parametrize("end", ["time.sleep(600)", "os.kill(os.getpid(), 9)"])
def test_no_process_is_left(machine, tmp_path, end):
    """With or without namespaces: children and daemons end with the run."""
    start = 'beat("child", "child"); beat("daemon", "daemon"); wait_for("child", "daemon")\n'
    job = make_job(tmp_path, BEATING + start + end, time_limit_s=1.5)
    machine.run(job)

    assert is_silent([job.stage / name for name in ("child", "daemon")])


def test_a_fork_bomb_is_stopped(machine, tmp_path):
    """A tree that forks while it is being killed ends all the same."""
    text = BEATING + "while True:\n    beat(f'{os.getpid()}', 'daemon')"
    job = make_job(tmp_path, text, quota=Quota(processes=30))
    outcome = machine.run(job)

    assert outcome.state == RunState.FAILED and "processes" in outcome.cause
    assert is_silent(list(job.stage.glob("[0-9]*")))


def test_a_folder_may_be_deleted_or_filled(machine, tmp_path):
    """Neither is the end of the supervisor."""
    deleting = make_job(tmp_path / "a", "import os, shutil; shutil.rmtree(os.getcwd(), True)")
    filling = "import time; open('x', 'wb').write(bytes(3 << 20)); time.sleep(9)"
    filled = make_job(tmp_path / "b", filling, quota=Quota(stage_bytes=1 << 20))

    assert machine.run(deleting).state == RunState.ENDED
    assert "more than 1,048,576 bytes" in machine.run(filled).cause


def test_two_ranks_meet(machine, tmp_path):
    """The process group of a run works with every kind of isolation."""
    text = """
    import torch, torch.distributed as dist
    dist.init_process_group("gloo")
    x = torch.ones(1)
    dist.all_reduce(x)
    print(x.item())
    dist.destroy_process_group()
    """
    job = make_job(tmp_path, text, ranks=2)

    assert machine.run(job).state == RunState.ENDED
    assert printed(job).count("2.0") == 2


# --- A root that cannot be built ----------------------------------------------------------------


@pytest.fixture(scope="module")
def failing(tmp_path_factory) -> Iterator[ForkServer]:
    with _server(_FAILING) as one:
        job = make_job(tmp_path_factory.mktemp("whole"), "", environment={"FAIL": "mount 9999"})
        if IsolationPart.FILESYSTEM not in one.run(job).isolation:
            pytest.skip("this machine gives a run no file system of its own")
        yield one


@pytest.mark.parametrize(
    "fail",
    [
        *(f"mount {call}" for call in (1, 2, 3, 4, 9, 14)),
        *("set_read_only 1", "set_read_only 9", "change_root 1", "unmount 1"),
    ],
)
def test_half_a_root_is_none(failing, tmp_path, fail):
    """Wherever its building fails: the run goes on without it, in a file system that holds no
    piece of it, and the other parts are active.
    """
    text = f"""
    import os
    print([line for line in open("/proc/self/mountinfo") if "out/root" in line])
    print(os.path.exists("../stream.npy"), os.listdir("../out/root"))
    {_SCORING}
    """
    before = _mounts()
    job = make_job(tmp_path, text, capture=True, environment={"FAIL": fail})
    outcome = failing.run(job)

    assert outcome.state == RunState.ENDED, outcome
    assert set(outcome.isolation) == set(IsolationPart) - {IsolationPart.FILESYSTEM}
    assert printed(job)[:2] == ["[]", "True []"]
    assert len(load(job.out).nats) == TOKENS - 1
    assert _mounts() == before and not (job.out / "root").exists()


def test_a_root_that_cannot_be_left_starts_nothing(failing, tmp_path):
    """Once inside, with the machine's own root still in reach: nothing of the script runs."""
    environment = {"FAIL": "unmount 2"}  # the first is of the capture's folder
    job = make_job(tmp_path, "print('ran')", environment=environment)
    outcome = failing.run(job)

    assert outcome.state == RunState.NOT_STARTED and "old root" in outcome.cause
    assert printed(job) == []


def test_half_a_root_starts_nothing(failing, tmp_path):
    """Where nobody asked for less."""
    fail, whole = {"FAIL": "set_read_only 9"}, IsolationAsked.WHOLE
    job = make_job(tmp_path, "print('ran')", environment=fail, isolation=whole)
    outcome = failing.run(job)

    assert outcome.state == RunState.NOT_STARTED and "no filesystem" in outcome.cause
    assert printed(job) == []


def test_limits_alone_where_no_isolation_is_asked_for(failing, tmp_path):
    """And without a capability."""
    text = """
    import os
    status = open("/proc/self/status").read()
    print(os.path.exists("../stream.npy"), "CapEff:\\t0000000000000000" in status)
    """
    job = make_job(
        tmp_path, text, environment={"FAIL": "mount 9999"}, isolation=IsolationAsked.NONE
    )
    assert failing.run(job).isolation == (IsolationPart.LIMITS,)
    assert printed(job) == ["True True"]


# --- Paths that a script insists on -------------------------------------------------------------


def _tops() -> list[str]:
    """Paths above Python, above the stage, and above what every program needs."""
    above = {Path(place).parts[1] for place in (sys.prefix, sys.base_prefix, tempfile.gettempdir())}
    return sorted({f"/{name}" for name in above - {"usr"}} | {"/scorefirst_data", "/opt", "/var"})


@pytest.mark.parametrize("top", _tops())
def test_a_path_that_is_insisted_on_is_in_the_stage(failing, tmp_path, top):
    """What a script reads and writes at an absolute path lies in its stage, and only there; Python
    stays where it is, even below that path, and the stage stands where it is told to.
    """
    name = f"scorefirst_{os.getpid()}"
    text = f"""
    import colorsys, os, subprocess, sys
    print(open("{top}/{name}/shard.bin").read(), os.path.exists("train_gpt.py"), os.getcwd())
    open("{top}/{name}/made", "w").write("x")
    subprocess.run([sys.executable, "-c", "import this_is_absent"], stderr=subprocess.DEVNULL)
    open("/tmp/x", "w")
    """
    fields = {"binds": {top: "data"}, "environment": {"FAIL": "mount 9999"}}
    job = make_job(tmp_path, text, at=Path("/workspace/its_name"), **fields)
    (job.stage / "data" / name).mkdir(parents=True)
    (job.stage / "data" / name / "shard.bin").write_text("tokens")
    outcome = failing.run(job)

    assert outcome.state == RunState.ENDED and IsolationPart.FILESYSTEM in outcome.isolation, (
        outcome
    )
    assert printed(job) == ["tokens True /workspace/its_name"]
    assert (job.stage / "data" / name / "made").exists() and not Path(top, name).exists()


@pytest.mark.parametrize("path", ["/", "/data/../../../../tmp", "data"])
def test_a_path_where_no_folder_can_stand_starts_nothing(failing, tmp_path, path):
    """A place that would leave the run's own file system costs the run, never its isolation."""
    job = make_job(tmp_path, "", binds={path: "data"}, environment={"FAIL": "mount 9999"})
    (job.stage / "data").mkdir()
    outcome = failing.run(job)

    assert outcome.state == RunState.NOT_STARTED and "no folder can stand" in outcome.cause


@pytest.mark.parametrize("folder", ["absent", "file", "../outside", "link"])
def test_a_folder_that_is_none_of_the_stage_starts_nothing(failing, tmp_path, folder):
    """What stands for a path of the script is a folder of its stage, and no way out of that."""
    job = make_job(tmp_path, "", binds={"/spare": folder}, environment={"FAIL": "mount 9999"})
    (tmp_path / "outside").mkdir()
    (job.stage / "file").touch()
    (job.stage / "link").symlink_to("/etc")
    outcome = failing.run(job)

    assert outcome.state == RunState.NOT_STARTED and "the stage has no folder" in outcome.cause
