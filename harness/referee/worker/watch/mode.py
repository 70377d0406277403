"""The dispatch mode: after every torch operator, carries traces from its inputs to its outputs.

A storage that a Parameter (or any leaf that wants gradients) lives in is a *weight*. Positions that
flow into a weight by a write, an optimiser step included, are what it has *learned*; a forward that
reads the weight passes them on as learned. A full overwrite (copy_, zero_) replaces what was known,
so weights that are restored from a snapshot are clean again, and adapters that are dropped leave no
mark.

Coarse where torch is: a loss over a whole batch taints its gradient with every token of the batch,
masked or not. That is why nothing here convicts (see `checks/program_order`).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter

from harness.referee.worker.watch.alignment import K, StreamIndex
from harness.referee.worker.watch.losses import Losses
from harness.referee.worker.watch.traces import (
    Bits,
    Traces,
    bits_of,
    members,
    storage_numel,
    view_like,
)

INTEGER = (torch.int64, torch.int32, torch.int16, torch.uint16)
OVERWRITES = ("copy_", "zero_", "fill_", "random_", "normal_", "uniform_")
SAME_SHAPE = (
    "_to_copy",
    "to",
    "clone",
    "contiguous",
    "neg",
    "copy_",
    "detach",
    "lift_fresh",
    "log",
)


@dataclass(frozen=True)
class Flow:
    """Positions that flow out of an operator's inputs."""

    seen: Bits
    learned: Bits
    how: str


class WatchMode(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch leaves it untyped
    """Watches one program.

    `on_write(positions)` when weights learn, `on_inputs()` when stream tokens enter an embedding.
    """

    def __init__(
        self,
        index: StreamIndex,
        losses: Losses,
        on_write: Callable[[Bits], None],
        on_inputs: Callable[[], None],
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.traces: Traces = losses.traces
        self.in_optimizer_step = False
        self._index = index
        self._losses = losses
        self._on_write = on_write
        self._on_inputs = on_inputs

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Runs the operator, then follows the data."""
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        name = func._schema.name.removeprefix("aten::")
        inputs = _tensors((args, kwargs))
        for tensor in inputs:
            self._notice(tensor)
        written = _written(func, args, kwargs)
        outputs = _tensors(out)
        self._flow(name, inputs, written, outputs)
        if name == "embedding" and self.traces.positions(args[1]) is not None:
            self._on_inputs()
        self._losses.observe(name, args, outputs)
        return out

    def _notice(self, tensor: Tensor) -> None:
        """First sight: is this a weight, or a stretch of the stream?"""
        if isinstance(tensor, nn.Parameter) or (tensor.requires_grad and tensor.is_leaf):
            self.traces.mark_weight(tensor)
        elif tensor.dtype in INTEGER and self.traces.find(tensor) is None:
            self._locate(tensor, within=None)

    def _locate(self, tensor: Tensor, within: Bits | None) -> None:
        """Aligns an integer tensor with the stream, row by row."""
        if tensor.ndim == 0 or tensor.shape[-1] < K:
            return
        rows = tensor.detach().cpu().to(torch.int64).reshape(-1, tensor.shape[-1])
        known = None if within is None else set(members(within))
        starts = [self._index.locate(row.numpy(), known) for row in rows]
        if any(s is not None for s in starts):
            first = torch.tensor([-1 if s is None else s for s in starts])[:, None]
            positions = torch.where(first < 0, -1, first + torch.arange(tensor.shape[-1]))
            self._map(tensor, positions.reshape(tensor.shape))

    def _map(self, tensor: Tensor, positions: Tensor) -> None:
        trace = self.traces.of(tensor)
        if trace.elements is None or len(trace.elements) != storage_numel(tensor):
            trace.elements = torch.full((storage_numel(tensor),), -1, dtype=torch.int64)
        view = view_like(trace.elements, tensor)
        assert view is not None
        view.copy_(positions)

    def _flow(
        self, name: str, inputs: list[Tensor], written: list[Tensor], outputs: list[Tensor]
    ) -> None:
        unwritten = [t for t in inputs if not any(t is w for w in written)]
        flow = self._gather(unwritten if len(written) < 2 or _overwrites(name) else inputs)
        for target in written:
            self._carry_elements(name, unwritten, target, flow)
            whole = _overwrites(name) and target.numel() == storage_numel(target)
            self._store(target, flow, keep=not whole)
        for target in outputs:
            if any(target is w for w in written):
                continue
            if self.traces.find(target) is not None and _is_view(target, inputs):
                continue  # a view: the storage's record already says everything
            self._carry_elements(name, inputs, target, flow)
            if flow.seen or flow.learned or self.traces.find(target) is not None:
                self._store(target, flow, keep=False)

    def _gather(self, sources: Iterable[Tensor]) -> Flow:
        """What flows out of the inputs; whatever a weight holds counts as learned."""
        seen, learned, how = 0, 0, ""
        for tensor in sources:
            trace = self.traces.find(tensor)
            if trace is None:
                continue
            how = trace.how or how
            if trace.is_weight:
                learned |= trace.seen | trace.learned
                continue
            view = view_like(trace.elements, tensor) if tensor.dtype in INTEGER else None
            seen |= trace.seen if view is None else bits_of(view)
            learned |= trace.learned
        return Flow(seen, learned, how)

    def _store(self, target: Tensor, flow: Flow, keep: bool) -> None:
        """Gives a storage what flowed in; `keep`: beside what it had, not instead of it."""
        trace = self.traces.of(target)
        known = trace.seen | trace.learned
        trace.seen = flow.seen | (trace.seen if keep else 0)
        trace.learned = flow.learned | (trace.learned if keep else 0)
        trace.how = flow.how
        if trace.is_weight:
            trace.how = "optimiser" if self.in_optimizer_step else "in place"
            self._on_write((trace.seen | trace.learned) & ~known)

    def _carry_elements(self, name: str, sources: list[Tensor], target: Tensor, flow: Flow) -> None:
        """Element maps survive copies; other integer results are aligned again by content."""
        first = next((s for s in sources if s.shape == target.shape), None)
        if first is not None and name in SAME_SHAPE:
            positions = self.traces.positions(first)
            if positions is not None:
                self._map(target, positions)
                source = self.traces.find(first)
                self.traces.of(target).loss = source.loss if source else None
                return
        if target.dtype in INTEGER and flow.seen | flow.learned:
            self._locate(target, flow.seen | flow.learned)


def _written(func: Any, args: Any, kwargs: Any) -> list[Tensor]:
    """Arguments that the operator's schema says it writes."""
    found: list[Tensor] = []
    for i, argument in enumerate(func._schema.arguments):
        if argument.alias_info is None or not argument.alias_info.is_write:
            continue
        value = args[i] if i < len(args) else kwargs.get(argument.name)
        found += _tensors(value)
    return found


def _tensors(tree: Any) -> list[Tensor]:
    """Tensors with a storage of their own; sparse and meta tensors carry no trace."""
    leaves = (t for t in tree_iter(tree) if isinstance(t, Tensor))
    return [t for t in leaves if t.layout is torch.strided and not t.is_meta]


def _is_view(target: Tensor, inputs: list[Tensor]) -> bool:
    storage = target.untyped_storage()._cdata
    return any(t.untyped_storage()._cdata == storage for t in inputs)


def _overwrites(name: str) -> bool:
    return name.removeprefix("_foreach_") in OVERWRITES
