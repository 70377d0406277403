"""The fork server: one start serves many runs, which know nothing of each other nor outlive it."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from driven_jobs import BEATING, TOKENS, is_silent, make_job, printed

from harness.errors import SandboxError
from harness.protocol.job import Job, RunState
from harness.sandbox.pool import Pool
from harness.trace.reader import load

_HANGING = BEATING + 'beat("child", "child"); beat("daemon", "daemon"); time.sleep(600)'
_HARNESS = """
import sys
from harness.protocol.job import Job
from harness.sandbox.fork_server import ForkServer
with ForkServer() as server:
    server.run(Job.from_json(sys.argv[1]))
"""


def _beats(job: Job) -> list[Path]:
    return [job.stage / "child", job.stage / "daemon"]


def _wait_for(job: Job) -> None:
    deadline = time.monotonic() + 30
    while not all(path.exists() and path.stat().st_size for path in _beats(job)):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _falls_silent(job: Job) -> bool:
    return any(is_silent(_beats(job)) for _ in range(50))


def test_another_system_is_told_what_is_missing(tmp_path, monkeypatch):
    """A cause and a cure, and no traceback of an attribute that only Linux has."""
    monkeypatch.setattr(sys, "platform", "darwin")
    with Pool(1) as pool, pytest.raises(SandboxError, match=r"needs Linux, and this is darwin: .*"):
        pool.run(make_job(tmp_path, ""))


def test_a_job_crosses_as_json(tmp_path):
    """The contract: a job is plain data."""
    job = make_job(tmp_path, "", binds={"/data": "data"}, arguments=("--x", "1"), ranks=2)

    assert Job.from_json(job.as_json()) == job


def test_runs_know_nothing_of_each_other(server, tmp_path):
    """Modules, environment, seeds, working folder and patched functions start afresh."""
    text = """
    import os, random, sys, numpy as np, torch
    print(hasattr(torch, "spoilt"), "SPOILT" in os.environ, os.path.exists("/tmp/spoilt"))
    print(torch.rand(1).item(), np.random.rand(), random.random(), os.getcwd() == sys.path[0])
    torch.spoilt = True
    os.environ["SPOILT"] = "1"
    torch.rand = None
    os.chdir("/")
    """
    jobs = [make_job(tmp_path / name, text) for name in "ab"]
    outcomes = [server.run(job) for job in jobs]

    assert [outcome.state for outcome in outcomes] == [RunState.ENDED] * 2
    assert printed(jobs[0]) == printed(jobs[1])
    assert printed(jobs[0])[0].startswith("False False")


def test_a_seed_decides_what_is_drawn(server, tmp_path):
    """Two runs draw the same numbers where their seeds agree, and others where they do not; a job
    that names no seed has seed 0.
    """
    text = "import random, numpy, torch\nprint(random.random(), numpy.random.rand(), torch.rand(1))"
    jobs = [
        make_job(tmp_path / name, text, seed=seed)
        for name, seed in zip("abc", (0, 7, 7), strict=True)
    ]
    jobs.append(make_job(tmp_path / "d", text))
    for job in jobs:
        server.run(job)
    none, seven, again, unnamed = (printed(job)[0].split() for job in jobs)

    assert seven == again and none == unnamed
    assert all(a != b for a, b in zip(none, seven, strict=True))


def test_a_script_is_main_and_sees_only_its_environment(server, tmp_path, monkeypatch):
    """The script is `__main__` under its own name, with its arguments; nothing of ours is set."""
    monkeypatch.setenv("SECRET_TOKEN", "x")
    text = """
    import os, pickle, sys
    class Here: pass
    pickle.loads(pickle.dumps(Here()))
    print(__name__, os.path.basename(__file__), sys.argv[1:], os.environ["ITERATIONS"])
    print("SECRET_TOKEN" in os.environ, "PYTHONPATH" in os.environ and "main" in os.environ)
    """
    fields = {"arguments": ("--quick",), "environment": {"ITERATIONS": "3"}}
    job = make_job(tmp_path, text, **fields)

    assert server.run(job).state == RunState.ENDED
    assert printed(job) == ["__main__ train_gpt.py ['--quick'] 3", "False False"]


def test_patches_reach_attributes_without_a_switch(server, tmp_path):
    """A patched attribute has its value while the class body runs; what is derived follows."""
    text = """
    import os
    from dataclasses import dataclass
    from typing import Generic, NamedTuple, TypeVar
    class Hyperparameters:
        iterations = int(os.environ.get("ITERATIONS", 9))
        width = 512
        half = width // 2
        wide = True
        all = (iterations, width, half)
    @dataclass
    class Other:
        width: int = 7
    class Row(NamedTuple):
        heads: int = 8
    class Held(Generic[TypeVar("T")]):
        heads = 8
    print(*Hyperparameters.all, Hyperparameters.wide)
    print(Other().width, Row(), Held.heads)
    """
    patches = {"Hyperparameters.width": "64", "Hyperparameters.wide": "0", "iterations": "5"}
    job = make_job(tmp_path, text, class_patches=patches | {"heads": "4"})

    assert server.run(job).state == RunState.ENDED
    assert printed(job) == ["5 64 32 False", "7 Row(heads=4) 4"]


def test_two_ranks_reduce_and_are_captured(server, tmp_path):
    """Two processes with gloo, each scoring its half; the captures of both are readable as one."""
    text = """
    import numpy as np, os, torch, torch.distributed as dist, torch.nn.functional as F
    dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    tokens = torch.from_numpy(np.load("stream.npy"))
    part = torch.arange(1, len(tokens))[rank::size]
    total = F.cross_entropy(torch.zeros(len(part), 64), tokens[part], reduction="sum").double()
    dist.all_reduce(total)
    if rank == 0:
        print(f"val_loss:{total.item() / (len(tokens) - 1):.4f}")
    dist.destroy_process_group()
    """
    job = make_job(tmp_path, text, ranks=2, capture=True)
    outcome = server.run(job)
    capture = load(job.out)

    assert outcome.state == RunState.ENDED, outcome
    assert printed(job)[-1] == "val_loss:4.1589"
    assert set(capture.rank.tolist()) == {0, 1} and capture.errors == []
    assert len(set(capture.position.tolist())) == TOKENS - 1


@pytest.mark.parametrize("failing", [0, 1])
def test_a_failing_rank_ends_the_others(server, tmp_path, failing):
    """The rank that failed by itself is the one reported, and the others do not hang."""
    text = f"""
    import os, torch, torch.distributed as dist
    dist.init_process_group("gloo")
    if int(os.environ["RANK"]) == {failing}:
        raise ValueError("mine")
    dist.all_reduce(torch.ones(1))
    """
    outcome = server.run(make_job(tmp_path, text, ranks=2))

    assert outcome.state == RunState.FAILED and outcome.wall_s < 10
    assert outcome.cause == f"rank {failing}: ValueError: mine"
    assert outcome.where == "train_gpt.py:5"


@pytest.mark.parametrize("hanging", [0, 1])
def test_a_hanging_rank_is_found(server, tmp_path, hanging):
    """The line where a run of two ranks hangs is known, whichever rank it is."""
    text = f"""
    import os, time
    if int(os.environ["RANK"]) == {hanging}:
        time.sleep(600)
    """
    outcome = server.run(make_job(tmp_path, text, ranks=2, time_limit_s=2.0))

    assert outcome.state == RunState.TIMED_OUT and outcome.where == "train_gpt.py:4"


def test_what_was_captured_before_a_timeout_is_kept(server, tmp_path):
    """A run that is stopped keeps the scores behind all that it had printed."""
    text = """
    import numpy as np, time, torch, torch.nn.functional as F
    tokens = torch.from_numpy(np.load("stream.npy"))
    print("val_loss:", F.cross_entropy(torch.zeros(len(tokens) - 1, 64), tokens[1:]).item())
    time.sleep(600)
    """
    job = make_job(tmp_path, text, capture=True, time_limit_s=2.0)

    assert server.run(job).state == RunState.TIMED_OUT
    assert len(load(job.out).nats) == TOKENS - 1


def test_a_job_that_cannot_start_says_why(server, tmp_path):
    """Missing data of ours is not the script's failure."""
    job = make_job(tmp_path, "", capture=True)
    job.stream.unlink()
    outcome = server.run(job)

    assert outcome.state == RunState.NOT_STARTED and "stream.npy" in outcome.cause


# --- The end of the harness ---------------------------------------------------------------------


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_run_ends_with_the_harness(tmp_path, how):
    """Whatever ends the harness, nothing of a run that was under way stays behind."""
    job = make_job(tmp_path, _HANGING)
    command = [sys.executable, "-c", _HARNESS, job.as_json()]
    harness = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    _wait_for(job)
    os.kill(harness.pid, how)
    harness.wait()

    assert _falls_silent(job)


def test_a_fork_server_that_is_killed_is_started_anew(server, tmp_path):
    """The run that was under way ends, its outcome says so, and the next one is served."""
    job = make_job(tmp_path / "a", _HANGING)

    def kill() -> None:
        _wait_for(job)
        os.kill(server.process_id, signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    outcome = server.run(job)
    thread.join()

    assert outcome.state == RunState.NOT_STARTED and "died" in outcome.cause
    assert _falls_silent(job)
    assert server.run(make_job(tmp_path / "b", "")).state == RunState.ENDED


def test_an_interrupted_run_is_not_answered_to_the_next(server, tmp_path):
    """Ctrl-C during a run ends it; the same server then serves another job with its own answer."""
    job = make_job(tmp_path / "a", _HANGING)

    def interrupt() -> None:
        _wait_for(job)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        server.run(job)
    thread.join()

    assert is_silent(_beats(job))
    assert server.run(make_job(tmp_path / "b", "import sys; sys.exit(5)")).exit_code == 5
