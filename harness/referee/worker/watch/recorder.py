"""Watches one program run: joins the dispatch mode with optimiser hooks, and reports.

Three messages go to the harness: `score` (positions, nats, circumstances) when losses enter a sum;
`update` (positions, fingerprints) when weights have learned positions; `unattributed` when weights
differ between two batches and no write was seen. Fingerprints are taken when a batch's tokens enter
an embedding and when its losses are summed.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import xxhash
from torch.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)

from harness.referee.ledger import ranges_of
from harness.referee.wire.channel import Channel, Message
from harness.referee.worker.fingerprint import fingerprint
from harness.referee.worker.watch.alignment import StreamIndex, Tokens
from harness.referee.worker.watch.losses import Losses, learned_among
from harness.referee.worker.watch.mode import WatchMode
from harness.referee.worker.watch.traces import Bits, LossRecord, members


class Recorder:
    """One watched run."""

    def __init__(self, channel: Channel, tokens: Tokens) -> None:
        self._channel = channel
        self._losses = Losses(self._commit)
        self._mode = WatchMode(StreamIndex(tokens), self._losses, self._write, self._take_inputs)
        self._pending: Bits = 0  # learned since the last report
        self._wrote = False  # a weight was written since the last fingerprint
        self._prints: dict[int, str] = {}  # per weight, when the last batch's inputs were taken

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Hooks on, hooks off."""
        handles = [
            register_optimizer_step_pre_hook(self._enter_step),
            register_optimizer_step_post_hook(self._leave_step),
        ]
        try:
            with self._mode:
                yield
        finally:
            for handle in handles:
                handle.remove()

    def _take_inputs(self) -> None:
        """A batch begins: what did the weights learn since the last one?"""
        before, self._prints = self._prints, self._fingerprints()
        fields: dict[str, Any] = {
            "weights_before": _joined(before),
            "weights_after": _joined(self._prints),
        }
        if self._pending:
            fields["positions"] = ranges_of(members(self._pending))
            self._tell("update", fields)
        elif not self._wrote and _moved(before, self._prints):
            self._tell("unattributed", fields)
        self._pending, self._wrote = 0, False

    def _commit(self, positions: list[int], record: LossRecord) -> None:
        known = [p for p in positions if p in record.nats]
        if not known:
            return
        now = self._fingerprints()
        moved = _moved(self._prints, now)
        fields = {
            "learned": ranges_of(learned_among(record, known)),
            "learned_how": record.how,
            "inference_mode": record.inference_mode,
            "grad_mode": record.grad_mode,
            "coarse": record.coarse,
            "site": record.site,
            "weights_before": _joined(self._prints),
            "weights_after": _joined(now if moved else self._prints),
            "buffers_changed": False,
        }
        nats = np.array([record.nats[p] for p in known])
        self._tell("score", fields, positions=np.array(known, np.int64), nats=nats)

    def _enter_step(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        self._mode.in_optimizer_step = True

    def _leave_step(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        self._mode.in_optimizer_step = False

    def _write(self, learned: Bits) -> None:
        self._pending |= learned
        self._wrote = True

    def _fingerprints(self) -> dict[int, str]:
        return {k: fingerprint([t]) for k, t in self._losses.traces.weights().items()}

    def _tell(self, op: str, fields: dict[str, Any], **arrays: Any) -> None:
        self._channel.send(Message(op, fields, arrays))
        self._channel.receive()  # the harness has read the slab


def _joined(prints: dict[int, str]) -> str:
    """One fingerprint of all weights."""
    return xxhash.xxh3_128_hexdigest("".join(prints.values()).encode())


def _moved(before: dict[int, str], after: dict[int, str]) -> bool:
    """Some weight that is in both has other contents."""
    return any(after.get(k, p) != p for k, p in before.items())
