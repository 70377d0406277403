"""Watches one program run: joins the dispatch mode with optimiser and module hooks, and reports.

Two messages go to the harness: `score` (positions, nats, circumstances) when losses enter a sum,
and `update` (positions, fingerprints) when weights have learned positions. Fingerprints are taken
when a module's forward begins and when its losses are summed; a change between two forwards that no
observed write explains is reported as `unattributed`."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from torch import nn
from torch.nn.modules.module import (
    register_module_forward_hook,
    register_module_forward_pre_hook,
)
from torch.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)

from harness.ledger import ranges_of
from harness.wire.channel import Channel, Message
from harness.worker.fingerprint import fingerprint, tensors_of
from harness.worker.watch.alignment import StreamIndex, Tokens
from harness.worker.watch.losses import Losses, learned_among
from harness.worker.watch.mode import WatchMode
from harness.worker.watch.traces import Bits, LossRecord, members


class Recorder:
    """One watched run."""

    def __init__(self, channel: Channel, tokens: Tokens) -> None:
        self._channel = channel
        self._mode = WatchMode(StreamIndex(tokens), Losses(self._commit), self._write)
        self._module: nn.Module | None = None
        self._depth = 0
        self._pending: Bits = 0  # learned since the last report
        self._dirty = False  # a write was seen since the last fingerprint
        self._weights = ""
        self._buffers = ""
        self._buffers_changed = False

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Hooks on, hooks off."""
        handles = [
            register_module_forward_pre_hook(self._enter_module),
            register_module_forward_hook(self._leave_module, always_call=True),
            register_optimizer_step_pre_hook(self._enter_step),
            register_optimizer_step_post_hook(self._leave_step),
        ]
        try:
            with self._mode:
                yield
        finally:
            for handle in handles:
                handle.remove()

    def _enter_module(self, module: nn.Module, arguments: Any) -> None:
        self._depth += 1
        if self._depth > 1:
            return
        self._module = module
        before = self._weights
        self._take_fingerprint()
        if self._pending:
            self._report_update(before)
        elif before and before != self._weights and not self._dirty:
            self._tell("unattributed", {"weights_before": before, "weights_after": self._weights})
        self._dirty = False

    def _leave_module(self, module: nn.Module, arguments: Any, output: Any) -> None:
        self._depth -= 1

    def _enter_step(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        self._mode.in_optimizer_step = True

    def _leave_step(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        self._mode.in_optimizer_step = False

    def _write(self, bits: Bits, how: str) -> None:
        self._pending |= bits
        self._dirty = True

    def _report_update(self, before: str) -> None:
        positions = ranges_of(members(self._pending))
        fields = {"positions": positions, "weights_before": before, "weights_after": self._weights}
        self._pending = 0
        self._tell("update", fields)

    def _commit(self, positions: list[int], record: LossRecord) -> None:
        known = [p for p in positions if p in record.nats]
        if not known:
            return
        before = self._weights
        self._take_fingerprint()
        fields = {
            "learned": ranges_of(learned_among(record, known)),
            "learned_how": record.how,
            "inference_mode": record.inference_mode,
            "grad_mode": record.grad_mode,
            "coarse": record.coarse,
            "site": record.site,
            "weights_before": before,
            "weights_after": self._weights,
            "buffers_changed": self._buffers_changed,
        }
        nats = np.array([record.nats[p] for p in known])
        self._tell("score", fields, positions=np.array(known, np.int64), nats=nats)

    def _take_fingerprint(self) -> None:
        weights, buffers = tensors_of(self._module) if self._module is not None else ([], [])
        old = self._buffers
        self._weights, self._buffers = fingerprint(weights), fingerprint(buffers)
        self._buffers_changed = bool(old) and old != self._buffers

    def _tell(self, op: str, fields: dict[str, Any], **arrays: Any) -> None:
        self._channel.send(Message(op, fields, arrays))
        self._channel.receive()  # the harness has read the slab
