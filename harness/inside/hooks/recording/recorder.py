"""What the hooks share: position maps, the stream, the weights, and the events that they write.

A failure of the capture itself never reaches the script: it becomes an `error` event that names the
hook and the exception, and after three of them that hook is off. A capture with an `error` event is
incomplete, and the report must say so.
"""

import collections
import traceback
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from types import CodeType
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from harness.inside.hooks.dynamo_compat import to_numpy
from harness.inside.hooks.recording.device_queue import DeviceQueue, numbers_of, spread
from harness.inside.hooks.recording.identity_map import WeakIdentityMap, identity
from harness.inside.hooks.recording.kept_rows import KeptRows
from harness.inside.hooks.recording.kept_totals import LatestTotals, Total
from harness.inside.hooks.recording.kept_values import LineOfValues
from harness.inside.hooks.recording.listener import Listener
from harness.inside.hooks.recording.log_softmaxes import LogSoftmaxes
from harness.inside.hooks.recording.picked_rows import row_behind
from harness.inside.hooks.recording.position_maps import (
    UNRELATED,
    PositionMap,
    PositionMaps,
    Positions,
)
from harness.inside.hooks.recording.reading_clock import ReadingClock
from harness.inside.hooks.recording.sites import Site, Sites
from harness.inside.hooks.recording.unfinished import AwaitedTotal, Loop
from harness.inside.hooks.recording.weights import Weights
from harness.inside.hooks.recording.writer import Writer
from harness.protocol.schema import EventKind
from harness.protocol.seals import Seals
from harness.streams.alignment import Aligner, K

FAILURES_ALLOWED = 3  # of one hook
MOST_NATS = 1e7  # that one number may stand for
FEWEST_IDS = 64  # of an array or a tensor that is looked up where it is made, before anyone asks
INTEGERS = {torch.int64, torch.int32, torch.int16, torch.uint16}


class Recorder:
    """The state of one watched process."""

    def __init__(
        self,
        stream: npt.NDArray[np.int64],  # (T,)
        folder: Path,
        stage: Path,
        rows: tuple[int, ...] = (),  # positions whose whole distributions are kept
        seals: Seals | None = None,  # where sums of what is recorded go
    ) -> None:
        self.maps = PositionMaps()
        self.log_softmaxes = LogSoftmaxes()
        self.aligner = Aligner(stream)
        self.stream = np.ascontiguousarray(stream, dtype=np.int32)
        self.writer = Writer(folder, seals)
        self.rows = KeptRows(rows, len(stream), self.writer)
        self.sites = Sites(stage)
        self.weights = Weights()
        self.active = True
        self.compiled: Callable[[Any, str], CodeType] | None = None  # how the script is compiled
        self.failures: collections.Counter[str] = collections.Counter()
        self.miss = ""  # why plain numbers were not followed, last
        self._events = 0
        self._queue = DeviceQueue(self._scores)
        self.awaited: WeakIdentityMap[AwaitedTotal] = WeakIdentityMap()
        self.listener: Listener | None = None
        self._loop: Loop | None = None
        self.clock = ReadingClock(lambda ids: self.aligner.positions(ids))
        self._looked_at, self._fingerprint = -1, 0  # the weights, at which event
        self.totals = LatestTotals()
        self._kept_last: dict[LineOfValues, Total] = {}
        self._keeping: dict[LineOfValues, None] = {}  # lines with a run, in the order of its begin

    # -- events ---------------------------------------------------------------------------------

    def event(
        self,
        kind: EventKind,
        text: str = "",
        weights: int = 0,
        site: Site | None = None,
        tokens: int = 0,
        loss: int = -1,
        softmax_width: int = 0,
        read_out: bool = False,
        transient: bool = False,
        silent: int = 0,
    ) -> int:
        """Notes an event here and now, in the columns of `schema.EVENTS`."""
        self._close_loop()
        self._close_lines()
        modes = torch.is_inference_mode_enabled(), torch.is_grad_enabled()
        site = site or self.sites.here()
        number = self.writer.event(
            *(kind, site, modes, weights, text, tokens, loss, softmax_width, read_out, transient),
            silent=silent,
        )
        self._events += 1
        if self.listener is not None:
            self.listener.noted(number)
        return number

    def failed(self, hook: str, error: BaseException) -> None:
        """The capture itself failed in a hook."""
        self.failures[hook] += 1
        if self.failures[hook] <= FAILURES_ALLOWED:
            where = traceback.extract_tb(error.__traceback__)[-1]
            name = f"{Path(where.filename).name}:{where.lineno}"
            self.event(EventKind.ERROR, f"{hook}: {type(error).__name__}: {error} ({name})")

    def missed(self, hook: str, error: BaseException) -> None:
        """Plain numbers could not be followed: what else was captured is complete without them."""
        self.failures[hook] += 1
        self.miss = f"{hook}: {type(error).__name__}: {error}"

    def guarded(self, hook: str, look: Callable[..., None], *details: Any) -> None:
        """Lets a hook look, while it is usable; its failure never reaches the script."""
        if self.usable(hook):
            try:
                look(*details)
            except Exception as error:  # noqa: BLE001 - ours must never reach the script
                self.failed(hook, error)

    def usable(self, hook: str) -> bool:
        """Whether a hook may run: watched process, and not failed too often."""
        return self.active and (not self.failures or self.failures.get(hook, 0) < FAILURES_ALLOWED)

    # -- what is known of objects ---------------------------------------------------------------

    def are_new(self, things: Iterable[Any]) -> bool:
        """None has a map or is awaited: the answer for most calls of a model, so a quick one.

        A loss that nobody reads is awaited as long as it lives.
        """
        known, awaited = self.maps.keys, self.awaited.keys
        return known.isdisjoint(map(identity, things)) and (
            not awaited or awaited.isdisjoint(map(identity, things))
        )

    @property
    def noted(self) -> int:
        """Grows whenever something is noted."""
        return self._events + self.maps.puts + self.log_softmaxes.found.puts

    # -- positions ------------------------------------------------------------------------------

    def positions(self, ids: Tensor) -> Positions | None:
        """Where the ids lie in the stream; None when they are not of this stream."""
        mapped = self.maps.find(ids)
        if mapped is None:
            mapped = self.align(ids)
        return None if mapped is UNRELATED else mapped.positions

    def ids(self, positions: Positions) -> PositionMap:
        """Ids of the stream at these places."""
        return PositionMap(positions)

    def align(self, ids: Tensor) -> PositionMap:
        """Looks integer ids up by their content."""
        found = None
        if ids.dtype in INTEGERS and ids.numel() >= K:
            host = ids.detach().cpu()
            if host.dtype == torch.uint16:
                found = self.aligner.positions(to_numpy(host.view(torch.int16)).view(np.uint16))
            else:
                found = self.aligner.positions(to_numpy(host))
        mapped = UNRELATED if found is None else PositionMap(found)
        self.maps.put(ids, mapped)
        return mapped

    # -- losses and sums ------------------------------------------------------------------------

    def loss(self, positions: Positions, softmax_width: int = 0) -> PositionMap:
        """Per-token losses appeared; `softmax_width`: as the cross-entropy of so many entries."""
        seen = self.weights.look()
        if seen.written:
            self.event(EventKind.WRITE, weights=seen.fingerprint)
        tokens = int(np.count_nonzero(positions >= 0))
        number = self.event(
            EventKind.LOSS, weights=seen.fingerprint, tokens=tokens, silent=seen.silent
        )
        return PositionMap(positions, number, seen.fingerprint, softmax_width=softmax_width)

    def total(
        self, mapped: PositionMap, values: Any, read_out: bool = False, out: Any = None
    ) -> None:
        """Per-token scores enter a total. `values`: the numbers, of the map's shape; `out`: what
        they were added up to, where it may be kept later.
        """
        positions = mapped.positions
        if not _any_known(positions):
            return
        site = self.sites.here()
        event = self._sum(mapped, site, read_out)
        if isinstance(values, Tensor) and values.device.type != "cpu":
            self._queue.put(event, positions, values, mapped.factor)
            return
        numbers = numbers_of(values).reshape(-1)
        weights = spread(mapped.factor, positions)
        if out is not None and mapped.factor is None:
            come_to = numbers_of(out).reshape(-1)
            self.totals.put(mapped, positions.reshape(-1), numbers, come_to)
        self._scores(event, positions.reshape(-1), numbers, weights, site.line, read_out)

    def kept_totals(self, line: LineOfValues, totals: Sequence[Total]) -> None:
        """A line keeps totals that had been added up before; one of them again and again, where
        each token costs what the mean of them does.
        """
        if not totals or self._kept_last.get(line) is totals[-1]:
            return
        self._kept_last[line] = totals[-1]
        for total in totals:
            mapped, known = total.mapped, total.positions >= 0
            event = self.event(
                EventKind.KEPT,
                text=line.name,
                weights=mapped.weights,
                site=line.site,
                loss=mapped.loss,
                softmax_width=mapped.softmax_width,
            )
            self._written(event, total.positions[known], total.values[known])

    def best(self, mapped: PositionMap, values: Any) -> None:
        """Of several scores of each token the best was taken. `values`: these."""
        places, numbers = mapped.positions.reshape(-1), numbers_of(values).reshape(-1)
        known = places >= 0
        event = self.event(EventKind.BEST, weights=mapped.weights, loss=mapped.loss)
        self._written(event, places[known], numbers[known])

    def _written(
        self,
        event: int,
        places: npt.NDArray[np.int32],  # (n,)
        values: npt.NDArray[np.float64],  # (n,)
    ) -> None:
        """Scores that are no news to whoever asks again."""
        self.writer.scores(event, places, self.stream[places], values, np.ones(len(places)))

    def _sum(self, mapped: PositionMap, site: Site, read_out: bool) -> int:
        return self.event(
            EventKind.SUM,
            weights=mapped.weights,
            site=site,
            loss=mapped.loss,
            softmax_width=mapped.softmax_width,
            read_out=read_out,
        )

    def single(
        self,
        mapped: PositionMap,
        position: int,
        value: float,
        read_out: bool,
        site: Site | None = None,
    ) -> None:
        """One token's score enters a total in a loop; neighbours of one line become one event."""
        site = site or self.sites.here()
        loop = self._loop
        if loop is None or not loop.goes_on(site, mapped, read_out):
            self._close_loop()
            loop = self._loop = Loop(site, mapped, read_out)
        loop.positions.append(position)
        loop.values.append(value)

    def _close_loop(self) -> None:
        loop, self._loop = self._loop, None
        if loop is not None:
            event = self._sum(loop.mapped, loop.site, loop.read_out)
            places, values = np.array(loop.positions, np.int32), np.array(loop.values)
            ones = np.ones(len(places))
            self._scores(event, places, values, ones, loop.site.line, loop.read_out)

    def kept(self, line: LineOfValues, number: Any, width: int = 0, minus: bool = False) -> None:
        """A line of the script keeps a plain number; `width`: of the row that it was read from."""
        value, place = -float(number) if minus else float(number), line.place()
        if place < 0 or not abs(value) <= MOST_NATS:
            return
        if line.is_first:
            self.clock.number_kept(number, place, line)
        if line.breaks(place) or (line.positions and line.width != width):
            self._close_line(line)
        if not line.positions:
            self._keeping[line] = None
            line.width = width
        line.positions.append(place)
        line.values.append(value)
        if self.listener is not None:
            at, found = np.array([place], np.int32), np.array([value])
            self.listener.scored(line.key, False, at, found)

    def kept_block(self, line: LineOfValues, values: Any) -> None:
        """A line keeps an array with a number for each token of a slice that was read."""
        size = values.numel() if isinstance(values, Tensor) else values.size
        places = self.clock.block_of(size)
        if places is None or not line.takes_block(places):
            return
        self._close_line(line)
        numbers = numbers_of(values).reshape(-1)
        if not (np.abs(numbers) <= MOST_NATS).all():
            return  # a buffer that holds nothing yet, whose rubbish would spoil every sum
        known = places.reshape(-1) >= 0
        line.positions = places.reshape(-1)[known].tolist()
        line.values = numbers[known].tolist()
        line.width = 0
        if self.listener is not None and line.positions:
            at = places.reshape(-1)[known]
            self.listener.scored(line.key, False, at, numbers[known])
        self._close_line(line)

    def _close_lines(self) -> None:
        """Before anything else happens, all runs are written down."""
        while self._keeping:
            self._close_line(next(iter(self._keeping)))

    def _close_line(self, line: LineOfValues) -> None:
        self._keeping.pop(line, None)
        positions, values = line.positions, line.values
        if not positions:
            return
        line.positions, line.values = [], []
        seen = self.weights.look() if self._looked_at != self._events else None
        if seen is not None:
            self._looked_at, self._fingerprint = self._events, seen.fingerprint
            if seen.written:
                self.writer.event(EventKind.WRITE, line.site, weights=seen.fingerprint)
        number = self.writer.event(
            EventKind.VALUE,
            line.site,
            weights=self._fingerprint,
            text=line.name,
            softmax_width=line.width,
        )
        self._written(number, np.array(positions, np.int32), np.array(values))
        if self.listener is not None:
            self.listener.noted(number)

    def rows_picked(self, rows: Any, of_pick: Callable[[Any], Any], positions: Positions) -> None:
        """Whoever asks again may want the row behind a score."""
        if self.listener is not None:
            self.listener.rows_picked(positions, partial(row_behind, rows, of_pick, positions))

    def read_awaited(self, loss: Any) -> None:
        """A mean that carries a gradient is read: only now does it enter a total."""
        awaited = self.awaited.pop(loss)
        if awaited is not None:
            self.total(awaited.mapped, awaited.values)

    def uses(self, event: int, runs: npt.NDArray[np.int32]) -> None:
        """(n, 2) runs of positions [start, stop) that a gradient was taken of."""
        self.writer.uses(event, runs)
        if self.listener is not None:
            self.listener.learned(runs)

    def _scores(
        self,
        event: int | npt.NDArray[np.int64],  # of all scores, or (n,) of each
        places: Positions,  # (n,)
        values: npt.NDArray[np.float64],  # (n,) what entered the total
        weights: npt.NDArray[np.float64],  # (n,) what the scores were multiplied by
        line: str = "",
        read_out: bool = False,
    ) -> None:
        kept = (places >= 0) & (weights != 0)
        places, values, weights = places[kept], values[kept], np.abs(weights[kept])
        if not isinstance(event, int):
            event = event[kept]
        with np.errstate(over="ignore", invalid="ignore"):
            nats = values / weights
        self.writer.scores(event, places, self.stream[places], nats, weights)
        if self.listener is not None:
            self.listener.scored(line, read_out, places, nats)

    def flush(self) -> None:
        """Everything onto disk."""
        self._close_loop()
        self._close_lines()
        self._queue.drain()
        self.writer.flush()

    def close(self) -> None:
        """The end of the watch."""
        self._close_loop()
        self._close_lines()
        self.active = False
        self._queue.drain()
        self.weights.close()
        self.writer.close()


def _any_known(positions: Positions) -> bool:
    return positions.size > 0 and (positions.item(0) >= 0 or bool((positions >= 0).any()))
