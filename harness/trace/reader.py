"""Loads a capture: the columns of one rank, or of all ranks in the order of the clock.

A stream that ends in the middle of a batch (a killed process) is read up to the batch before.
Guarantees: columns are those of `schema`, whole, uncompressed, what they point at is there, and
they are the rows whose sums left the process when they were recorded, or BrokenCapture is raised.
Does not cover: whether what they say is true.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from harness.arrays import Ints
from harness.protocol import schema
from harness.protocol.asked import AskedSetting, Way
from harness.protocol.schema import EventKind
from harness.protocol.seals import Received, Sealed

Column = npt.NDArray[Any]
MAY_BE_NULL = frozenset({"default"})  # columns


TOUCHED = "what was recorded is not what is there"
TAKEN_OFF = "a part of the recorder was taken off"


class BrokenCapture(ValueError):
    """The files are none that our recorder writes; the text says which and why."""


class TouchedCapture(BrokenCapture):
    """Rows are not those whose sums had left the process when they were recorded."""


@dataclass(frozen=True, eq=False)
class KeptRows:
    """Whole distributions, at a few positions; n rows, a position may come more than once."""

    event: Column  # (n,) int64, the `loss` that fixed the score; sorted
    position: Column  # (n,) int32
    target: Column  # (n,) int32, the entry that was picked
    log_p: Column  # (n,) of (V,) float32, nats


@dataclass(frozen=True, eq=False)
class Capture:
    """Columns of `schema`, as numpy arrays. Event numbers are row numbers of the event columns."""

    at_s: Column  # (E,) float64
    rank: Column  # (E,) int64
    kind: Column  # (E,) str, an `EventKind`
    site: Column  # (E,) str
    function: Column  # (E,) str
    inference_mode: Column  # (E,) bool
    grad_mode: Column  # (E,) bool
    weights: Column  # (E,) uint64
    text: Column  # (E,) str
    # (E,) int32, positions of a `loss` or `backward`, numbers of an `exchange`, else 0
    tokens: Column
    loss: Column  # (E,) int64, for a `sum`: the `loss` event its numbers come from, else -1
    softmax_width: Column  # (E,) int32, entries of the softmax that a `sum` is of, else 0
    read_out: Column  # (E,) bool, a `sum` of numbers that left torch or numpy
    transient: Column  # (E,) bool, a `step` of no Parameter
    silent: Column  # (E,) int32, of a `loss`: trainable tensors that are zero as a whole
    score_event: Column  # (S,) int64, sorted
    position: Column  # (S,) int32
    target: Column  # (S,) int32
    nats: Column  # (S,) float64
    weight: Column  # (S,) float64
    use_event: Column  # (U,) int64, sorted
    start: Column  # (U,) int32
    stop: Column  # (U,) int32

    rows: "KeptRows"

    @cached_property
    def printed_at(self) -> Mapping[str, int]:
        """The last event that printed a line, by the line."""
        prints = self.events(EventKind.PRINT)
        return {str(self.text[event]).strip(): int(event) for event in prints}

    def events(self, *kinds: EventKind) -> Ints:
        """Numbers of the events of some kinds."""
        return np.flatnonzero(np.isin(self.kind, kinds))

    @cached_property
    def counter(self) -> Ints:
        """(E,) what a `sum` was added up by, by number: a line; apart from it, what it read out."""
        return np.unique(self.site.astype(np.str_), return_inverse=True)[1] * 2 + self.read_out

    @property
    def errors(self) -> list[str]:
        """Failures of the capture itself; not empty: it is incomplete."""
        return [*self.unhooked, *(str(t) for t in self.text[self.events(EventKind.ERROR)])]

    @property
    def unhooked(self) -> list[str]:
        """Parts of the recorder that were not there any more at the end."""
        return [f"{TAKEN_OFF}: {t}" for t in self.text[self.events(EventKind.UNHOOKED)]]


def load(out: Path, stream_length: int | None = None) -> Capture:
    """All ranks of a run, merged by time. Raises BrokenCapture; `stream_length`: of the stream that
    positions are of.
    """
    ranks = _ranks(out)
    tables = [[_read(r / f"{n}.arrow", s) for n, s in _STREAMS] for r in ranks]
    for rank, table in zip(ranks, tables, strict=True):
        _require_whole(rank.name, table, stream_length)
        _require_untouched(rank, dict(zip(_SEALED, table, strict=True)))
    return _merged(tables, _numbering(tables))


@dataclass(frozen=True, eq=False)
class OpenedCapture:
    """A capture whose scores are read batch by batch, however many there are."""

    capture: Capture  # all but the scores
    ranks: Sequence[Path]
    numbering: "Numbering"
    stream_length: int

    def scores(self) -> Iterator[dict[str, Column]]:
        """Columns of `schema.SCORES`, rank after rank, events in the merged numbering; what was
        added up as it was recorded, also log-probabilities. Raises BrokenCapture.
        """
        for number, rank in enumerate(self.ranks):
            yield from self._of_rank(number, rank)

    def _of_rank(self, number: int, rank: Path) -> Iterator[dict[str, Column]]:
        received = _received(rank)
        following = None if received is None else received.following(Sealed.SCORES)
        for columns in _columns(rank / "scores.arrow", schema.SCORES):
            if following and (wrong := following.misfit([*columns.values()])):
                raise TouchedCapture(f"{TOUCHED}: {rank.name}, scores: {wrong}")
            _require_placed(rank.name, "scores", columns, self.stream_length)
            yield self.numbering.renumbered(number, columns)
        if following and (wrong := following.missing()):
            raise TouchedCapture(f"{TOUCHED}: {rank.name}, scores: {wrong}")


def open_capture(out: Path, stream_length: int) -> OpenedCapture:
    """The same run without its scores, which need not fit into memory. Raises BrokenCapture."""
    ranks, nothing = _ranks(out), _empty(schema.SCORES)
    tables = [
        [nothing if n == "scores" else _read(r / f"{n}.arrow", s) for n, s in _STREAMS]
        for r in ranks
    ]
    for rank, table in zip(ranks, tables, strict=True):
        _require_whole(rank.name, table, stream_length)
        sealed = dict(zip(_SEALED, table, strict=True))
        del sealed[Sealed.SCORES]
        _require_untouched(rank, sealed)
    numbering = _numbering(tables)
    return OpenedCapture(_merged(tables, numbering), ranks, numbering, stream_length)


def _ranks(out: Path) -> list[Path]:
    """Where each recorded; where nothing was, a place with nothing."""
    ranks = sorted(out.glob("rank*"), key=lambda p: int(p.name.removeprefix("rank")))
    return ranks or [out / "rank0"]


@dataclass(frozen=True, eq=False)
class Numbering:
    """From the events of each rank to those of all, in the order of the clock."""

    order: Column  # (E,) rows of all ranks, one rank after the other, by time
    place: Column  # (E,) the inverse: the merged number of such a row
    starts: Column  # (ranks,) its first row
    counts: Column  # (ranks,) its events

    def renumbered(self, rank: int, columns: dict[str, Column]) -> dict[str, Column]:
        """Rows of a rank; those whose event was not written any more are dropped."""
        known = columns["event"] < self.counts[rank]
        if not known.all():
            columns = {name: column[known] for name, column in columns.items()}
        return columns | {"event": self.place[columns["event"] + self.starts[rank]]}


def _numbering(tables: Any) -> Numbering:
    counts = np.array([len(t[0]["event"]) for t in tables], np.int64)
    at_s = np.concatenate([np.asarray(t[0]["at_s"], np.float64) for t in tables])
    order = np.argsort(at_s, kind="stable")
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.int64)
    return Numbering(order, place, starts, counts)


def _merged(tables: Any, numbering: Numbering) -> Capture:
    order, place, starts = numbering.order, numbering.place, numbering.starts
    events = {n: _joined(tables, 0, n)[order] for n in schema.EVENTS.names}
    events["rank"] = np.repeat(np.arange(len(tables)), numbering.counts)[order]
    events["loss"] = _losses(events["loss"], events["rank"], place, starts)
    scores = _numbered(tables, 1, schema.SCORES, place, starts)
    counted = events["kind"][scores["event"]] != EventKind.VALUE
    owner = scores["event"][counted]
    read_out = np.where(events["read_out"][owner].astype(bool), "read out", "")
    sites = np.char.add(events["site"][owner].astype(np.str_), read_out)
    scores["nats"] = scores["nats"].copy()
    scores["nats"][counted] = _as_nats(scores["nats"][counted], sites)
    uses = _numbered(tables, 2, schema.USES, place, starts)
    return Capture(
        **{k: v for k, v in events.items() if k != "event"},
        score_event=scores.pop("event"),
        **scores,
        use_event=uses.pop("event"),
        **uses,
        rows=KeptRows(**_numbered(tables, 3, schema.ROWS, place, starts)),
    )


def load_answers(out: Path) -> dict[str, Column]:
    """Columns of `schema.ANSWERS`; empty where nothing was re-queried. Raises BrokenCapture."""
    rank = out / "rank0"
    columns = _read(rank / "answers.arrow", schema.ANSWERS)
    _require_untouched(rank, {Sealed.ANSWERS: columns})
    return columns


def load_asked(out: Path) -> tuple[AskedSetting, ...]:
    """Settings that the script asked for, each once: with its default, where one came."""
    rows: dict[str, AskedSetting] = {}
    for rank in sorted(out.glob("rank*")):
        columns = _read(rank / "asked.arrow", schema.ASKED)
        for name, way, default, site in zip(*columns.values(), strict=True):
            if name not in rows or rows[name].default is None:
                rows[name] = AskedSetting(name, Way(way), default, site)
    return tuple(rows.values())


_STREAMS = (
    *(("events", schema.EVENTS), ("scores", schema.SCORES)),
    *(("uses", schema.USES), ("rows", schema.ROWS)),
)


_SEALED = (Sealed.EVENTS, Sealed.SCORES, Sealed.USES, Sealed.ROWS)


def _require_whole(
    rank: str, table: Sequence[Mapping[str, Column]], stream_length: int | None
) -> None:
    """What one rank recorded points at events and positions that there are."""
    events, scores, uses, rows = table
    count = len(events["event"])
    most = np.inf if stream_length is None else stream_length
    _require(rank, "events", np.array_equal(events["event"], np.arange(count)), "numbers have gaps")
    _require(rank, "events", set(events["kind"]) <= set(EventKind), "kinds that there are not")
    _require(rank, "events", _within(events["loss"], -1, count), "sums of no event")
    _require(rank, "uses", _within(uses["event"], 0, np.inf), "of no event")
    for name, stream in (("scores", scores), ("rows", rows)):
        _require_placed(rank, name, stream, most)
    _require(rank, "uses", _within(uses["start"], 0, most), "positions beyond the stream")
    _require(rank, "uses", _within(uses["stop"], 0, most + 1), "positions beyond the stream")


def _require_placed(rank: str, name: str, stream: Mapping[str, Column], most: float) -> None:
    _require(rank, name, _within(stream["event"], 0, np.inf), "of no event")
    _require(rank, name, _within(stream["position"], -1, most), "positions beyond the stream")


def _require_untouched(rank: Path, streams: Mapping[Sealed, Mapping[str, Column]]) -> None:
    """Every row fits its sum; nothing is known where no supervisor kept sums."""
    received = _received(rank)
    if received is None:
        return
    for what, columns in streams.items():
        if wrong := received.misfit(what, [*columns.values()]):
            raise TouchedCapture(f"{TOUCHED}: {rank.name}, {what.name.lower()}: {wrong}")


def _received(rank: Path) -> Received | None:
    """The sums of one rank; None where nobody kept any."""
    kept = rank.parent / rank.name.replace("rank", "seals")
    if not kept.exists():
        return None
    received = Received.of(kept.read_bytes())
    if not received.whole:
        raise TouchedCapture(f"{TOUCHED}: {rank.name} sent what is no sum")
    return received


def _within(column: Column, least: float, below: float) -> bool:
    return not len(column) or bool(column.min() >= least and column.max() < below)


def _require(rank: str, name: str, well: bool, what: str) -> None:
    if not well:
        raise BrokenCapture(f"{rank}/{name}.arrow: {what}")


def _losses(loss: Column, rank: Column, place: Column, starts: Column) -> Column:
    """The loss behind each sum, in the merged numbering."""
    out = np.full(len(loss), -1, np.int64)
    known = loss >= 0
    out[known] = place[starts[rank[known]] + loss[known]]
    return out


def _as_nats(
    scores: Column,  # (S,) float64
    site: Column,  # (S,) str, the line that added each up, or read it out
) -> Column:
    """Log-probabilities turned round. They are oftener below zero than above, on every line that
    adds them up; nats are below zero only where a "probability" is above one, and zero where one
    was clipped at one.
    """
    lines, of = np.unique(site.astype(str), return_inverse=True)
    above, below = (np.bincount(of, side, len(lines)) for side in (scores > 0, scores < 0))
    return np.where((below > above)[of], -scores, scores)


def _joined(tables: Any, stream: int, name: str) -> Column:
    return np.concatenate([np.asarray(t[stream][name]) for t in tables])


def _numbered(
    tables: Any, stream: int, schema: pa.Schema, place: Column, starts: Column
) -> dict[str, Column]:
    """Columns of a stream with merged event numbers, sorted by them. A row whose event was not
    written any more is dropped.
    """
    columns = {n: _joined(tables, stream, n) for n in schema.names}
    rank = np.repeat(np.arange(len(tables)), [len(t[stream]["event"]) for t in tables])
    counts = np.diff(np.append(starts, len(place)))
    known = columns["event"] < counts[rank] if len(rank) else np.zeros(0, bool)
    columns = {n: c[known] for n, c in columns.items()}
    index = (columns["event"] + starts[rank[known]]).astype(np.int64)
    columns["event"] = place[index] if len(index) else index
    order = np.argsort(columns["event"], kind="stable")
    return {n: c[order] for n, c in columns.items()}


def _read(path: Path, schema: pa.Schema) -> dict[str, Column]:
    parts = [*_columns(path, schema)]
    if not parts:
        return _empty(schema)
    return {n: np.concatenate([part[n] for part in parts]) for n in schema.names}


def _empty(schema: pa.Schema) -> dict[str, Column]:
    table = pa.Table.from_batches([], schema)
    return {n: np.asarray(table[n].to_numpy()) for n in schema.names}


def _columns(path: Path, schema: pa.Schema) -> Iterator[dict[str, Column]]:
    """Batch by batch."""
    name = f"{path.parent.name}/{path.name}"
    left = path.stat().st_size if path.exists() else 0
    for batch in _batches(path, name, schema) if left else ():
        left -= batch.nbytes
        if left < 0:
            raise BrokenCapture(f"{name}: opens to more than its own length")
        table = pa.Table.from_batches([batch], schema)
        if holes := [n for n in schema.names if n not in MAY_BE_NULL and table[n].null_count]:
            raise BrokenCapture(f"{name}: {', '.join(holes)} has no value in some rows")
        yield {n: np.asarray(table[n].to_numpy()) for n in schema.names}


def _batches(path: Path, name: str, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """All whole ones."""
    options = pa.ipc.IpcReadOptions(use_threads=False)
    with path.open("rb") as file:
        try:
            reader = pa.ipc.open_stream(file, options=options)
            if not reader.schema.equals(schema):
                raise BrokenCapture(f"{name}: other columns than the recorder's")
            while True:
                yield reader.read_next_batch()
        except (StopIteration, pa.ArrowInvalid, OSError):
            return  # the end, or what a killed process left of it
