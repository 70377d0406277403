"""Workers that answer wrongly, crash, hang, shout or hide: the error is theirs."""

import json
import os
import time
from functools import partial
from pathlib import Path

import pytest
from driven_jobs import processes_named
from toy_predictors import uniform_with

from harness.checks.status import Status
from harness.errors import ContractError, SandboxError, SubmissionError, WorkerDied
from harness.protocol.confinement import Confinement
from harness.referee.run import Run
from harness.referee.worker import process

BROKEN = {
    "float64": ("        return self.rows(windows, scored).double()", "float64.*torch.float32"),
    "a wrong shape": (
        "        return self.rows(windows, scored)[:, :-1]",
        r"shape \(1, 31, 1024\)",
    ),
    "NaN": ("        return self.rows(windows, scored) * float('nan')", "positions 1-32 hold NaN"),
    "probability zero": (
        "        return self.rows(windows, scored) - float('inf')",
        "position 1: .*probability zero",
    ),
    "no tensor": ("        return None", "returned NoneType"),
}


@pytest.mark.parametrize(("body", "message"), BROKEN.values(), ids=BROKEN)
def test_an_answer_outside_the_contract_says_what_was_asked(native, run_native, body, message):
    """A ContractError that names what came and what the contract asks for."""
    with pytest.raises(ContractError, match=message):
        run_native(native("predictor", uniform_with(body)), 100)


def test_an_exception_of_the_submission_comes_with_its_place(native, run_native):
    """Type, message, file and line of the submission's own error, and what it printed."""
    body = "        print('about to fail')\n        raise KeyError('missing table')"

    with pytest.raises(SubmissionError, match=r"KeyError.*missing table.*toy\.py:\d+") as raised:
        run_native(native("predictor", uniform_with(body)), 100)
    assert "about to fail" in str(raised.value)


def test_a_crash_and_a_hang_end_as_a_dead_worker_with_its_last_words(native, run_native):
    """A killed process names its exit; a hang ends at the time limit, not later."""
    crash = "        print('last words', flush=True)\n        os.abort()"
    with pytest.raises(WorkerDied, match=r"ended \(exit -6\)") as raised:
        run_native(native("predictor", uniform_with(crash), "crashes"), 100)
    assert "last words" in raised.value.log_tail

    hang = "        print('sleeps at', time.monotonic())\n        time.sleep(600)"
    with pytest.raises(WorkerDied, match="gave no answer within its 4 s") as raised:
        run_native(native("predictor", uniform_with(hang), "hangs"), 100, time_limit_s=4.0)
    slept_at = float(raised.value.log_tail.partition("sleeps at")[2])
    assert time.monotonic() - slept_at < 8


def test_a_worker_that_died_takes_its_children_with_it(native, run_native):
    """Nothing that a submission started outlives its run, also when the worker itself is gone."""
    word = f"300.{os.getpid()}"  # in the command line of the child
    body = f"""
        import subprocess
        subprocess.Popen(["sleep", "{word}"])
        print("started")
        os._exit(3)
"""
    with pytest.raises(WorkerDied, match="exit 3") as raised:
        run_native(native("predictor", uniform_with(body)), 100)

    assert "started" in raised.value.log_tail
    assert [line for line in processes_named(word) if "sleep" in line] == []


def test_printing_does_no_harm(native, run_native, judged):
    """stdout and stderr are not the channel: nonsense, JSON and megabytes go to the log."""
    body = """
        import sys
        print('{"op": "rows", "fields": {}, "arrays": {}}')
        print("x" * 200_000, file=sys.stderr)
        sys.stdout.buffer.write(bytes(range(256)))
        return self.rows(windows, scored)
"""
    run = run_native(native("predictor", uniform_with(body)), 100)

    assert {status.status for status in judged(run).values()} == {Status.PASS}


GARBAGE = {
    "text": b"hello, referee\n" * 4,
    "a huge length": b"\xff\xff\xff\xff",
    "an empty message": b"\x00\x00\x00\x00",
    "forged rows without rows": b'\x00\x00\x00\x2c{"op": "rows", "fields": {}, "arrays": {}      }',
    "forged rows of another kind": b'\x00\x00\x00\x41{"op":"rows","fields":{},"arrays":'
    b'{"rows":{"dtype":"object"}}     }',
}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
def test_garbage_on_the_channel_is_the_submissions_error(native, run_native, garbage):
    """A submission that finds the descriptor and writes on it is told so; the harness goes on."""
    body = f"""
        import sys
        os.write(int(sys.argv[1]), {garbage!r})
        return self.rows(windows, scored)
"""
    with pytest.raises(SubmissionError):
        run_native(native("predictor", uniform_with(body)), 100)


def test_a_predictor_over_another_alphabet_is_refused(native, run_native):
    """512 entries against a tokenizer of 1,024: an error with a cure, before any score."""
    code = uniform_with("        pass").replace("self.vocab_size = 1024", "self.vocab_size = 512")

    with pytest.raises(ContractError, match=r"512 entries.*1024.*--data"):
        run_native(native("predictor", code), 100)


FACTORIES = {
    "no such factory": ("x = 1", "defines no 'build'"),
    "a syntax error": ("def build(:", "SyntaxError"),
    "a failing import": ("import no_such_module_anywhere", "no_such_module_anywhere"),
    "an exit at import": ("import sys; sys.exit(0)", "ended"),
}


@pytest.mark.parametrize(("code", "message"), FACTORIES.values(), ids=FACTORIES)
def test_a_file_that_cannot_be_loaded_is_the_submissions_error(native, run_native, code, message):
    """Whatever the file does instead of defining its factory, the message names it."""
    with pytest.raises(SubmissionError, match=message):
        run_native(native("predictor", code), 100)


def test_the_worker_sees_only_what_was_counted(native, run_native):
    """The worker's folder holds code and manifest; a data file beside them, and one behind a link,
    are not there to read.
    """
    body = "        raise RuntimeError(sorted(os.listdir()))"
    folder = native("predictor", uniform_with(body))
    (folder / "table.npy").write_bytes(b"not counted")
    (folder / "elsewhere.py").symlink_to(__file__)

    with pytest.raises(SubmissionError, match=r"\['submission.json', 'toy.py'\]"):
        run_native(folder, 100)


def test_the_worker_reads_no_validation_text_and_writes_nothing_of_ours(
    native, run_native, data_folder
):
    """Artifact and tokenizer lie alone in their folders and cannot be changed; no other file of the
    machine is there, no other process, no way out by the network.
    """
    body = f"""
        import socket
        given = (self.context.artifact, self.context.tokenizer)
        found = [os.listdir(path.parent) for path in given]
        found.append(os.path.exists({str(data_folder.root)!r}))
        for path in (*given, "/proc/1/mem", __import__("harness").__file__, "/usr/made"):
            try:
                found.append(open(path, "ab").name)
            except OSError:
                pass
        try:
            socket.create_connection(("192.0.2.1", 9), timeout=1)  # of documentation: nobody's
        except OSError as error:
            found.append(error.errno in (101, 113))
        raise RuntimeError(found, sorted(p for p in os.listdir("/proc") if p.isdigit()))
"""
    code = uniform_with(body).replace("self.w =", "self.context = context; self.w =")
    alone = r"\['artifact.bin'\], \['tokenizer.model'\]"
    with pytest.raises(SubmissionError, match=alone + r", False, True\], \['2'\]"):
        run_native(native("predictor", code), 100)


def test_a_worker_takes_the_channel_away_from_nobody(native, run_native):
    """Shared memory keeps its size: shrinking it is refused, and the referee reads on."""
    body = """
        for descriptor in map(int, __import__("sys").argv[2:4]):
            for size in (0, 1 << 40):
                try:
                    os.ftruncate(descriptor, size)
                except OSError:
                    continue
                raise SystemExit
        return self.rows(windows, scored)
"""
    assert run_native(native("predictor", uniform_with(body)), 100).complete


def test_a_predictor_starts_in_whole_isolation_or_not_at_all(native, run_native, monkeypatch):
    """The machine is named as the cause, and the way to accept less as the cure."""
    monkeypatch.setattr(process, "Confinement", partial(Confinement, binds={"/": "x"}))
    with pytest.raises(SandboxError, match="never started"):
        run_native(native("predictor", uniform_with("        pass")), 100)


def test_the_worker_inherits_no_secrets(native, run_native, monkeypatch):
    """The environment is a short list; a token of the caller's is not in it."""
    monkeypatch.setenv("CALLERS_SECRET", "hunter2")
    body = "        raise RuntimeError('CALLERS_SECRET' in os.environ)"

    with pytest.raises(SubmissionError, match="RuntimeError: False"):
        run_native(native("predictor", uniform_with(body)), 100)


def test_a_broken_run_keeps_its_evidence(native, run_native, tmp_path):
    """Half-way through, the ledger's file already holds every score, and scores.npz follows."""
    body = """
        self.seen += 1
        if self.seen > 5:
            raise RuntimeError("half-way")
        return self.rows(windows, scored)
"""
    kept: list[Run] = []
    with pytest.raises(SubmissionError, match="half-way"):
        run_native(native("predictor", uniform_with(body)), into=kept)
    (run,) = kept
    lines = [json.loads(line) for line in run.ledger.path.read_text().splitlines()]

    assert not run.complete
    assert [line["event"] for line in lines].count("SCORE") == len(run.ledger.scores) > 0
    assert Path(run.ledger.path).with_name("scores.npz").exists()
