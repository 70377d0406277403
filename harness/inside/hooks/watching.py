"""The watch around one script's run, in the process that runs it.

    with watching(tokens, out / "rank0", stage):
        runpy.run_path("train_gpt.py", run_name="__main__")

The hooks look and never touch: every number that the script computes is bit-identical with and
without them. Each rank of a distributed run writes its own folder. This is *explanation*, not
proof: a script could take the hooks off.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from harness.inside.hooks.asking import Asker
from harness.inside.hooks.compiled import Compiled
from harness.inside.hooks.numpy_flow import NumpyHooks, marked
from harness.inside.hooks.outside import Outside
from harness.inside.hooks.python_scores import MathHooks
from harness.inside.hooks.quiet import QuietModules
from harness.inside.hooks.recorder import Recorder
from harness.inside.hooks.torch_mode import WatchMode
from harness.inside.hooks.unseen import absent, load_dynamo, seen_through
from harness.inside.hooks.updates import Updates
from harness.inside.hooks.writer import AnswerWriter
from harness.protocol.question import Question


@contextmanager
def watching(
    stream_tokens: npt.NDArray[np.int64],  # (T,) the validation tokens
    folder: Path,  # of this rank: OUT/rank0
    stage: Path,
    questions: tuple[Question, ...] = (),  # scores to ask again; the run ends behind them
    native: bool = False,  # on an accelerator, which is not to wait for its host
) -> Iterator[Recorder]:
    """Captures what happens inside the block into `folder`."""
    recorder = Recorder(stream_tokens, folder, stage)
    if questions:
        recorder.asker = Asker(questions, AnswerWriter(folder))
    os.register_at_fork(after_in_child=lambda: setattr(recorder, "active", False))
    load_dynamo()
    mode = WatchMode(recorder)
    hooks: list[Any] = [QuietModules(recorder, mode)] if native else []
    off = hooks[0].off if native else partial(absent, mode)
    hooks += [Updates(recorder, mode), NumpyHooks(recorder), Compiled(recorder, off)]
    hooks += [Bridge(recorder), MathHooks(recorder), Outside(recorder, stage)]
    try:
        with mode:
            yield recorder
    finally:
        for hook in reversed(hooks):
            hook.close()
        recorder.close()


class Bridge:
    """`Tensor.numpy` and `torch.from_numpy` carry marks from one world into the other."""

    def __init__(self, recorder: Recorder) -> None:
        self._from_numpy: Any = torch.from_numpy
        self._numpy: Any = Tensor.numpy
        torch.from_numpy = _to_torch(recorder, self._from_numpy)
        Tensor.numpy = _to_numpy(recorder, self._numpy)  # type: ignore[method-assign]

    def close(self) -> None:
        """Takes both back."""
        torch.from_numpy = self._from_numpy
        Tensor.numpy = self._numpy  # type: ignore[method-assign]


def _to_torch(recorder: Recorder, function: Any) -> Any:
    def from_numpy(array: Any) -> Any:
        tensor = function(array)
        if recorder.usable("from_numpy"):
            try:
                _marked(recorder, array, tensor)
            except Exception as error:  # noqa: BLE001 - ours must never reach the script
                recorder.failed("from_numpy", error)
        return tensor

    return seen_through(from_numpy, function)


def _marked(recorder: Recorder, array: Any, tensor: Tensor) -> None:
    mark = getattr(array, "mark", None)
    if mark is not None:
        recorder.marks.put(tensor, mark)
    elif not tensor.is_floating_point() and tensor.numel() >= 64:
        recorder.align(tensor)


def _to_numpy(recorder: Recorder, function: Any) -> Any:
    def numpy(self: Tensor, *args: Any, **kwargs: Any) -> Any:
        array = function(self, *args, **kwargs)
        return marked(array, recorder.marks.find(self)) if recorder.active else array

    return seen_through(numpy, function)
