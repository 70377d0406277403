"""The watch around one script's run, in the process that runs it.

    with watching(tokens, out / "rank0", stage):
        exec(code, main.__dict__)  # as `inside/rank.py` does

The hooks look and never touch, but where a louder run is asked for: every number that the script
computes is bit-identical with and without them. Each rank of a distributed run writes its own
folder. This is *explanation*, not proof: a script could take the hooks off.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.inside.hooks.code.followed_code import FollowedCode
from harness.inside.hooks.conduct.attempts import Conduct
from harness.inside.hooks.conduct.replaced import Replaced
from harness.inside.hooks.dynamo_compat import load_dynamo, mode_is_on, mode_off
from harness.inside.hooks.io_hooks import IoHooks
from harness.inside.hooks.numpy.bridge import NumpyBridge
from harness.inside.hooks.numpy.entrances import NumpyHooks
from harness.inside.hooks.python.math_hooks import MathHooks
from harness.inside.hooks.recording.exchanged_files import ExchangedFiles
from harness.inside.hooks.recording.noise_behind import NoiseBehind
from harness.inside.hooks.recording.recorder import Recorder
from harness.inside.hooks.recording.silent_weights import NoiseBeforeFirstForward
from harness.inside.hooks.recording.writer import AnswerWriter
from harness.inside.hooks.requery.requery import Requery
from harness.inside.hooks.settings.asked_names import AskedNames
from harness.inside.hooks.settings.entries import Entries
from harness.inside.hooks.settings.environment import Environment
from harness.inside.hooks.settings.options import Options
from harness.inside.hooks.torch.compiled import Compiled
from harness.inside.hooks.torch.exchanges import Exchanges
from harness.inside.hooks.torch.mode import WatchMode
from harness.inside.hooks.torch.module_skipper import ModuleSkipper
from harness.inside.hooks.torch.updates import Updates
from harness.protocol.job import Loudness
from harness.protocol.question import Question
from harness.protocol.schema import EventKind
from harness.protocol.seals import Seals

USUAL = Loudness()


@contextmanager
def watching(
    stream_tokens: npt.NDArray[np.int64],  # (T,) the validation tokens
    folder: Path,  # of this rank: OUT/rank0
    stage: Path,
    questions: tuple[Question, ...] = (),  # scores to take again; the run ends behind them
    native: bool = False,  # on an accelerator, which is not to wait for its host, or for hours
    rows: tuple[int, ...] = (),  # positions whose whole distributions are kept
    foreseen: tuple[str, ...] | None = None,  # settings; the run may end where it asks for others
    louder: Loudness = USUAL,
    seals: Seals | None = None,  # where sums of what is recorded go
    more: Sequence[Callable[[Recorder], Any]] = (),  # hooks beside the usual ones
    exchanged: Mapping[str, bytes] = MappingProxyType({}),  # what a file holds when opened again
    turned: Mapping[str, int] = MappingProxyType({}),  # shards, and from how many notes on
) -> Iterator[Recorder]:
    """Captures what happens inside the block into `folder`."""
    process = os.getpid()
    recorder = Recorder(stream_tokens, folder, stage, rows, seals)
    os.register_at_fork(after_in_child=lambda: setattr(recorder, "active", False))
    load_dynamo()
    mode = WatchMode(recorder)
    hooks: list[Any] = [ModuleSkipper(recorder, mode)] if native else []
    off = hooks[0].off if native else partial(mode_off, mode)
    if questions:
        hooks.append(Requery(recorder, questions, AnswerWriter(folder, seals)))
    files = ExchangedFiles(recorder, exchanged, turned)
    hooks.append(files)
    io_hooks = IoHooks(recorder, stage, files.opened)
    if louder.behind:
        hooks.append(NoiseBehind(louder, recorder.weights.parameters, lambda: io_hooks.noted))
    elif louder.noise is not None:
        hooks.append(NoiseBeforeFirstForward(louder, recorder.weights.parameters))
    hooks += [
        Updates(recorder, mode, louder.rate_times),
        NumpyHooks(recorder),
        Compiled(recorder, off),
        Exchanges(recorder),
    ]
    hooks += [NumpyBridge(recorder), MathHooks(recorder), io_hooks, Conduct(recorder, stage)]
    names = AskedNames(recorder, folder, foreseen)
    hooks += [names, Environment(recorder, names), Options(recorder, names)]
    hooks.append(Entries(recorder, names, stage))
    if not native:
        followed = FollowedCode(recorder)
        recorder.compiled = followed.compiled
        hooks.append(followed)
    hooks += [Replaced(recorder), *(make(recorder) for make in more)]
    try:
        with mode:
            yield recorder
            if not mode_is_on(mode):
                recorder.event(EventKind.UNHOOKED, "its view of torch's functions")
    finally:
        if not (recorder.active or questions) and os.getpid() == process:
            recorder.active = True
            recorder.event(EventKind.UNHOOKED, "its switch")
        for hook in reversed(hooks):
            hook.close()
        recorder.close()
