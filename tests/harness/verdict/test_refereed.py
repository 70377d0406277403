"""A refereed run that breaks off: what was proved stays, what was not reached does not pass."""

import pytest
from toy_predictors import uniform_with

BREAKS_OFF = """
        self.seen += 1
        if self.seen > 5:
            raise RuntimeError("half-way")
        return self.rows(windows, scored){lie}
"""
REFEREED = ("BYTES-1", "CAUSAL-1", "NORM-1", "ORDER-1", "ORDER-2", "ORDER-7", "PASS-1", "PASS-3")


@pytest.mark.parametrize(
    ("lie", "verdict", "failed"),
    [("", "UNRUNNABLE", set()), (" + 0.7", "VIOLATION", {"NORM-1"})],
    ids=["honest", "weighs two"],
)
def test_a_run_that_broke_off_passes_nothing_and_hides_no_proof(
    native, evaluate, lie: str, verdict: str, failed: set[str]
) -> None:
    """Every rule of the referee is listed: failed where it was proved, else unknown, and those that
    the run had kept as far as it came say that it broke off.
    """
    done = evaluate(native("predictor", uniform_with(BREAKS_OFF.format(lie=lie))), "--no-static")
    rules = done.report["rules"]

    assert done.report["verdict"] == verdict and "half-way" in done.report["failure"]
    assert {r for r in REFEREED if rules[r]["status"] == "fail"} == failed
    assert {r for r in REFEREED if rules[r]["status"] == "unknown"} == {*REFEREED} - failed
    assert "SOURCE-1" not in rules
    for rule in {"ORDER-1", "PASS-3"}:
        assert "the run broke off before its end" in rules[rule]["message"]
