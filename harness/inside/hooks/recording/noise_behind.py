"""Noise in the weights behind a certain moment of a run: does a number that comes later move?

A score that is counted comes from a forward pass at that time; one that was remembered does not
know what became of the weights. The moment is so many notes of the process's input and output: the
lines with numbers that it printed, the files that it opened.

Guarantees: whatever is written to a parameter later (a load, a step) gets noise as well before the
next forward; the script's generator is not touched. Not covered: as for `silent_weights`.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.nn.modules.module import register_module_forward_pre_hook

from harness.inside.hooks.recording.identity_map import identity
from harness.inside.hooks.recording.silent_weights import add_noise
from harness.protocol.job import Loudness


class NoiseBehind:
    """Fills them while installed, once each time that they were written."""

    def __init__(
        self,
        louder: Loudness,
        parameters: Callable[[], Iterable[Tensor]],
        noted: Callable[[], int],  # lines and files so far
    ) -> None:
        self._louder, self._parameters, self._noted = louder, parameters, noted
        self._left: dict[int, int] = {}  # the version of each behind our noise
        self._generator = torch.Generator().manual_seed(louder.noise or 0)
        self._hook = register_module_forward_pre_hook(self._forward)

    def close(self) -> None:
        """Stops listening."""
        self._hook.remove()

    def _forward(self, module: Any, args: Any) -> None:
        if self._noted() < self._louder.behind:
            return
        for parameter in self._parameters():
            if self._left.get(identity(parameter)) != _version(parameter):
                add_noise(parameter, self._generator)
                self._left[identity(parameter)] = _version(parameter)


def _version(parameter: Tensor) -> int:
    """Of a tensor that was made in inference mode nobody counts any."""
    return -1 if parameter.is_inference() else parameter._version
