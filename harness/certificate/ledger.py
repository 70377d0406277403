"""The ledger of a whole evaluation on disk: Parquet, one row a score that counted.

    DIR/events.parquet          one row an event of all ranks, in the order of the clock
    DIR/uses.parquet            one row a run of positions that a gradient was taken of
    DIR/rows.parquet            one row a whole distribution, at a few positions
    DIR/scores-000000.parquet   one row a score, at most `PART` a file; as many files as are needed

Guarantees: a file is there whole or not at all, so that what a killed run left is read up to there;
memory follows `PART` and the number of events, not that of scores; what is read has the columns of
`SCORES` and `schema`. Does not cover: whether what it says is true, and who wrote it (hashes).
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from harness.protocol import schema
from harness.trace.reader import Capture, Column, KeptRows

PART = 1 << 20  # scores of one file: some 8 MB on disk, 40 in memory
SCORES = pa.schema(
    [
        ("event", pa.int64()),  # the `sum` that counted it, a row number of the events
        ("position", pa.int32()),  # in the validation stream, of the token that was predicted
        ("target", pa.int32()),
        ("nats", pa.float64()),
        ("weight", pa.float64()),  # in the printed mean
        ("n_bytes", pa.int32()),  # canonical, of the target behind its predecessor
    ]
)
EVENTS = pa.schema([*(f for f in schema.EVENTS if f.name != "event"), ("rank", pa.int64())])
# Neighbours differ by little; a float32 that became a float64 has four bytes that are zero.
ENCODINGS = {
    "event": "DELTA_BINARY_PACKED",
    "position": "DELTA_BINARY_PACKED",
    "nats": "BYTE_STREAM_SPLIT",
}
REPEATED = ["target", "weight", "n_bytes"]  # few different values


class BrokenLedger(ValueError):
    """The files are no ledger; the text says which and why."""


class LedgerWriter:
    """Writes a ledger into a folder that holds none."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._parts = 0
        self._held: list[pa.Table] = []

    def events(self, capture: Capture) -> None:
        """All but the scores: first, since scores point at it."""
        columns = {name: getattr(capture, name) for name in EVENTS.names}
        self._write("events", pa.table(columns, EVENTS))
        uses = capture.use_event, capture.start, capture.stop
        self._write("uses", pa.table([*uses], schema.USES))
        rows = capture.rows
        kept = rows.event, rows.position, rows.target, [*rows.log_p]
        self._write("rows", pa.table([*kept], schema.ROWS))

    def scores(self, columns: Mapping[str, Column]) -> None:
        """Some more, in any order."""
        self._held.append(pa.table(dict(columns), SCORES))
        while sum(table.num_rows for table in self._held) >= PART:
            held = pa.concat_tables(self._held)
            self._write_part(held.slice(0, PART))
            self._held = [held.slice(PART)]

    def close(self) -> None:
        """What is left."""
        held, self._held = pa.concat_tables([SCORES.empty_table(), *self._held]), []
        if held.num_rows:
            self._write_part(held)

    def _write_part(self, table: pa.Table) -> None:
        how = {"column_encoding": ENCODINGS, "use_dictionary": REPEATED}
        self._write(f"scores-{self._parts:06d}", table, **how)
        self._parts += 1

    def _write(self, name: str, table: pa.Table, **how: Any) -> None:
        path, new = self._folder / f"{name}.parquet", self._folder / f".{name}.new"
        pq.write_table(table, new, compression="zstd", **how)
        os.replace(new, path)


@dataclass(frozen=True, eq=False)
class Ledger:
    """A ledger that lies in a folder."""

    folder: Path

    @property
    def files(self) -> list[Path]:
        """All of it, in a fixed order."""
        return sorted(self.folder.glob("*.parquet"))

    @property
    def n_bytes(self) -> int:
        """On disk."""
        return sum(path.stat().st_size for path in self.files)

    def capture(self) -> Capture:
        """Everything but the scores. Raises BrokenLedger."""
        events = self._whole("events", EVENTS)
        uses, rows = self._whole("uses", schema.USES), self._whole("rows", schema.ROWS)
        for name, table in (("uses", uses), ("rows", rows)):
            _require(name, table["event"], len(events["kind"]))
        _require("events", events["loss"] + 1, len(events["kind"]) + 1)
        none = {name: np.empty(0, np.int64) for name in _SCORE_FIELDS}
        return Capture(
            **events,
            **none,
            use_event=uses["event"],
            start=uses["start"],
            stop=uses["stop"],
            rows=KeptRows(**rows),
        )

    def scores(self, n_events: int, names: Sequence[str] = SCORES.names) -> Iterator[Any]:
        """Columns of `SCORES`, part by part. Raises BrokenLedger."""
        for path in sorted(self.folder.glob("scores-*.parquet")):
            columns = _columns(path, SCORES, names)
            _require(path.name, columns["event"], n_events)
            yield columns

    def _whole(self, name: str, wanted: pa.Schema) -> dict[str, Column]:
        return _columns(self.folder / f"{name}.parquet", wanted, wanted.names)


_SCORE_FIELDS = ("score_event", "position", "target", "nats", "weight")
assert set(_SCORE_FIELDS) <= {field.name for field in fields(Capture)}


def _columns(path: Path, wanted: pa.Schema, names: Sequence[str]) -> dict[str, Column]:
    try:
        # `use_threads`: the reader is a child of a fork, where Arrow's own threads are gone.
        table = pq.ParquetFile(path).read([*names], use_threads=False)
    except (OSError, pa.ArrowException) as error:
        raise BrokenLedger(f"{path.name}: cannot be read ({error})") from error
    expected = pa.schema([wanted.field(name) for name in names])
    if not table.schema.equals(expected):
        raise BrokenLedger(f"{path.name}: other columns than a ledger's")
    if any(table[name].null_count for name in names):
        raise BrokenLedger(f"{path.name}: holes in its columns")
    return {name: np.asarray(table[name].to_numpy()) for name in names}


def _require(name: str, events: Column, count: int) -> None:
    if len(events) and not (events.min() >= 0 and events.max() < count):
        raise BrokenLedger(f"{name}: of events that there are not")
