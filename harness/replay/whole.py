"""An evaluation once more, where a counterexample needs all of its runs, and its numbers beside the
recorded ones.

Guarantees: the options, the seed and the folder are those of the report. Does not cover machines
that are slower than its limits of time.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from harness.library import carry_out
from harness.observer import Observer
from harness.replay.recorded import Counterexample, Recorded
from harness.replay.sides import Replayed
from harness.request import Request

AROUND = 4


class WholeReplay:
    """One evaluation for all counterexamples that need it."""

    def __init__(self, recorded: Recorded, request: Request, observer: Observer, out: Path) -> None:
        out.mkdir()
        asked = dataclasses.replace(request, out=None, no_static=True, seed=recorded.seed)
        self._now = carry_out(asked, observer, out).report.to_json()
        self._out = out

    def replayed(self, then: Counterexample) -> Replayed:
        """Both sides."""
        status = self._now["rules"].get(then.rule)
        if status is None:
            why = self._now["failure"] or "no run came to it"
            return Replayed([f"now: {then.rule} was not examined ({why})"], again=False)
        lines = [*self._streams(then.numbers), f"now: {status['status']}: {status['message']}"]
        lines += _both(then.numbers, _alike(then.numbers, status["findings"]))
        return Replayed(lines, status["status"] == "fail")

    def _streams(self, numbers: Mapping[str, Any]) -> Iterator[str]:
        """The two that differ from a place on, where the counterexample is of that kind."""
        cut = numbers.get("first_flipped")
        files = {p.parent.name: p for p in sorted((self._out / "runs").glob("*/stream.npy"))}
        other = next((name for name in files if "flip" in name or "future" in name), None)
        if cut is None or other is None or "base" not in files:
            return
        yield f"two streams, the same before position {cut}:"
        for name in ("base", other):
            tokens = np.load(files[name], allow_pickle=False)
            before, behind = tokens[max(0, cut - AROUND) : cut], tokens[cut : cut + AROUND]
            shown = f"{' '.join(map(str, before))} | {' '.join(map(str, behind))}"
            yield f"  {name:<12} ... {shown} ..."


def _alike(then: Mapping[str, Any], findings: list[dict[str, Any]]) -> Mapping[str, Any]:
    """Numbers of the same kind."""
    return next((one for one in findings if one.keys() == then.keys()), {})


def _both(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    for name, was in then.items():
        if isinstance(was, int | float) and not isinstance(was, bool) and name in now:
            same = "" if now[name] == was else "   differs"
            yield f"  {name:<24} {was!s:<24} {now[name]!s}{same}"
