"""What a report says that nobody looked at."""

from harness.report.gaps import PROGRAM, RECORD, REFEREED, gaps

POWER = [
    {"class": "training", "applies": True, "shown": True},
    {"class": "adaptation", "applies": False, "shown": False},
    {"class": "tables", "applies": True, "shown": False},
]


def test_isolation_that_was_not_active_is_a_gap() -> None:
    """And only that part of it."""
    driven = {"walls": ["mounts", "processes", "limits"], "power": []}
    (said,) = (gap for gap in gaps("upstream", driven, True) if "not active" in gap)
    assert said.endswith("the network (DATA-6)")


def test_each_kind_keeps_its_own_sentences() -> None:
    """What is true of one folder is not said of another."""
    whole = {"walls": ["mounts", "network", "processes", "limits"], "power": []}
    record, program = set(gaps("upstream", whole, True)), set(gaps("program", whole, True))
    refereed = set(gaps("engine", None, True))
    assert set(RECORD) <= record and set(PROGRAM) <= program and set(REFEREED) <= refereed
    always = record & program & refereed
    assert len(always) == 1 and "BUDGET-3" in always.pop()
    assert not any("isolation" in gap for gap in record | program)


def test_a_class_without_power_is_a_gap() -> None:
    """Only the class whose control showed nothing is said."""
    (gap,) = (g for g in gaps("upstream", {"walls": [], "power": POWER}, True) if "power of" in g)
    assert "tables" in gap
    assert "training" not in gap and "adaptation" not in gap  # one showed, one does not apply
