"""What a run left was made by the script: reading it ends, within bounds, and what cannot be read
is said and convicts nobody.
"""

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from audits.facts.documented.printed_scores import (
    MOST_NUMBERS,
    headline,
    most_telling,
    printed_numbers,
)
from audits.rules import CHECKS
from harness import evaluate
from harness.evaluation import Examination
from harness.protocol import schema
from harness.protocol.job import Job, Outcome, RunState
from harness.streams.stream import Stream
from harness.trace import script_run, work_done
from harness.trace.printed_log import HEAD_BYTES, TAIL_BYTES, read_log
from harness.trace.script_run import ScriptRun, read_run

TOKENS = 64
LOG = "final_exact val_loss:3.25000000 val_bpb:1.50000000\n"
LINES = {
    "one word": "a" * 1_990,
    "one name": "loss" * 480,
    "one bracket": "[" * 1_900 + " val_loss:3.2",
    "one number": "1" * 1_990,
    "many numbers": "1.1" * 660,
    "spaces": "val_loss" + " " * 1_980,
    "spaces behind a number": "1.1" + " " * 1_900 + "bits",
    "slashes": "val_loss:1.0 " + "1 / " * 450,
    "zeros": "a" * 900 + " 0" * 500 + "/0",
}


@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
def test_a_line_takes_a_time_in_proportion_to_its_length(line: str) -> None:
    """Six thousand long lines are read in seconds."""
    log = f"{line}\n" * 100 + LOG
    started = time.process_time()
    numbers = printed_numbers(log)
    assert list(work_done._idle(log)) is not None
    assert time.process_time() - started < 3.0
    found = headline(numbers)
    assert found is not None and found.bits_per_byte == 1.5


def test_a_number_that_no_float_can_be_is_no_score() -> None:
    """What broke down prints nan or inf, and these are."""
    many = "9" * 900
    log = f"{LOG}note val_loss:1.0e400\nnote val_loss:1.0e{many}\nsmall val_loss:1.0e-{many}\n"
    numbers = printed_numbers(log)
    assert [number.nats_per_token for number in numbers] == [3.25, 0.0]
    (broken,) = printed_numbers("final val_loss:nan val_bpb:inf\n")
    assert broken.nats_per_token is not None and np.isnan(broken.nats_per_token)


def test_of_many_numbers_the_likeliest_are_kept() -> None:
    """In the order of the log, the headline among them."""
    log = LOG + "".join(f"step {i} val_loss:4.5 val_bpb:2.5\n" for i in range(5 * MOST_NUMBERS))
    numbers = printed_numbers(log)
    kept = most_telling(numbers, headline(numbers))
    assert len(kept) == MOST_NUMBERS and kept[0] is numbers[0] and kept[-1] is numbers[-1]


def test_a_long_log_is_read_at_both_ends(tmp_path: Path) -> None:
    """Lines keep their numbers."""
    path = tmp_path / "output.log"
    line = b"x" * 99 + b"\n"
    path.write_bytes(b"first\n" + line * ((HEAD_BYTES + 2 * TAIL_BYTES) // 100) + LOG.encode())
    text = read_log(path)
    assert len(text) < HEAD_BYTES + TAIL_BYTES + (1 << 20) and text.startswith("first\n")
    assert text.count("\n") == path.read_bytes().count(b"\n") and text.endswith(LOG)


# -------------------------------------------------------------------------------------------------
# captures that no recorder of ours wrote


def _write(
    path: Path, columns: dict[str, list[object]], like: pa.Schema, codec: str | None
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    batch = pa.record_batch([pa.array(columns[n], like.field(n).type) for n in like.names], like)
    with pa.ipc.new_stream(path, like, options=pa.ipc.IpcWriteOptions(compression=codec)) as file:
        file.write_batch(batch)


def _scores(position: int, event: int = 0, nats: float | None = 3.25) -> dict[str, list[object]]:
    return {
        "event": [event],
        "position": [position],
        "target": [1],
        "nats": [nats],
        "weight": [1.0],
    }


def _other_columns(out: Path) -> None:
    _write(out / "events.arrow", {"a": [1]}, pa.schema([("a", pa.int64())]), None)


def _compressed(out: Path) -> None:
    n = 1_000_000
    names = ("event", "position", "target", "nats", "weight")
    columns = {name: [0.0] * n if name in ("nats", "weight") else [0] * n for name in names}
    _write(out / "scores.arrow", columns, schema.SCORES, "zstd")


def _beyond(out: Path) -> None:
    _write(out / "scores.arrow", _scores(TOKENS), schema.SCORES, None)


def _of_no_event(out: Path) -> None:
    _write(out / "scores.arrow", _scores(1, event=-5), schema.SCORES, None)


def _holes(out: Path) -> None:
    _write(out / "scores.arrow", _scores(1, nats=None), schema.SCORES, None)


def _gaps(out: Path) -> None:
    plain = {pa.string(): "", pa.bool_(): False}
    row = {f.name: [plain.get(f.type, 0)] for f in schema.EVENTS}
    _write(out / "events.arrow", row | {"event": [7], "kind": ["sum"]}, schema.EVENTS, None)


BROKEN: dict[str, tuple[Callable[[Path], None], str]] = {
    "other columns": (_other_columns, "other columns than the recorder's"),
    "compressed": (_compressed, "opens to more than its own length"),
    "beyond the stream": (_beyond, "positions beyond the stream"),
    "of no event": (_of_no_event, "of no event"),
    "holes": (_holes, "nats has no value in some rows"),
    "gaps": (_gaps, "numbers have gaps"),
}


def _read(out: Path) -> ScriptRun:
    out.joinpath("output.log").write_text(LOG)
    job = Job(stage=out, script="train_gpt.py", stream=out / "stream.npy", out=out)
    stream = Stream(np.arange(TOKENS, dtype=np.int64), np.zeros(1, np.int64))
    return read_run(job, Outcome(RunState.ENDED, 1.0), stream, np.ones(TOKENS, np.int64))


@pytest.mark.parametrize(("break_it", "why"), BROKEN.values(), ids=BROKEN)
def test_a_capture_that_is_not_ours_says_nothing(
    break_it: Callable[[Path], None], why: str, tmp_path: Path
) -> None:
    """What was printed is read all the same."""
    break_it(tmp_path / "rank0")
    run = _read(tmp_path)
    assert run.headline is not None and run.headline.nats_per_token == 3.25
    assert not run.passes and not len(run.capture.kind)
    assert len(run.faults) == 1 and why in run.faults[0]


@pytest.mark.parametrize("name", ["load", "printed_numbers"])
def test_what_ends_the_reader_ends_nothing_else(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Be it at the log or at the capture: the other one is read."""
    real, parent = getattr(script_run, name), os.getpid()

    def dying(*given: object) -> object:
        if os.getpid() != parent:
            os.kill(os.getpid(), signal.SIGSEGV)
        return real(*given)

    monkeypatch.setattr(script_run, name, dying)
    run = _read(tmp_path)
    assert any("killed by SIGSEGV" in fault for fault in run.faults)
    assert (run.headline is None) == (name == "printed_numbers")


def test_an_error_of_ours_half_way_leaves_a_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes up behind the report, unless a violation had been proved: that stays."""

    def broken(_: Examination) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(Examination, "run", broken)
    script = tmp_path / "train_gpt.py"
    script.write_text(CHECKS["ORDER-2"].valid[0])
    with pytest.raises(ZeroDivisionError, match="a bug"):
        evaluate(script, out=tmp_path / "legal")
    report = json.loads((tmp_path / "legal" / "report.json").read_text())
    assert report["verdict"] == "UNRUNNABLE" and "fault of scorefirst" in report["cure"]
    assert "ZeroDivisionError: a bug) during drive" in report["failure"]
    assert (tmp_path / "legal" / "report.md").exists()
    script.write_text(CHECKS["ORDER-2"].invalid[0])
    assert evaluate(script, out=tmp_path / "illegal").verdict == "VIOLATION"
