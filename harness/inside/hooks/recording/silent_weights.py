"""Trainable weights that are zero, and what such layers pass on: nothing.

Networks begin with layers whose output is zero, and a small run may leave them so: a leak behind
one is silent. The watch counts them; a run that is asked to be loud adds seeded noise to all
weights before the first forward, and goes on from there: a causal procedure is so for any weights.
What is made of the weights later (averages, quantised copies, tied layers) is made of the noise as
well.

Guarantees: only what is zero as a whole (a tensor, or of a stack of matrices a matrix) or nowhere
gets noise, so that no pattern is filled; only what is trained, so that no mask is; the same noise
in all runs of one seed. Not covered: buffers, and tensors that no module registers.
"""

import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.modules.module import register_module_forward_pre_hook
from torch.optim.optimizer import register_optimizer_step_pre_hook

from harness.protocol.job import Loudness

VECTOR_STD = 0.5  # of gates, biases and scales; a matrix gets one over the root of its row


def silent_parts(parameter: Tensor) -> Iterator[Tensor]:
    """What of a trainable tensor is zero as a whole; the parts are views of it."""
    if not (parameter.requires_grad and parameter.is_floating_point() and parameter.numel()):
        return
    if parameter.device.type == "meta":
        return
    held = parameter.detach()
    for part in held.unbind(0) if held.ndim > 2 else (held,):
        if not part.any():
            yield part


def loud_parts(parameter: Tensor) -> Iterator[Tensor]:
    """The same, and what is zero nowhere: a triangle, or whatever else has a pattern, stays."""
    yield from silent_parts(parameter)
    trained = parameter.requires_grad and parameter.is_floating_point()
    if trained and parameter.device.type != "meta" and parameter.detach().all():
        yield parameter.detach()


def add_noise(parameter: Tensor, generator: torch.Generator) -> None:
    """As loud as the tensor is, or as a layer is at its beginning."""
    with torch.no_grad():
        for part in loud_parts(parameter):
            std = part.shape[-1] ** -0.5 if part.ndim > 1 else VECTOR_STD
            std = max(std, float(part.float().square().mean().sqrt()))
            part.add_((torch.randn(part.shape, generator=generator) * std).to(part.dtype))


class Noised(NamedTuple):
    """A tensor that got noise."""

    parameter: "weakref.ref[Tensor]"
    before: Tensor
    behind: Tensor


class NoiseBeforeFirstForward:
    """Fills them while installed: once, and again where the script puts back what it had kept."""

    def __init__(self, louder: Loudness, parameters: Callable[[], Iterable[Tensor]]) -> None:
        self._louder, self._parameters = louder, parameters
        self._hooks = [
            register_module_forward_pre_hook(self._forward),
            register_optimizer_step_pre_hook(self._step),
        ]
        self._noised: list[Noised] | None = None

    def close(self) -> None:
        """Stops listening."""
        for hook in self._hooks:
            hook.remove()

    def _forward(self, module: Any, args: Any) -> None:
        if self._noised is not None:
            return
        self._noised = []
        # The script's own generator is not touched.
        generator = torch.Generator().manual_seed(self._louder.noise or 0)
        for parameter in self._parameters():
            before = parameter.detach().clone()
            add_noise(parameter, generator)
            behind = parameter.detach().clone()
            self._noised.append(Noised(weakref.ref(parameter), before, behind))

    def _step(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        """A script that warms up keeps its weights in front of that, and trains from them."""
        with torch._C.DisableTorchFunction(), torch.no_grad():
            for one in self._noised or ():
                parameter = one.parameter()
                if parameter is not None and torch.equal(parameter, one.before):
                    parameter.copy_(one.behind)
