"""What the hooks share: marks, the stream, the weights, and the events that they write.

A failure of the capture itself never reaches the script: it becomes an `error` event that names the
hook and the exception, and after three of them that hook is off. A capture with an `error` event is
incomplete, and the report must say so.
"""

import collections
import traceback
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from harness.inside.hooks.arrivals import Arrivals, numbers_of, spread
from harness.inside.hooks.asking import Asker
from harness.inside.hooks.beside import Beside, identity
from harness.inside.hooks.log_softmaxes import LogSoftmaxes
from harness.inside.hooks.marks import FOREIGN, Mark, Marks, Positions
from harness.inside.hooks.sites import Site, Sites
from harness.inside.hooks.unseen import to_numpy
from harness.inside.hooks.weights import Weights
from harness.inside.hooks.writer import Writer
from harness.protocol.schema import EventKind, counter_of
from harness.streams.alignment import Aligner, K

FAILURES_ALLOWED = 3  # of one hook
INTEGERS = {torch.int64, torch.int32, torch.int16, torch.uint16}

Entry = tuple[Mark, Tensor]


class Recorder:
    """The state of one watched process."""

    def __init__(self, stream: npt.NDArray[np.int64], folder: Path, stage: Path) -> None:
        self.marks = Marks()
        self.log_softmaxes = LogSoftmaxes()
        self.aligner = Aligner(stream)
        self.stream = np.ascontiguousarray(stream, dtype=np.int32)
        self.writer = Writer(folder)
        self.sites = Sites(stage)
        self.weights = Weights()
        self.active = True
        self.failures: collections.Counter[str] = collections.Counter()
        self._events = 0
        self._arrivals = Arrivals(self._scores)
        self.pending: Beside[Entry] = Beside()  # totals that carry a gradient, until they are read
        self.asker: Asker | None = None  # where scores are to be asked again
        self._singles: tuple[Site, Mark, bool, list[tuple[int, float]]] | None = None

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
    ) -> int:
        """Notes an event here and now, in the columns of `schema.EVENTS`."""
        self._close_singles()
        modes = torch.is_inference_mode_enabled(), torch.is_grad_enabled()
        site = site or self.sites.here()
        number = self.writer.event(
            kind, site, modes, weights, text, tokens, loss, softmax_width, read_out, transient
        )
        self._events += 1
        if self.asker is not None:
            self.asker.passed(self, number)
        return number

    def failed(self, hook: str, error: BaseException) -> None:
        """The capture itself failed in a hook."""
        self.failures[hook] += 1
        if self.failures[hook] <= FAILURES_ALLOWED:
            where = traceback.extract_tb(error.__traceback__)[-1]
            name = f"{Path(where.filename).name}:{where.lineno}"
            self.event(EventKind.ERROR, f"{hook}: {type(error).__name__}: {error} ({name})")

    def usable(self, hook: str) -> bool:
        """Whether a hook may run: watched process, and not failed too often."""
        return self.active and (not self.failures or self.failures.get(hook, 0) < FAILURES_ALLOWED)

    # -- what is known of objects ---------------------------------------------------------------

    def are_new(self, things: Iterable[Any]) -> bool:
        """None is marked or awaited: the answer for most calls of a model, so a quick one.

        A loss that nobody reads is awaited as long as it lives.
        """
        marked, awaited = self.marks.keys, self.pending.keys
        return marked.isdisjoint(map(identity, things)) and (
            not awaited or awaited.isdisjoint(map(identity, things))
        )

    @property
    def noted(self) -> int:
        """Grows whenever something is noted."""
        return self._events + self.marks.puts + self.log_softmaxes.found.puts

    # -- positions ------------------------------------------------------------------------------

    def positions(self, ids: Tensor) -> Positions | None:
        """Where the ids lie in the stream; None when they are not of this stream."""
        mark = self.marks.find(ids)
        if mark is None:
            mark = self.align(ids)
        return mark.positions

    def align(self, ids: Tensor) -> Mark:
        """Marks integer ids by their content."""
        found = None
        if ids.dtype in INTEGERS and ids.numel() >= K:
            host = ids.detach().cpu()
            if host.dtype == torch.uint16:
                found = self.aligner.positions(to_numpy(host.view(torch.int16)).view(np.uint16))
            else:
                found = self.aligner.positions(to_numpy(host))
        mark = FOREIGN if found is None else Mark(found)
        self.marks.put(ids, mark)
        return mark

    # -- losses and sums ------------------------------------------------------------------------

    def loss(self, positions: Positions, softmax: int = 0) -> Mark:
        """Per-token losses appeared; `softmax`: as the cross-entropy of so many entries."""
        fingerprint, written = self.weights.look()
        if written:
            self.event(EventKind.WRITE, weights=fingerprint)
        tokens = int(np.count_nonzero(positions >= 0))
        number = self.event(EventKind.LOSS, weights=fingerprint, tokens=tokens)
        return Mark(positions, number, fingerprint, softmax=softmax)

    def total(self, mark: Mark, values: Any, read_out: bool = False) -> None:
        """Per-token scores enter a total. `values`: the numbers, of the map's shape."""
        positions = mark.positions
        if positions is None or not _any_known(positions):
            return
        site = self.sites.here()
        event = self._sum(mark, site, read_out)
        if isinstance(values, Tensor) and values.device.type != "cpu":
            self._arrivals.put(event, positions, values, mark.factor)
            return
        numbers = numbers_of(values).reshape(-1)
        weights = spread(mark.factor, positions)
        self._scores(event, positions.reshape(-1), numbers, weights, counter_of(site[0], read_out))

    def _sum(self, mark: Mark, site: Site, read_out: bool) -> int:
        return self.event(
            EventKind.SUM,
            weights=mark.weights,
            site=site,
            loss=mark.loss,
            softmax_width=mark.softmax,
            read_out=read_out,
        )

    def single(
        self, mark: Mark, position: int, value: float, read_out: bool, site: Site | None = None
    ) -> None:
        """One token's score enters a total in a loop; neighbours of one line become one event."""
        site = site or self.sites.here()
        held = self._singles
        if held is None or held[0] != site or held[1].loss != mark.loss or held[2] != read_out:
            self._close_singles()
            held = self._singles = (site, mark, read_out, [])
        held[3].append((position, value))

    def _close_singles(self) -> None:
        held, self._singles = self._singles, None
        if held is not None:
            site, mark, read_out, scores = held
            event = self._sum(mark, site, read_out)
            places = np.array([position for position, _ in scores], np.int32)
            values = np.array([value for _, value in scores])
            self._scores(event, places, values, np.ones(len(places)), counter_of(site[0], read_out))

    def read_pending(self, loss: Any) -> None:
        """A mean that carries a gradient is read: only now does it enter a total."""
        entry = self.pending.pop(loss)
        if entry is not None:
            self.total(*entry)

    def uses(self, event: int, runs: npt.NDArray[np.int32]) -> None:
        """(n, 2) runs of positions [start, stop) that a gradient was taken of."""
        self.writer.uses(event, runs)
        if self.asker is not None and self.asker.copy is not None:
            self.asker.copy.learnt(runs)

    def _scores(
        self,
        event: int | npt.NDArray[np.int64],  # of all scores, or (n,) of each
        places: Positions,  # (n,)
        values: npt.NDArray[np.float64],  # (n,) what entered the total
        weights: npt.NDArray[np.float64],  # (n,) what the scores were multiplied by
        counted_by: str = "",
    ) -> None:
        kept = (places >= 0) & (weights != 0)
        places, values, weights = places[kept], values[kept], np.abs(weights[kept])
        if not isinstance(event, int):
            event = event[kept]
        with np.errstate(over="ignore", invalid="ignore"):
            nats = values / weights
        self.writer.scores(event, places, self.stream[places], nats, weights)
        if self.asker is not None and self.asker.copy is not None:
            sign = -1.0 if len(nats) and np.nanmedian(nats) < 0 else 1.0  # log-probabilities
            self.asker.copy.counted(counted_by, places, sign * nats)

    def flush(self) -> None:
        """Everything onto disk."""
        self._close_singles()
        self._arrivals.drain()
        self.writer.flush()

    def close(self) -> None:
        """The end of the watch."""
        if self.asker is not None:
            self.asker.close()
            self.asker = None
        self._close_singles()
        self.active = False
        self._arrivals.drain()
        self.weights.close()
        self.writer.close()


def _any_known(positions: Positions) -> bool:
    return positions.size > 0 and (positions.item(0) >= 0 or bool((positions >= 0).any()))
