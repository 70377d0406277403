"""What an observer hears of the runs of a submission."""

import pytest

from harness.commands.progress import Shown
from harness.experiments.announced import Announced
from harness.experiments.run_name import BASE, RunKind, RunName
from harness.observer import Observer, RunNote
from harness.protocol.job import Outcome, RunState


class Heard(Observer):
    def __init__(self) -> None:
        self.said: list[str] = []

    def run_begins(self, run: RunNote) -> None:
        self.said.append(run.title)

    def run_ends(self, run: RunNote, wall_s: float, how: str) -> None:
        self.said.append(f"{run.number} {how or 'well'}")


def test_each_run_is_announced_with_its_number_its_name_and_its_purpose() -> None:
    """Of how many: only what is planned so far, as what these show decides what else is made."""
    heard = Heard()
    runs = Announced(heard)
    for outcome in (Outcome(RunState.FAILED, 1.0, "OSError"), Outcome(RunState.ENDED, 1.0)):
        with runs.run(BASE) as outcomes:
            outcomes.append(outcome)
    runs.expect(2)
    with runs.run(RunName(RunKind.FUTURE, 1)) as outcomes:
        assert runs.under_way == ["changed future 1"]
        outcomes.append(Outcome(RunState.ENDED, 1.0))
    assert heard.said == [
        "run 1, base: a stream that mixes known sources by document",
        "1 failed: OSError",
        "run 2, base: a stream that mixes known sources by document",
        "2 well",
        "run 3 of 4 planned so far, changed future 1: other tokens behind a cut: do scores before"
        " it move?",
        "3 well",
    ]


def test_a_run_that_was_broken_off_stays_named() -> None:
    """It is announced as ended, and the report can say which one it was."""
    heard = Heard()
    runs = Announced(heard)
    with pytest.raises(KeyboardInterrupt), runs.run(BASE):
        raise KeyboardInterrupt
    assert heard.said[1:] == ["1 not brought to its end"]
    assert runs.under_way == ["base"]


def test_a_log_gets_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """One when a run begins, one when it ends, with seconds; what a script says moves no cursor."""
    shown = Shown()
    note = RunNote(3, 4, "repeat", "the same again")
    shown.run_begins(note)
    shown.run_ends(note, 2.04, "failed: OSError \x1b[2J")
    said = capsys.readouterr()
    assert said.err.splitlines() == [
        "run 3 of 4 planned so far, repeat: the same again",
        "run 3, repeat, ended after 2.0 s: failed: OSError \\x1b[2J",
    ]
    assert said.out == ""
