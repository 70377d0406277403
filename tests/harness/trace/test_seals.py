"""What left the process when it was recorded is what is read later, or nothing is."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from harness.inside.hooks.recording.sites import Site
from harness.inside.hooks.recording.writer import AnswerWriter, Writer
from harness.protocol import schema
from harness.protocol.schema import EventKind
from harness.protocol.seals import RECORD, Sealed, Seals
from harness.trace.reader import TouchedCapture, load, load_answers

Change = Callable[[pa.Table], pa.Table]


def _recorded(out: Path, end: Callable[[Writer], object] = Writer.close) -> None:
    """Two printed lines, with a score behind each, and what is kept of the second alone."""
    reading, writing = os.pipe()
    writer = Writer(out / "rank0", Seals(writing))
    for step in range(2):
        loss = writer.event(EventKind.LOSS, Site("train_gpt.py:3", "f"), weights=1 << 63, tokens=2)
        places = np.array([1 + step, 2 + step])
        nats = np.array([1.5, float(step)])
        writer.scores(loss, places, places, nats, np.ones(2))
        writer.uses(loss, np.array([[0, 2]], np.int32))
        writer.row(loss, 1, 3, np.zeros(4, np.float32))
        writer.event(EventKind.PRINT, Site("train_gpt.py:4", "f"), text="a \udcff line 1.5")
        writer.flush() if step == 0 else end(writer)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        (out / "seals0").write_bytes(pipe.read())


def _rewrite(file: Path, change: Change) -> None:
    table = change(pa.ipc.open_stream(file.read_bytes()).read_all())
    with pa.ipc.new_stream(file, table.schema) as stream:
        stream.write_table(table)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # left open
def test_what_was_recorded_is_read(tmp_path: Path) -> None:
    """With every kind of row, and texts that UTF-8 has no bytes for; so is what a process that was
    killed had written, without what it still held.
    """
    _recorded(tmp_path / "whole")
    assert len(load(tmp_path / "whole").nats) == 4
    _recorded(tmp_path / "killed", end=lambda writer: None)
    assert len(load(tmp_path / "killed").nats) == 2


@pytest.mark.parametrize(
    ("stream", "change"),
    [
        ("scores", lambda t: t.set_column(3, t.schema.field(3), pa.array([0.5, 0.0, 1.5, 1.0]))),
        ("scores", lambda t: t.slice(0, 3)),
        ("scores", lambda t: pa.concat_tables([t, t.slice(0, 1)])),
        ("uses", lambda t: t.slice(0, 1)),
        ("uses", lambda t: schema.USES.empty_table()),
        ("events", lambda t: t.slice(0, 3)),
        ("rows", lambda t: t.slice(0, 1)),
    ],
    ids=["a score", "without the last", "one more", "a use", "no use", "an event", "a row"],
)
def test_what_is_changed_on_disk_is_not_believed(
    tmp_path: Path, stream: str, change: Change
) -> None:
    """Whatever stream it is in."""
    _recorded(tmp_path)
    _rewrite(tmp_path / "rank0" / f"{stream}.arrow", change)
    with pytest.raises(TouchedCapture, match=f"rank0, {stream}"):
        load(tmp_path)


def test_what_is_changed_in_memory_is_not_believed(tmp_path: Path) -> None:
    """Before it was written, found as a script would find it."""

    def halve(writer: Writer) -> None:
        for block in writer._scores:
            block[3][...] /= 2
        writer.close()

    _recorded(tmp_path, end=halve)
    with pytest.raises(TouchedCapture, match=r"scores: rows 2 to 4 are not those"):
        load(tmp_path)


def test_answers_to_re_queries_are_those_that_were_given(tmp_path: Path) -> None:
    """Each has its sum; a mass that is made up later is not believed."""
    reading, writing = os.pipe()
    (tmp_path / "rank0").mkdir()
    writer = AnswerWriter(tmp_path / "rank0", Seals(writing))
    for token in (3, 4):
        writer.answer(7, token, np.float64(1.25), 0.5, token == 3, np.full((1, 4), 0.1))
    writer.close()
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        (tmp_path / "seals0").write_bytes(pipe.read())
    assert [*load_answers(tmp_path)["token"]] == [3, 4]
    _rewrite(tmp_path / "rank0" / "answers.arrow", lambda t: pa.concat_tables([t, t]))
    with pytest.raises(TouchedCapture, match="answers: 2 rows were put in"):
        load_answers(tmp_path)


@pytest.mark.parametrize("put_in", [b"x", RECORD.pack(77, 0, 0), RECORD.pack(Sealed.USES, 1, 0)])
def test_what_is_no_sum_or_comes_behind_the_end_is_not_believed(
    tmp_path: Path, put_in: bytes
) -> None:
    """A script may find the descriptor; nothing that it adds makes its own rows fit."""
    _recorded(tmp_path)
    with (tmp_path / "seals0").open("ab") as file:
        file.write(put_in)
    with pytest.raises(TouchedCapture):
        load(tmp_path)
