"""SIGINT and SIGTERM in the middle of an evaluation: a report is left and nothing else.

The command runs in a process forked from this one, which has loaded torch already.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from contest_records import HANGS, ILLEGAL, Case

import harness
from harness.commands.evaluate import main
from harness.commands.signals import interruptible
from harness.interrupts import Interrupted, held_back, within
from harness.report.model import SCHEMA_PATH
from harness.report_folder import ReportFolder
from harness.sandbox import syscalls
from reference_model.data.folder import DataFolder

END_LIMIT_S = 30.0  # two seconds, on a machine that others keep busy
START_LIMIT_S = 120.0


class Command:
    """One evaluation in a process of its own."""

    def __init__(self, record: Path, out: Path, *options: str) -> None:
        self.out, self.said = out, out.parent / "said"
        self.process = os.fork()
        if self.process == 0:
            try:
                said = os.open(self.said, os.O_WRONLY | os.O_CREAT)
                os.dup2(said, 1)
                os.dup2(said, 2)
                sys.stdout = sys.stderr = os.fdopen(said, "w", buffering=1)
                os._exit(main([str(record), "--no-static", "--out", str(out), *options]))
            finally:
                os._exit(99)

    def wait_until(self, seen: Callable[[], bool]) -> None:
        deadline = time.monotonic() + START_LIMIT_S
        while not seen():
            assert time.monotonic() < deadline, self.said.read_text()
            time.sleep(0.02)

    def end_by(self, number: signal.Signals) -> tuple[int, float]:
        """The exit code, and the seconds until then."""
        began = time.monotonic()
        os.kill(self.process, number)
        _, status = os.waitpid(self.process, 0)
        return os.waitstatus_to_exitcode(status), time.monotonic() - began

    @property
    def report(self) -> dict[str, Any]:
        report: dict[str, Any] = json.loads((self.out / "report.json").read_text())
        jsonschema.validate(report, json.loads(SCHEMA_PATH.read_text()))
        return report


def _end(processes: list[int]) -> bool:
    """Whether none is left, but for what its parent or the system has not waited for yet."""
    return not any(_is_alive(process) for process in processes)


def _is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _mounts() -> str:
    return Path("/proc/self/mountinfo").read_text()


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize(
    ("case", "number", "code", "until", "verdict"),
    [
        (HANGS, signal.SIGTERM, 143, "run 1, base", "UNRUNNABLE"),
        # The base run proved it; the report says so although the others did not end.
        (ILLEGAL["space counted twice"][0], signal.SIGINT, 130, "run 3 of", "VIOLATION"),
    ],
    ids=["SIGTERM in the first run", "SIGINT in runs side by side"],
)
def test_a_signal_leaves_a_report_and_nothing_else(
    case: Case,
    number: signal.Signals,
    code: int,
    until: str,
    verdict: str,
    tmp_path: Path,
    data_folder: DataFolder,
) -> None:
    """Soon, without a traceback, with what was proved by then; never CLEAN."""
    before, others = _mounts(), {*syscalls.descendants()}
    options = ["--jobs", "2", "--tokenizer", str(data_folder.tokenizer)]
    command = Command(case.write(tmp_path / "record"), tmp_path / "out", *options)
    logs = tmp_path / "out" / "runs"
    command.wait_until(lambda: command.said.exists() and until in command.said.read_text())
    command.wait_until(lambda: any("step:" in log.read_text() for log in logs.glob("*/output.log")))
    killed = command.report  # what SIGKILL would leave
    assert killed["verdict"] == "UNRUNNABLE" and killed["interrupted"] == "SIGKILL"
    below = [pid for pid in syscalls.descendants() if pid not in {command.process, *others}]
    ended, wall_s = command.end_by(number)

    said = command.said.read_text()
    assert ended == code and wall_s < END_LIMIT_S, said
    assert "Traceback" not in said and "interrupted by" in said
    assert below and _end(below)
    assert before == _mounts()
    stages = [path for path in logs.iterdir() if re.fullmatch("[0-9a-f]{12}", path.name)]
    assert not [*stages, *logs.glob("*/root")]
    assert (tmp_path / "out" / "report.md").exists()
    report = command.report
    assert report["verdict"] == verdict
    assert report["failure"].startswith(f"interrupted by {number.name} during drive (run ")
    assert ("base" in report["driven"]["runs"]) == (verdict == "VIOLATION")


def test_a_second_signal_ends_everything_at_once() -> None:
    """Whatever the first one is still waiting for, and whoever that waits for. What comes right
    behind the first is no second one: timeout(1) sends its signal twice.
    """
    text = """
import signal, subprocess, time
from harness.commands.signals import ONE_S, interruptible
child = subprocess.Popen(["sleep", "600"], start_new_session=True)
with interruptible():
    try:
        print(child.pid, flush=True)
        time.sleep(60)
    except KeyboardInterrupt:
        print("cleaning up", flush=True)
        signal.raise_signal(signal.SIGINT)
        print("still", flush=True)
        time.sleep(ONE_S)
        print("for long", flush=True)
        time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        process.send_signal(signal.SIGTERM)
        assert [process.stdout.readline() for _ in range(3)] == [
            b"cleaning up\n",
            b"still\n",
            b"for long\n",
        ]
        process.send_signal(signal.SIGINT)
        assert process.wait(END_LIMIT_S) == 130
    assert _end([child])


def test_a_signal_waits_until_a_report_is_whole() -> None:
    """It is delivered then, and a library's caller gets the KeyboardInterrupt of Python."""
    done = []

    def write() -> None:
        with held_back():
            signal.raise_signal(signal.SIGINT)
            done.append("whole")

    with pytest.raises(KeyboardInterrupt):
        write()
    assert done == ["whole"]
    assert issubclass(Interrupted, KeyboardInterrupt)


def test_work_that_takes_too_long_is_not_waited_for() -> None:
    """Its result and its errors are the caller's as long as it is in time."""
    assert within(5.0, lambda: 3) == 3
    with pytest.raises(ZeroDivisionError):
        within(5.0, lambda: 1 // 0)
    with pytest.raises(TimeoutError):
        within(0.01, lambda: time.sleep(0.5))


START = """
import os, signal, sys, threading, time
def stop():
    while {seen!r} not in sys.modules: time.sleep(0.001)
    os.kill(os.getpid(), signal.{signal})
threading.Thread(target=stop, daemon=True).start()
sys.argv, sys.orig_argv = ["/bin/scorefirst", *{argv!r}], ["python", "/bin/scorefirst", *{argv!r}]
from harness.commands.dispatch import main
sys.exit(main())
"""


@pytest.mark.parametrize(
    ("command", "seen", "number"),
    [
        ("evaluate", "harness.commands.dispatch", signal.SIGTERM),
        ("evaluate", "numpy", signal.SIGINT),  # numpy made a RecursionError of a KeyboardInterrupt
        ("scan", "audits.folder", signal.SIGINT),
    ],
)
def test_a_signal_in_the_first_seconds_says_that_nothing_was_judged(
    command: str, seen: str, number: signal.Signals, tmp_path: Path
) -> None:
    """From the middle of an import, without a traceback; an older report is not left as ours."""
    (tmp_path / "train_gpt.py").write_text("print('val_bpb: 1.0')\n")
    out = ["--out", "out"] if command == "evaluate" else []
    with ReportFolder.named(tmp_path / "out", tmp_path / "train_gpt.py"):
        (tmp_path / "out" / "report.json").write_text("older")
    text = START.format(seen=seen, signal=number.name, argv=[command, "train_gpt.py", *out])
    ran = subprocess.run(
        [sys.executable, "-c", text], cwd=tmp_path, capture_output=True, text=True, check=False,
        env=os.environ | {"PYTHONPATH": str(Path(harness.__path__[0]).parent)},
    )  # fmt: skip
    said = f"scorefirst: interrupted by {number.name}; nothing was judged\n"
    assert (ran.returncode, ran.stdout, ran.stderr) == (128 + number, "", said)
    if seen == "numpy":
        assert not (tmp_path / "out" / "report.json").exists()


def test_an_error_that_a_library_makes_of_an_interruption_is_one() -> None:
    """Never "the harness itself failed"; an error without a signal stays what it is."""

    def library(*, stopped: bool) -> None:
        with interruptible():
            try:
                if stopped:
                    signal.raise_signal(signal.SIGINT)
            finally:
                raise RecursionError

    with pytest.raises(Interrupted, match="by SIGINT"):
        library(stopped=True)
    with pytest.raises(RecursionError):
        library(stopped=False)
