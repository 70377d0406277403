"""Files that a script opens are given other bytes first: one that it wrote, those that another run
left there, so that what it loads is that run's; a shard, from some moment on, its own tokens in
reverse order.

Looked at behind the first, too: whether the models that are used then have, bit for bit, the
weights that were there when the file was written, and to how many bytes those compress: a small
file cannot hold them. Guarantees: nothing is done where no file is to be exchanged; what was
written is exchanged only behind its own writing. Does not cover: files that another process opens,
or a library of its own (safetensors); shards that were opened before; models that are no modules.
"""

import weakref
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xxhash
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_pre_hook

from harness.inside.hooks.recording.recorder import Recorder
from harness.protocol.schema import EventKind
from harness.protocol.tensor_bytes import tensor_bytes

MOST_MODELS = 64  # that are looked at
HEADER_BYTES = 1_024  # of a shard
QUICK = 1  # the level at which weights are compressed


class ExchangedFiles:
    """Exchanges them while installed."""

    def __init__(
        self, recorder: Recorder, contents: Mapping[str, bytes], turned: Mapping[str, int]
    ) -> None:
        self._recorder, self._contents, self._turned = recorder, contents, dict(turned)
        self._written: set[str] = set()
        self._there: set[int] = set()  # what parameters held when a file was written
        self._seen: weakref.WeakSet[nn.Module] = weakref.WeakSet()
        self._busy = False
        self._hook = register_module_forward_pre_hook(self._forward) if contents else None
        self._given = False

    def close(self) -> None:
        """Stops listening."""
        if self._hook is not None:
            self._hook.remove()

    def opened(self, cited: str, path: str, writes: bool, noted: int) -> bool:
        """A file is about to be opened, by us alone where true; `cited`: its path in the stage,
        `noted`: lines and files so far.
        """
        if self._busy:
            return True
        if writes:
            self._writes(cited)
        elif cited in self._written:
            self._written.discard(cited)
            self._given |= self._exchange(cited, Path(path), self._contents[cited])
        elif noted >= self._turned.get(cited, noted + 1):
            del self._turned[cited]
            self._exchange(cited, Path(path), None)
        return False

    def _writes(self, cited: str) -> None:
        if cited in self._contents:
            self._written.add(cited)
            with torch._C.DisableTorchFunction():
                self._there.update(map(_digest, self._recorder.weights.parameters()))

    def _exchange(self, cited: str, file: Path, content: bytes | None) -> bool:
        """Whether it was done; None: its own tokens, turned round."""
        self._busy = True
        try:
            had = file.read_bytes()
            file.write_bytes(_turned(had) if content is None else content)
        except OSError:
            return False  # the script's own doing; it finds what was there
        finally:
            self._busy = False
        self._recorder.event(EventKind.GIVEN, cited, tokens=len(had))
        return True

    def _forward(self, module: nn.Module, args: Any) -> None:
        if not self._given or torch.is_grad_enabled() or module in self._seen:
            return
        if len(self._seen) < MOST_MODELS:
            self._recorder.guarded("forward", self._look, module)

    def _look(self, module: nn.Module) -> None:
        with torch._C.DisableTorchFunction():
            self._seen.update(module.modules())
            held = [p for p in module.parameters() if p.is_floating_point() and p.numel()]
            if not held:
                return
            size = _compressed(held) if all(_digest(p) in self._there for p in held) else 0
        self._recorder.event(EventKind.FORWARD, type(module).__name__, tokens=size)


def _turned(shard: bytes) -> bytes:
    tokens = np.frombuffer(shard, np.uint16, offset=HEADER_BYTES)
    return shard[:HEADER_BYTES] + tokens[::-1].tobytes()


def _digest(parameter: Tensor) -> int:
    return xxhash.xxh3_64_intdigest(tensor_bytes(parameter))


def _compressed(parameters: Iterable[Tensor]) -> int:
    """Bytes."""
    return sum(len(zlib.compress(tensor_bytes(one), QUICK)) for one in parameters)
