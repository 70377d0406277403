"""Scripts that misbehave: each ends with a clear outcome, leaves the machine as it was, and the
fork server serves the next job.
"""

import mmap
import os
import sysconfig
import textwrap
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from driven_jobs import BEATING, TOKENS, is_silent, make_job, printed, processes_named

from audits.facts.documented.printed_scores import printed_numbers
from harness.doctor.check import Status
from harness.doctor.checks.kept_apart import FILES, NET, NETWORK, READING
from harness.doctor.examine import Examiner
from harness.doctor.ground import Ground
from harness.protocol.confinement import IsolationAsked, IsolationPart, Quota
from harness.protocol.job import Outcome, RunState
from harness.sandbox.exit_status import LEFT_EARLY
from harness.sandbox.fork_server import ForkServer
from harness.sandbox.memory import resident_bytes
from harness.sandbox.quota import remove
from harness.trace.reader import load
from harness.trace.reconstruct import reconstruct


@pytest.fixture(scope="module")
def isolation(server, tmp_path_factory) -> tuple[IsolationPart, ...]:
    """The parts that this machine allows."""
    return server.run(make_job(tmp_path_factory.mktemp("first"), "print('hello')")).isolation


@pytest.fixture(autouse=True)
def serves_the_next(server) -> Iterator[None]:
    """After every test: the same server process still lives, and has no child left."""
    process = server.process_id
    yield
    assert server.process_id == process
    assert Path(f"/proc/{process}/task/{process}/children").read_text() == ""


def _run(server: ForkServer, folder: Path, text: str, **fields) -> tuple[Outcome, list[str]]:
    job = make_job(folder, text, **fields)
    outcome = server.run(job)
    return outcome, printed(job)


def _need(isolation: tuple[IsolationPart, ...], part: IsolationPart) -> None:
    if part not in isolation:
        pytest.skip(f"this machine does not isolate: {part.name.lower()}")


def test_the_suite_that_users_run_holds_here(server):
    """The fast part of `scorefirst doctor`: what a check's own wall would hold is not tried where
    this machine has no such wall; everything else holds, and leaves nothing.
    """
    with Ground() as ground:
        examiner = Examiner(server, ground)
        results = list(examiner.results(fast=True))
    is_whole = set(examiner.active) == set(IsolationPart)

    assert [r for r in results if r.status is Status.FAILS] == []
    assert is_whole == (not examiner.refused)
    assert is_whole == (Status.NOT_HELD not in {r.status for r in results})
    assert len({r.section for r in results}) == 9


def test_a_check_that_could_not_fail_would_prove_nothing(server, monkeypatch):
    """Where there are no walls, scripts reach what they aim at, and the suite says so."""
    run = Examiner._run
    monkeypatch.setattr(Examiner, "_run", lambda *given: run(*given[:-1], IsolationAsked.NONE))
    aiming = [check for check in (*NETWORK, *READING) if check.fast and check.needs in (NET, FILES)]
    with Ground() as ground:
        examiner = Examiner(server, ground)
        examiner.active = tuple(IsolationPart)
        found = [examiner.examined("", check) for check in aiming]
    assert len(found) == 4 and {result.status for result in found} == {Status.FAILS}
    assert all("reached" in result.said for result in found)


# --- Ends ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "how", "code", "cause", "where"),
    [
        ("", RunState.ENDED, 0, "", ""),
        ("import sys; sys.exit()", RunState.ENDED, 0, "", ""),
        ("import sys\nsys.exit(3)", RunState.FAILED, 3, "SystemExit: 3", "train_gpt.py:2"),
        ("exit('bad data')", RunState.FAILED, 1, "SystemExit: bad data", "train_gpt.py:1"),
        ("import os; os._exit(0)", RunState.ENDED, 0, LEFT_EARLY, ""),
        ("import os; os._exit(7)", RunState.FAILED, 7, "exit code 7", ""),
        ("import os; os.kill(os.getpid(), 9)", RunState.FAILED, -9, "killed by SIGKILL", ""),
        ("import os; os.abort()", RunState.FAILED, -6, "killed by SIGABRT", ""),
        ("import os; os.execv('/bin/true', ['true'])", RunState.ENDED, 0, LEFT_EARLY, ""),
        ("import os; os.execv('/bin/false', ['false'])", RunState.FAILED, 1, "exit code 1", ""),
        ("\nimport no_such_package", RunState.FAILED, 1, "no_such_package", "train_gpt.py:2"),
        ("def f():\n  return 1 +", RunState.FAILED, 1, "SyntaxError", "train_gpt.py:2"),
        (
            "raise KeyboardInterrupt('no')",
            RunState.FAILED,
            1,
            "KeyboardInterrupt: no",
            "train_gpt.py:1",
        ),
        ("import os\nos.closerange(0, 99)\n1 / 0", RunState.FAILED, 1, "exit code 1", ""),
        ("import os\nos.closerange(0, 3)\n1 / 0", RunState.FAILED, 1, "division", "train_gpt.py:3"),
        ("import sys\nsys.stderr = None\n1 / 0", RunState.FAILED, 1, "division", "train_gpt.py:3"),
        ("import sys\nsys.stdout = sys.stderr = 7", RunState.ENDED, 0, "", ""),
        (
            "import threading as t\nt.Thread(target=lambda: 1 / 0).start()",
            RunState.ENDED,
            0,
            "",
            "",
        ),
        ("\nx = bytearray(1 << 46)", RunState.FAILED, 1, "MemoryError", "train_gpt.py:2"),
        ("import ctypes\nctypes.string_at(0)", RunState.FAILED, -11, "killed by SIGSEGV", ""),
    ],
)
def test_every_end_has_its_cause(server, tmp_path, text, how, code, cause, where):
    """However a script ends, the outcome says how, and where in its own files if it could tell."""
    outcome, _ = _run(server, tmp_path, text)

    assert outcome.state == how, outcome
    assert outcome.exit_code == code, outcome
    assert cause in outcome.cause, outcome
    assert outcome.where == where or not cause, outcome


@pytest.mark.parametrize(
    "said",
    [
        '{"started": true, "exit_code": 0, "cause": 5, "where": []}',
        '{"started": true}',
        "[" * 50_000,
        "5",
    ],
)
def test_a_forged_message_is_none(server, tmp_path, said):
    """What a script writes where a rank speaks of its end explains nothing unless it reads as one;
    the exit status decides, and the supervisor goes on.
    """
    text = f"""
    import os
    for fd in range(3, 64):
        try:
            os.write(fd, {said + chr(10)!r}.encode())
        except OSError:
            pass
    os._exit(3)
    """
    outcome, _ = _run(server, tmp_path, text)

    assert (outcome.state, outcome.cause) == (RunState.FAILED, "exit code 3")


def test_an_error_at_import_of_a_sibling_is_found_in_the_sibling(server, tmp_path):
    """The line named is the innermost one of the submission's own files."""
    text = "open('parts.py', 'w').write('x = 1\\nraise ValueError(x)')\nimport parts"
    outcome, _ = _run(server, tmp_path, text)

    assert (outcome.cause, outcome.where) == ("ValueError: 1", "parts.py:2")


def test_a_hang_ends_in_time_and_is_found(server, tmp_path):
    """A script that waits for ever is stopped at its limit, and its line is known."""
    text = "import threading\nprint('begun')\nwhile True:\n    threading.Event().wait()"
    outcome, lines = _run(server, tmp_path, text, time_limit_s=2.0)

    assert outcome.state == RunState.TIMED_OUT and outcome.where == "train_gpt.py:4"
    assert lines == ["begun"] and 1.9 < outcome.wall_s < 4.0


def test_a_thread_that_hangs_is_found(server, tmp_path):
    """The script has ended, one of its threads has not: that one's line is named."""
    text = "import threading, time\ndef forever():\n    time.sleep(600)\n"
    text += "threading.Thread(target=forever).start()"
    outcome, _ = _run(server, tmp_path, text, time_limit_s=2.0)

    assert outcome.state == RunState.TIMED_OUT and outcome.where == "train_gpt.py:3"


def test_a_hang_that_refuses_signals_ends_too(server, tmp_path):
    """No signal handler, stopped process or blocked exit keeps a run alive."""
    text = """
    import atexit, os, signal, time
    for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_IGN)
    if os.fork() == 0:
        os.kill(os.getpid(), signal.SIGSTOP)
    atexit.register(lambda: time.sleep(600))
    """
    outcome, _ = _run(server, tmp_path, text, time_limit_s=2.0)

    assert outcome.state == RunState.TIMED_OUT and outcome.wall_s < 4.0


# --- Prints -------------------------------------------------------------------------------------


def test_a_flood_is_cut_and_does_not_stop_the_run(server, tmp_path):
    """A log keeps its first bytes up to its limit and says so; the script runs on to its end."""
    text = """
    import sys
    print('first')
    for _ in range(300):
        sys.stdout.write('x' * 65_535 + '\\n')
    open('end', 'w')
    """
    outcome, lines = _run(server, tmp_path, text, quota=Quota(log_bytes=100_000))

    assert outcome.state == RunState.ENDED and (tmp_path / "stage" / "end").exists()
    assert (tmp_path / "out" / "output.log").stat().st_size < 101_000
    assert lines[0] == "first" and "limit" in lines[-1]


def test_an_invented_number_is_supported_by_nothing(server, tmp_path):
    """A printed score that no captured tokens add up to is not rebuilt; a true one is."""
    text = """
    import numpy as np, torch, torch.nn.functional as F
    tokens = torch.from_numpy(np.load('stream.npy'))
    torch.manual_seed(1)
    nll = F.cross_entropy(torch.randn(len(tokens) - 1, 64), tokens[1:])
    print(f'true val_loss:{nll.item():.8f}')
    print('invented val_loss:1.00000000')
    """
    outcome, lines = _run(server, tmp_path, text, capture=True)

    capture = load(tmp_path / "out")
    true, invented = printed_numbers("\n".join(lines))
    rebuilt = reconstruct(capture, true, TOKENS)
    assert outcome.state == RunState.ENDED and capture.errors == []
    assert rebuilt is not None and rebuilt.coverage == 1.0
    assert reconstruct(capture, invented, TOKENS) is None


# --- Processes ----------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["", "os._exit(0)", "1 / 0", "time.sleep(600)"])
def test_children_and_daemons_end_with_the_run(server, tmp_path, end):
    """Nothing that a script started outlives it, wherever it hid and however the script ended."""
    start = 'beat("child", "child"); beat("daemon", "daemon"); wait_for("child", "daemon")\n'
    word = f"60{uuid.uuid4().int % 10**9}"
    program = f'import subprocess; subprocess.Popen(["sleep", "{word}"], start_new_session=True)\n'
    _run(server, tmp_path, BEATING + start + program + end, time_limit_s=1.2)

    assert is_silent([tmp_path / "stage" / name for name in ("child", "daemon")])
    assert processes_named(word) == []


# --- Files --------------------------------------------------------------------------------------


def test_closed_paths_stay_closed(server, isolation, tmp_path):
    """Outside its stage and the private /tmp a script writes nothing, and what is private goes."""
    _need(isolation, IsolationPart.FILESYSTEM)
    name = f"scorefirst-{uuid.uuid4().hex}"
    packages, tests = sysconfig.get_paths()["purelib"], str(Path(__file__).parent)
    closed = ["/", "/etc", "/usr", "/root", "/home", "/var", "/var/tmp/..", "/dev", "/proc", "/sys"]
    closed.append(packages)
    if not tests.startswith("/tmp/"):  # a checkout there lies below the run's private /tmp
        closed.append(tests)
    hidden = [str(tmp_path), str(tmp_path / "out"), str(tmp_path / "out/rank0")]
    text = f"""
    import os
    for folder in {closed!r}:
        try:
            os.makedirs(folder, exist_ok=True)
            open(os.path.join(folder, {name!r}), "w")
            print("written", folder)
        except OSError:
            pass
    for folder in ("/tmp", "/var/tmp", "/dev/shm", os.path.expanduser("~"), ".", *{hidden!r}):
        os.makedirs(folder, exist_ok=True)
        open(os.path.join(folder, {name!r}), "w").write("x")
    """
    outcome, lines = _run(server, tmp_path, text)

    assert outcome.state == RunState.ENDED and lines == []
    outside = ["/tmp", "/var/tmp", "/dev/shm", *closed, *hidden]
    assert [folder for folder in outside if Path(folder, name).exists()] == []
    assert (tmp_path / "stage" / name).exists()


def test_a_folder_that_deletes_itself(server, tmp_path):
    """A script may delete all of its folder: that ends no one but itself."""
    text = """
    import os, shutil
    shutil.rmtree(os.getcwd(), ignore_errors=True)
    print(os.listdir("/proc/self/cwd"))
    """
    outcome, lines = _run(server, tmp_path, text)

    assert outcome.state == RunState.ENDED and lines == ["[]"]
    assert (tmp_path / "stream.npy").exists() and (tmp_path / "out").exists()


def test_a_folder_of_any_depth_and_mode_is_watched_and_taken_away(server, tmp_path):
    """Depth is no way out of the quota, and nothing that is left behind is there to stay."""
    text = """
    import os, time
    os.symlink("/etc", "link")
    os.mkfifo("pipe")
    for _ in range(1_500):
        os.mkdir("d")
        os.chdir("d")
    open("big", "wb").write(bytes(3 << 20))
    open("none", "w")
    os.chmod("none", 0)
    os.chmod(".", 0)
    time.sleep(600)
    """
    outcome, _ = _run(server, tmp_path, text, quota=Quota(stage_bytes=2 << 20), time_limit_s=9.0)
    remove(tmp_path / "stage")

    assert outcome.state == RunState.FAILED and "bytes" in outcome.cause
    assert not (tmp_path / "stage").exists() and Path("/etc/passwd").exists()


def test_the_folder_of_the_capture_is_no_trap(server, tmp_path):
    """What a script plants among its captures (links, pipes, folders) is gone when it ends."""
    text = """
    import os
    for fd in os.listdir("/proc/self/fd"):
        folder = f"/proc/self/fd/{fd}/"
        if os.path.exists(folder + "events.arrow"):
            os.unlink(folder + "events.arrow")
            os.mkfifo(folder + "events.arrow")
            os.unlink(folder + "uses.arrow")
            os.symlink("/dev/zero", folder + "uses.arrow")
            os.makedirs(folder + "deep/er")
            print("planted")
    """
    outcome, lines = _run(server, tmp_path, text, capture=True)
    left = sorted(path.name for path in (tmp_path / "out" / "rank0").iterdir())

    assert outcome.state == RunState.ENDED and lines == ["planted"]
    assert left == ["asked.arrow", "rows.arrow", "scores.arrow"]
    assert len(load(tmp_path / "out").nats) == 0


@pytest.mark.parametrize(
    ("quota", "cause"),
    [
        (Quota(stage_bytes=20 << 20), "more than 20,971,520 bytes"),
        (Quota(stage_files=100), "more than 100 files"),
        (Quota(file_bytes=1 << 20), "File too large"),
    ],
)
def test_a_folder_that_is_filled_stops_the_run(server, tmp_path, quota, cause):
    """A script that fills the disk is stopped in about a second, with the limit named."""
    text = """
    import time
    for i in range(10_000):
        open(f"{i}.bin", "wb").write(b"x" * (2 << 20) if i < 40 else b"")
        time.sleep(0.002 if i < 200 else 0.5)
    """
    outcome, _ = _run(server, tmp_path, text, quota=quota, time_limit_s=10.0)

    assert outcome.state == RunState.FAILED and cause in outcome.cause
    assert outcome.wall_s < 5.0


def test_a_private_folder_that_is_filled_refuses_more(server, isolation, tmp_path):
    """/tmp and /dev/shm are small file systems of the run's own, gone with it."""
    _need(isolation, IsolationPart.FILESYSTEM)
    text = "import sys; open(sys.argv[1] + '/a', 'wb').write(bytes(9 << 20))"
    for folder in ("/tmp", "/dev/shm"):
        quota = Quota(private_bytes=4 << 20)
        place = tmp_path / folder.replace("/", "_")
        outcome, _ = _run(server, place, text, quota=quota, arguments=(folder,))
        assert outcome.state == RunState.FAILED and "No space left" in outcome.cause


def test_memory_that_is_shared_is_counted() -> None:
    """As that of a process's own is; a process that is gone has none."""
    before = resident_bytes(os.getpid())
    with mmap.mmap(-1, 32 << 20) as shared:
        shared.write(b"x" * (32 << 20))
        assert resident_bytes(os.getpid()) - before > 24 << 20
    assert resident_bytes(1 << 30) == 0


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        (
            """
            import os, time
            for n in range(30):
                held = open(f"{n}", "wb", buffering=0)
                globals()[f"held_{n}"] = held
                os.unlink(f"{n}")
                held.write(bytes(2 << 20))
            """,
            "more than 20,971,520 bytes",
        ),
        (
            """
            import os, time
            for n in range(30):
                os.mkdir("x" * 200)
                os.chdir("x" * 200)
            """,
            "a path of more than 3,800 bytes",
        ),
    ],
    ids=["files without a name", "a long path"],
)
def test_what_no_walk_finds_is_counted(server, tmp_path, text, cause):
    """Files that are unlinked and open, and folders too deep to name."""
    text = textwrap.dedent(text) + "time.sleep(60)"
    quota = Quota(stage_bytes=20 << 20)
    outcome, _ = _run(server, tmp_path, text, quota=quota, time_limit_s=20.0)

    assert outcome.state == RunState.FAILED and cause in outcome.cause


# --- Honest scripts -----------------------------------------------------------------------------


def test_a_forked_child_that_comes_to_its_end_keeps_nobody_waiting(server, tmp_path):
    """And what was recorded is that of its parent, whatever bytes the names of files hold."""
    text = """
    import os
    import numpy as np, torch
    open(b"n\\xff\\xfe", "w").close()
    tokens = torch.from_numpy(np.load("stream.npy"))
    logits = torch.zeros(len(tokens) - 1, 64)
    print("val_loss:", torch.nn.functional.cross_entropy(logits, tokens[1:]).item())
    child = os.fork()
    if child:
        print("child", os.waitpid(child, 0)[1])
    """
    outcome, lines = _run(server, tmp_path, text, capture=True)
    capture = load(tmp_path / "out")

    assert outcome.state == RunState.ENDED and lines[-1] == "child 0", (outcome, lines)
    assert capture.errors == [] and len(capture.nats) == TOKENS - 1


def test_an_interrupt_from_inside_is_the_script_s_own(server, isolation, tmp_path):
    """Python's usual end by it; the process above the script takes no notice."""
    _need(isolation, IsolationPart.PROCESSES)
    text = "import os, signal\nfor who in (1, os.getpid()):\n    os.kill(who, signal.SIGINT)\n"
    outcome, _ = _run(server, tmp_path, text)

    assert outcome.state == RunState.FAILED and "KeyboardInterrupt" in outcome.cause


# --- The world outside --------------------------------------------------------------------------


def test_no_network_but_loopback(server, isolation, tmp_path):
    """Nothing outside answers, by name or by number; a server for oneself works."""
    _need(isolation, IsolationPart.NETWORK)
    text = """
    import socket
    for address in (("192.0.2.1", 80), ("example.org", 443)):
        try:
            socket.create_connection(address, timeout=3)
            print("connected", address)
        except OSError as error:
            print(type(error).__name__)
    server = socket.create_server(("127.0.0.1", 0))
    socket.create_connection(server.getsockname()).sendall(b"x")
    print(server.accept()[0].recv(1))
    """
    outcome, lines = _run(server, tmp_path, text)

    assert outcome.state == RunState.ENDED and lines == ["OSError", "gaierror", "b'x'"]


def test_names_of_the_machine_around_are_not_there(server, isolation, tmp_path):
    """Neither in which control groups the harness is, nor what System V objects there are; a host
    name may not be changed, and no new space of any kind is given.
    """
    _need(isolation, IsolationPart.PROCESSES)
    text = """
    import ctypes, socket
    print({line.rpartition(":")[2].strip() for line in open("/proc/self/cgroup")})
    print([len(open(f"/proc/sysvipc/{kind}").readlines()) for kind in ("shm", "sem", "msg")])
    libc = ctypes.CDLL(None)
    print(libc.sethostname(b"x", 1), *(libc.unshare(flag) for flag in (1 << 28, 1 << 17, 1 << 25)))
    """
    outcome, lines = _run(server, tmp_path, text)

    assert outcome.state == RunState.ENDED
    assert lines == ["{'/'}", "[1, 1, 1]", "-1 -1 -1 -1"]


def test_a_package_is_installed_for_nobody_else(server, isolation, tmp_path):
    """`pip install`, of a package that is at hand, changes no Python but the run's own."""
    _need(isolation, IsolationPart.FILESYSTEM)
    name = f"hostile_{uuid.uuid4().hex}"
    text = f"""
    import subprocess, sys, zipfile
    wheel = "{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as file:
        file.writestr("{name}.py", "")
        info = "{name}-1.0.dist-info/"
        file.writestr(info + "METADATA", "Metadata-Version: 2.1\\nName: {name}\\nVersion: 1.0\\n")
        pure = "Root-Is-Purelib: true\\nTag: py3-none-any\\n"
        file.writestr(info + "WHEEL", "Wheel-Version: 1.0\\n" + pure)
        file.writestr(info + "RECORD", "")
    pip = ["-m", "pip", "install", "--no-index", "--no-deps", "--disable-pip-version-check", wheel]
    subprocess.run([sys.executable, *pip])
    subprocess.run(["pip", "install", wheel], check=True)
    print("done")
    """
    outcome, lines = _run(server, tmp_path, text)

    assert outcome.state == RunState.ENDED and lines[-1] == "done"
    assert list(Path(sysconfig.get_paths()["purelib"]).glob(f"{name}*")) == []
