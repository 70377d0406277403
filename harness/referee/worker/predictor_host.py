"""Serves a predictor over the channel: load, score, probe, adapt.

Runs in the worker. Turns inference_mode on around every score and reports what it saw: the flags at
each module call, fingerprints of weights and buffers before and after. Everything it reports is the
worker's word; the referee relies on it for ORDER-7 only and says so.
"""

import importlib.util
import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_pre_hook

from harness.engines import ENGINES
from harness.errors import ContractError
from harness.predictor import Geometry, Predictor, PredictorContext, Rewindable
from harness.referee.wire.channel import NUMBER, Channel, Message
from harness.referee.worker.fingerprint import fingerprint, tensors_of
from harness.submission import Kind


class PredictorHost:
    """One predictor behind one channel."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._inference_mode = True
        self._grad_mode = False
        register_module_forward_pre_hook(self._see_flags)

    def load(self, fields: dict[str, Any]) -> None:
        """Builds the predictor and answers with its alphabet."""
        self._number = numbered(fields)
        context = PredictorContext(
            artifact=Path(fields["artifact"]),
            tokenizer=Path(fields["tokenizer"]),
            folder=Path.cwd(),
            geometry=Geometry(**fields["geometry"]),
            settings=fields["settings"],
            device=fields["device"],
            seed=fields["seed"],
        )
        torch.manual_seed(context.seed)
        np.random.seed(context.seed)
        random.seed(context.seed)
        self._device = context.device
        self._predictor = _factory(fields["kind"], fields["target"])(context)
        self._weights, self._buffers = tensors_of(self._predictor)
        self._say(
            "loaded",
            vocab_size=int(self._predictor.vocab_size),
            weights=fingerprint(self._weights),
        )

    def serve(self) -> None:
        """Answers until the referee closes."""
        handlers: dict[str, Callable[[Message], None]] = {
            "score": self._score,
            "probe": self._probe,
            "adapt": self._adapt,
        }
        while True:
            message = self._channel.receive()
            self._number = numbered(message.fields)
            handlers[message.op](message)

    def _score(self, message: Message) -> None:
        self._inference_mode, self._grad_mode = True, False
        before, buffers = fingerprint(self._weights), fingerprint(self._buffers)
        if isinstance(self._predictor, Rewindable):
            self._predictor.snapshot()  # as before a probe: it tells nobody which one this is
        rows = self._rows(message)
        fields = {
            "weights_before": before,
            "weights_after": fingerprint(self._weights),
            "buffers_changed": fingerprint(self._buffers) != buffers,
            "inference_mode": self._inference_mode,
            "grad_mode": self._grad_mode,
        }
        self._answer(Message("rows", fields, {"rows": rows}))

    def _probe(self, message: Message) -> None:
        """A score that leaves no trace, where the predictor lets us undo it."""
        with self._rewound():
            rows = self._rows(message)
        self._answer(Message("rows", {}, {"rows": rows}))

    def _adapt(self, message: Message) -> None:
        before = fingerprint(self._weights)
        self._predictor.adapt(torch.from_numpy(message.arrays["tokens"]).to(self._device))
        self._weights, self._buffers = tensors_of(self._predictor)
        self._say("adapted", weights_before=before, weights_after=fingerprint(self._weights))

    def _rows(self, message: Message) -> npt.NDArray[np.float32]:
        windows = torch.from_numpy(message.arrays["windows"]).to(self._device)
        scored = int(message.fields["scored"])
        with torch.inference_mode():
            rows = self._predictor.log_probs(windows, scored)
        _check_rows(rows, (len(windows), scored, int(self._predictor.vocab_size)))
        array: npt.NDArray[np.float32] = rows.detach().cpu().numpy()
        return array

    @contextmanager
    def _rewound(self) -> Iterator[None]:
        if not isinstance(self._predictor, Rewindable):
            yield
            return
        state = self._predictor.snapshot()
        try:
            yield
        finally:
            self._predictor.restore(state)

    def _see_flags(self, module: nn.Module, arguments: object) -> None:
        self._inference_mode &= torch.is_inference_mode_enabled()
        self._grad_mode |= torch.is_grad_enabled()

    def _say(self, op: str, **fields: Any) -> None:
        self._answer(Message(op, fields))

    def _answer(self, message: Message) -> None:
        """With the number of the question."""
        self._channel.send(Message(message.op, message.fields | self._number, message.arrays))


def numbered(fields: dict[str, Any]) -> dict[str, Any]:
    """The number of a question, for its answer."""
    return {NUMBER: fields.get(NUMBER)}


def _check_rows(rows: object, shape: tuple[int, int, int]) -> None:
    if not isinstance(rows, Tensor) or rows.dtype != torch.float32:
        kind = rows.dtype if isinstance(rows, Tensor) else type(rows).__name__
        raise ContractError(f"log_probs returned {kind}; the contract asks for torch.float32 nats")
    if tuple(rows.shape) != shape:
        raise ContractError(f"log_probs returned shape {tuple(rows.shape)}; asked for {shape}")


def _factory(kind: str, target: str) -> Callable[[PredictorContext], Predictor]:
    if kind == Kind.ENGINE:
        if target not in ENGINES:
            raise ContractError(
                f"no engine named {target!r}; there are {', '.join(sorted(ENGINES))}"
            )
        return ENGINES[target]
    file, _, name = target.partition(":")
    sys.path.insert(0, str(Path.cwd()))
    spec = importlib.util.spec_from_file_location("submission", file)
    if spec is None or spec.loader is None:
        raise ContractError(f"{file}: not importable as Python")
    module = importlib.util.module_from_spec(spec)
    sys.modules["submission"] = module
    spec.loader.exec_module(module)
    factory: Callable[[PredictorContext], Predictor] | None = getattr(module, name, None)
    if factory is None:
        raise ContractError(f"{file}: defines no {name!r}, which the manifest names as its factory")
    return factory
