"""The torch side of the watch: one function mode around the script's run.

A `TorchFunctionMode` sees every call of torch's public functions, and not what they do inside: a
few microseconds a call. Compiled callables and operators in another language are opaque: what they
return is placed by its shape (see `compiled`). Not covered: other threads, and code that switches
torch functions off.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from harness.inside.hooks.recording.recorder import Recorder
from harness.inside.hooks.torch.compiled import place_by_shape
from harness.inside.hooks.torch.flow import TorchFlow
from harness.inside.hooks.torch.handler import Handler

WRITTEN_IN_PYTHON = (torch.nn.functional, torch.functional)
PROPERTIES = ("T", "mT", "data", "H", "mH")


class Chosen(NamedTuple):
    """What is done about a function."""

    name: str
    handler: Handler | None
    follows: bool  # of no use where no argument has a map
    called: Any  # in its place, where the script put a function of its own under its name


class WatchMode(TorchFunctionMode):
    """Calls through, then lets the flow look at what came out."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self._recorder = recorder
        self._flow = TorchFlow(recorder)
        self._chosen: dict[Any, Chosen] = {}
        self._names = _public_names(self._flow.handlers)
        self._written = [(home, dict(vars(home))) for home in WRITTEN_IN_PYTHON]

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:  # the signature is torch's
        name, handler, follows, called = self._chosen.get(func) or self._choose(func)
        out = called(*args, **kwargs) if kwargs else called(*args)
        if handler is None or not self._recorder.active:
            return out
        are_new = self._recorder.are_new
        if follows and are_new(args) and (not kwargs or are_new(kwargs.values())):
            return out  # most calls of a model
        try:
            read = handler(name, func, args, kwargs or {}, out)
            return out if read is None else read
        except Exception as error:  # noqa: BLE001 - ours must never reach the script
            self._recorder.failed(name, error)
            self._chosen.clear()  # after some failures, the choice is to do nothing
        return out

    def _choose(self, func: Any) -> Chosen:
        name, handler, follows, called = self._found(self._meant(func))
        usable = self._recorder.usable(name)
        chosen = self._chosen[func] = Chosen(name, handler if usable else None, follows, called)
        return chosen

    def _meant(self, func: Any) -> Any:
        """torch's own function: it names itself by what stands in its module now, which may be a
        wrapper of the script around it, and would be run twice.
        """
        for home, was in self._written:
            for name, now in vars(home).items():
                if now is func and was.get(name, func) is not func:
                    return was[name]
        return func

    def _found(self, func: Any) -> Chosen:
        name = self._names.get(func, getattr(func, "__name__", ""))
        if isinstance(func, torch._ops.OpOverloadPacket | torch._ops.OpOverload):
            return Chosen("custom op", self._opaque, follows=False, called=func)
        if name == "__get__":
            name = getattr(func.__self__, "__name__", "")
            if name not in PROPERTIES:
                return Chosen(name, None, follows=False, called=func)
        return Chosen(name, self._flow.handlers.get(name), name in self._flow.followers, func)

    def _opaque(self, name: str, func: Any, args: Any, kwargs: Any, out: Any) -> None:
        place_by_shape(self._recorder, args, kwargs, out)


def _public_names(handlers: dict[str, Handler]) -> dict[Any, str]:
    """Functions by the name under which torch offers them: another tool may have wrapped them."""
    homes: tuple[Any, ...] = (torch, torch.nn.functional, Tensor)
    return {getattr(h, n): n for h in homes for n in handlers if callable(getattr(h, n, None))}
