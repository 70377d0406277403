"""Which runs go side by side, and what is kept of them."""

import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest

from harness.experiments.announced import Announced
from harness.experiments.evidence import Evidence
from harness.experiments.run_name import RunKind, RunName
from harness.experiments.runner import Runner
from harness.observer import Observer

LONG, OTHER = RunName(RunKind.UNIFORM, 1), RunName(RunKind.REPEAT)


def runner(jobs: int) -> Any:
    """Over a base run of no time, and a driver that only counts."""
    base: Any = SimpleNamespace(outcome=SimpleNamespace(wall_s=0.0))
    driver: Any = SimpleNamespace(announced=Announced(Observer()), stop=lambda: None)
    return Runner(driver, Evidence(base, {}), time.monotonic() + 60, jobs)


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_long_run_goes_beside_the_others_where_there_is_a_core_for_it(jobs: int) -> None:
    """It ends behind them, or comes in front of them; all are kept."""
    made, done, ended = runner(jobs), threading.Event(), list[RunName]()

    def long() -> Any:
        assert jobs == 1 or done.wait(10)
        ended.append(LONG)

    def other() -> Any:
        ended.append(OTHER)
        return SimpleNamespace(finished=True)

    with made.beside({LONG: long}):
        made.make({OTHER: other})
        assert OTHER in made.evidence.runs
        done.set()
    assert ended == ([LONG, OTHER] if jobs == 1 else [OTHER, LONG])
    assert made.evidence.skipped == {LONG: "no time was left"}  # it gave no run


def test_what_ended_is_kept_when_the_block_is_broken_off() -> None:
    """The long run is listed with the reason."""
    made, done = runner(2), threading.Event()

    def broken_off() -> None:
        with made.beside({LONG: lambda: done.wait(10) and None}):
            made.make({OTHER: lambda: SimpleNamespace(finished=True)})
            done.set()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken_off()
    assert OTHER in made.evidence.runs and LONG not in made.evidence.runs
    assert LONG in made.evidence.skipped
