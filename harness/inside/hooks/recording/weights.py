"""Fingerprints of what the script trains: every parameter of a module, every optimised tensor.

On CPU the contents are hashed (a small model: well under a millisecond). On an accelerator the
norms of all parameters are taken in one fused kernel, and not more often than every `REST_S`
seconds, since the host has to wait for them; in between the last value stands, and a write by hand
is seen by the next look. What is computed without gradients behind an optimiser's step is looked at
at once: a score has the weights that it was made with.
Not covered: buffers, and tensors that neither a module registers nor an optimiser holds.
"""

import itertools
import time
import weakref
from typing import Any, NamedTuple

import torch
import xxhash
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from harness.inside.hooks.recording.identity_map import identity
from harness.inside.hooks.recording.silent_weights import silent_parts
from harness.protocol.tensor_bytes import tensor_bytes

REST_S = 2.0


class Look(NamedTuple):
    """What a look at the parameters tells."""

    fingerprint: int
    written: bool  # one differs from the last look, with no step between
    silent: int = 0  # trainable tensors, or matrices of a stack, that are zero as a whole


class Weights:
    """The live parameters, and whether they moved."""

    def __init__(self) -> None:
        # Each with its number.
        self._made: weakref.WeakKeyDictionary[nn.Module, int] = weakref.WeakKeyDictionary()
        self._numbers = itertools.count()
        self._leaves: weakref.WeakValueDictionary[int, Tensor] = weakref.WeakValueDictionary()
        self._last: dict[int, int] = {}
        self._silent: dict[int, int] = {}  # of each, its silent parts
        self._value = 0
        self._rests_until_s = 0.0
        self._hook = register_module_parameter_registration_hook(self._registered)
        self.stepped = True

    def close(self) -> None:
        """Stops listening."""
        self._hook.remove()

    def _registered(self, module: nn.Module, name: str, parameter: Any) -> None:
        self._made.setdefault(module, next(self._numbers))

    def optimised(self, tensor: Tensor) -> None:
        """A tensor that an optimiser holds."""
        self._leaves[identity(tensor)] = tensor

    def look(self) -> Look:
        """The parameters as they are now; on an accelerator, as they were a while ago."""
        new = self.stepped and not torch.is_grad_enabled()
        if time.monotonic() < self._rests_until_s and not new:
            return Look(self._value, written=False)
        parameters = self.parameters()
        if all(p.device.type == "cpu" for p in parameters):
            digests = _digests(parameters)
        else:
            digests = _norms(parameters)
            self._rests_until_s = time.monotonic() + REST_S
        moved = any(self._last.get(k, d) != d for k, d in digests.items())
        written = moved and not self.stepped
        self.stepped = False
        silent = self._silent_parts(parameters, digests)
        self._last = digests
        self._value = xxhash.xxh3_64_intdigest(repr(sorted(digests.values())).encode())
        return Look(self._value, written, silent)

    def _silent_parts(self, parameters: list[Tensor], digests: dict[int, int]) -> int:
        """On the host, where looking costs little, and only where something is new."""
        if self._rests_until_s:
            return 0
        before, self._silent = self._silent, {}
        for parameter in parameters:
            key = identity(parameter)
            if digests.get(key) != self._last.get(key) or key not in before:
                self._silent[key] = sum(1 for _ in silent_parts(parameter))
            else:
                self._silent[key] = before[key]
        return sum(self._silent.values())

    def parameters(self) -> list[Tensor]:
        """All that live, in the order in which their modules were made."""
        found: dict[int, Tensor] = {}
        for module, _ in sorted(self._made.items(), key=lambda made: made[1]):
            for parameter in module._parameters.values():
                if parameter is not None:
                    found[identity(parameter)] = parameter
        found.update(self._leaves.items())
        return list(found.values())


def _digests(parameters: list[Tensor]) -> dict[int, int]:
    out = {}
    for parameter in parameters:
        if parameter.numel():
            out[identity(parameter)] = xxhash.xxh3_64_intdigest(tensor_bytes(parameter))
    return out


def _norms(parameters: list[Tensor]) -> dict[int, int]:
    kinds: dict[Any, list[Tensor]] = {}
    for parameter in parameters:
        if parameter.is_floating_point() and parameter.device.type != "meta":
            kinds.setdefault((parameter.device, parameter.dtype), []).append(parameter)
    out: dict[int, int] = {}
    for group in kinds.values():
        norms = torch.stack(torch._foreach_norm([p.detach() for p in group])).double().cpu()
        out.update(zip(map(identity, group), norms.numpy().view("uint64").tolist(), strict=True))
    return out
