"""Writes four streams of `schema` while the script runs.

Rows are kept in columns and go to disk as one Arrow batch whenever a number is printed, and when
many have gathered: what is on disk is readable at any moment, however the process ends. Of every
row a sum leaves at once (`protocol.seals`). Only the process that opened the files writes (a forked
child is silent).
"""

import os
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from harness.inside.hooks.recording.sites import Site
from harness.protocol import schema
from harness.protocol.asked import AskedSetting
from harness.protocol.schema import EventKind
from harness.protocol.seals import Sealed, Seals, sum_of_answer, sum_of_block, sum_of_event

_STREAMS = {Sealed.SCORES: schema.SCORES, Sealed.USES: schema.USES}
ROWS_KEPT = 65_536  # rows of any stream that are held back before a batch is written


class Writer:
    """One rank's four files; without `seals`, nobody gets sums of them."""

    def __init__(self, folder: Path, seals: Seals | None = None) -> None:
        self._seals = seals
        self._lock = seals.lock if seals else threading.RLock()
        folder.mkdir(parents=True, exist_ok=True)
        self._pid = os.getpid()
        self._files = [
            (folder / f"{name}.arrow").open("wb", buffering=0)
            for name in ("events", "scores", "uses", "rows")
        ]
        schemas = (schema.EVENTS, schema.SCORES, schema.USES, schema.ROWS)
        self._streams = [
            pa.ipc.new_stream(file, schema)
            for file, schema in zip(self._files, schemas, strict=True)
        ]
        self._events: list[Any] = []  # row after row: a tuple each would wake Python's collector
        self._scores: list[tuple[npt.NDArray[Any], ...]] = []
        self._uses: list[tuple[npt.NDArray[Any], ...]] = []
        self._rows: list[tuple[int, int, int, npt.NDArray[np.float32]]] = []
        self._held = 0
        self._next = 0
        self.closed = False

    def event(
        self,
        kind: EventKind,
        site: Site,
        modes: tuple[bool, bool] = (False, False),  # inference mode, grad mode
        weights: int = 0,
        text: str = "",
        tokens: int = 0,
        loss: int = -1,
        softmax_width: int = 0,
        read_out: bool = False,
        transient: bool = False,
        silent: int = 0,
    ) -> int:
        """Notes an event, in the columns of `schema.EVENTS`, and returns its number."""
        with self._lock:
            number = self._next
            self._next += 1
            begin = number, time.monotonic(), kind, *site, *modes, weights, text, tokens
            row = (*begin, loss, softmax_width, read_out, transient, silent)
            if self._seals:
                self._seals.add(Sealed.EVENTS, 1, sum_of_event(row))
            self._events += row
            self._hold(1)
        return number

    def scores(
        self,
        event: int | npt.NDArray[np.int64],  # of all, or (n,) of each
        positions: npt.NDArray[np.int32],  # (n,)
        targets: npt.NDArray[np.int32],  # (n,)
        nats: npt.NDArray[np.float64],  # (n,)
        weights: npt.NDArray[np.float64],  # (n,)
    ) -> None:
        """The tokens of a `loss` or `sum` event."""
        column = np.full(len(positions), event, np.int64)
        self._keep(Sealed.SCORES, self._scores, (column, positions, targets, nats, weights))

    def uses(self, event: int, runs: npt.NDArray[np.int32]) -> None:
        """(n, 2) runs of positions [start, stop) of a `backward` event."""
        column = np.full(len(runs), event, np.int64)
        self._keep(Sealed.USES, self._uses, (column, runs[:, 0], runs[:, 1]))

    def row(
        self,
        event: int,
        position: int,
        target: int,
        log_p: npt.NDArray[np.float32],  # (V,) nats
    ) -> None:
        """The distribution that the score of one position was picked from."""
        with self._lock:
            if self._seals:
                ids = np.array([event], np.int64), *np.array([[position], [target]], np.int32)
                self._seals.add(Sealed.ROWS, 1, sum_of_block([*ids, log_p.astype(np.float32)]))
            self._rows.append((event, position, target, log_p))
            self._hold(len(log_p))

    def _keep(
        self, what: Sealed, kept: list[tuple[npt.NDArray[Any], ...]], rows: tuple[Any, ...]
    ) -> None:
        """A block of rows, in the types that are written."""
        wanted = _STREAMS[what]
        block = tuple(
            np.asarray(column, field.type.to_pandas_dtype())
            for column, field in zip(rows, wanted, strict=True)
        )
        with self._lock:
            if self._seals and len(block[0]):
                self._seals.add(what, len(block[0]), sum_of_block(block))
            kept.append(block)
            self._hold(len(block[0]))

    def _hold(self, rows: int) -> None:
        self._held += rows
        if self._held > ROWS_KEPT:
            self.flush()

    def flush(self) -> None:
        """Puts everything on disk."""
        if self.closed or os.getpid() != self._pid:
            return
        with self._lock:
            self._write_all()
            if self._seals:
                self._seals.add(Sealed.FLUSHED)

    def _write_all(self) -> None:
        events, scores, uses, rows_kept = self._streams
        if self._events:
            width = len(schema.EVENTS)
            _write(events, schema.EVENTS, [self._events[i::width] for i in range(width)])
        for stream, columns, rows in (
            (scores, schema.SCORES, self._scores),
            (uses, schema.USES, self._uses),
        ):
            if rows:
                _write(stream, columns, [np.concatenate(c) for c in zip(*rows, strict=True)])
        if self._rows:
            _write(rows_kept, schema.ROWS, list(zip(*self._rows, strict=True)))
        self._events, self._scores, self._uses, self._rows, self._held = [], [], [], [], 0

    def close(self) -> None:
        """Flushes and ends the streams."""
        if self.closed or os.getpid() != self._pid:
            return
        self.flush()
        self.closed = True
        for stream, file in zip(self._streams, self._files, strict=True):
            stream.close()
            file.close()
        if self._seals:
            self._seals.add(Sealed.CLOSED)


class AnswerWriter:
    """The answers to what was asked again."""

    def __init__(self, folder: Path, seals: Seals | None = None) -> None:
        self._seals = seals
        self._file = (folder / "answers.arrow").open("wb", buffering=0)
        self._stream = pa.ipc.new_stream(self._file, schema.ANSWERS)

    def answer(
        self,
        position: int,
        token: int,
        nats: float,
        before: float,
        used: bool,
        rows: npt.NDArray[np.float64],  # (r, V)
    ) -> None:
        """On disk at once: the run may be ended at any moment."""
        row = position, token, float(nats), float(before), used, rows.tolist()
        if self._seals:
            self._seals.add(Sealed.ANSWERS, 1, sum_of_answer(row))
        columns = [[one] for one in row]
        _write(self._stream, schema.ANSWERS, columns)

    def close(self) -> None:
        """Ends the stream."""
        self._stream.close()
        self._file.close()


class AskedWriter:
    """The settings that the script asked for."""

    def __init__(self, folder: Path) -> None:
        self._pid = os.getpid()
        self._file = (folder / "asked.arrow").open("wb", buffering=0)
        self._stream = pa.ipc.new_stream(self._file, schema.ASKED)

    def asked(self, one: AskedSetting) -> None:
        """On disk at once: the run may be ended at any moment. A forked child is silent."""
        if os.getpid() == self._pid:
            row = [[one.name], [one.way], [one.default], [one.site]]
            _write(self._stream, schema.ASKED, row)

    def close(self) -> None:
        """Ends the stream."""
        if os.getpid() == self._pid:
            self._stream.close()
            self._file.close()


def _write(stream: Any, schema: pa.Schema, columns: list[Any]) -> None:
    arrays = [pa.array(_said(c, f), type=f.type) for c, f in zip(columns, schema, strict=True)]
    stream.write_batch(pa.record_batch(arrays, schema=schema))


def _said(column: Any, field: pa.Field) -> Any:
    """Texts without what UTF-8 has no bytes for: the name of a file may hold any byte."""
    if not pa.types.is_string(field.type):
        return column
    return [text and text.encode(errors="backslashreplace").decode() for text in column]
