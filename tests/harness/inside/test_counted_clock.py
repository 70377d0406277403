"""A clock that counts looks: the same for every run, and the machine's own for everybody else."""

import time
from typing import Any

import pytest
import torch

from harness.inside import counted_clock
from harness.inside.shim.streams import Event


def test_a_script_sees_a_second_a_look_and_the_others_the_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Under each name, also where it was imported by name; a loop ends after as many looks."""
    for name in counted_clock.CLOCKS:
        for one in (name, f"{name}_ns"):
            monkeypatch.setattr(time, one, getattr(time, one))
    monkeypatch.setattr(Event, "clock", Event.clock)
    before = time.perf_counter()
    counted_clock.install(lambda file: file == "<script>")
    space: dict[str, float] = {}
    script = (
        "from time import perf_counter, time\nbegan, steps = perf_counter(), 0\n"
        "while perf_counter() - began < 30:\n    steps += 1\nspent = time() - time()\n"
    )
    exec(compile(script, "<script>", "exec"), space)
    assert (space["steps"], space["spent"]) == (29, -1)
    one, two = Event(), Event()
    assert one.elapsed_time(two) == 1_000  # an event is a look
    assert time.perf_counter() - before < 30


def test_beside_gradients_a_look_takes_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each gradient is a second, wherever it is taken; who does not time it pays for a look."""
    for name in counted_clock.CLOCKS:
        for one in (name, f"{name}_ns"):
            monkeypatch.setattr(time, one, getattr(time, one))
    monkeypatch.setattr(Event, "clock", Event.clock)
    for name in ("backward", "grad"):
        monkeypatch.setattr(torch.autograd, name, getattr(torch.autograd, name))
    counted_clock.install(lambda file: file == "<script>", by_gradients=True)
    space: dict[str, Any] = {"torch": torch}
    script = (
        "import time\nweight = torch.ones(1, requires_grad=True)\n"
        "def timed(inside):\n    began = time.time()\n    if inside: weight.sum().backward()\n"
        "    return time.time() - began\n"
        "found = [round(timed(inside), 6) for inside in (True, False)]\n"
    )
    exec(compile(script, "<script>", "exec"), space)
    assert space["found"] == [1.1, 0.1]
