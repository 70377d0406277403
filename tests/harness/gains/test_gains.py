"""A gain is real where it is more than the best of as many tries of one thing."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from harness.commands.gains import main
from harness.errors import UsageError
from harness.gains.significance import expected_best, gains_of, noise_floor
from harness.gains.tries import Try, read_tries

HEADER = "commit\tval_bpb\tmemory_gb\tstatus\tdescription\n"


def tries_of(values: list[float], kept: list[bool]) -> list[Try]:
    """Each of a commit of its own."""
    pairs = enumerate(zip(values, kept, strict=True), 2)
    return [Try(line, f"c{line}", value, keep, "") for line, (value, keep) in pairs]


def keeping(values: list[float]) -> list[bool]:
    """As a loop keeps what is better."""
    best = np.minimum.accumulate(values)
    return [True, *(bool(now < before) for now, before in zip(values[1:], best, strict=False))]


def test_the_best_of_many_draws_is_what_the_tables_say() -> None:
    """Expected extremes of the normal law: 1.1630 of five, 2.5076 of a hundred."""
    assert expected_best(5) == pytest.approx(1.16296, abs=1e-4)
    assert expected_best(100) == pytest.approx(2.50759, abs=1e-4)


def test_noise_alone_is_called_real_no_more_often_than_it_may() -> None:
    """Of loops that tried one thing 60 times, at most one in twenty shows a gain; each keeps some
    five records all the same.
    """
    rng, real, records = np.random.default_rng(0), 0, []
    for _ in range(300):
        values = list(rng.normal(1.0, 0.001, 60))
        found = gains_of(tries_of(values, keeping(values)), sigma=0.001)
        real += found.real
        records.append(1 + len(found.steps))

    assert real <= 0.05 * 300 + 3 * math.sqrt(0.05 * 300)
    assert np.mean(records) == pytest.approx(sum(1 / n for n in range(1, 61)), rel=0.1)


def test_a_gain_of_ten_deviations_is_real_and_its_luck_is_not() -> None:
    """The step that is real is named, and the small one behind it is not."""
    values = [1.0, 1.0004, 0.990, 0.9898]
    found = gains_of(tries_of(values, keeping(values)), sigma=0.001)

    assert found.real
    assert [step.real for step in found.steps] == [True, False]


def test_without_repeats_and_without_a_deviation_nothing_is_real() -> None:
    """However large the gain."""
    found = gains_of(tries_of([2.0, 1.0], [True, True]))

    assert found.noise is None and not found.real and not found.steps[0].real


def test_repeats_of_one_commit_are_the_noise_floor() -> None:
    """Pooled over commits, with the degrees of freedom that they leave."""
    values = [1.0, 1.002, 0.999, 0.5, 0.504]
    tries = [Try(i, c, v, True, "") for i, (c, v) in enumerate(zip("aaabb", values, strict=True))]
    noise = noise_floor(tries)
    groups = (np.array(values[:3]), np.array(values[3:]))
    pooled = sum(((group - group.mean()) ** 2).sum() for group in groups) / 3

    assert noise is not None and noise.freedom == 3
    assert noise.sigma == pytest.approx(math.sqrt(pooled))
    assert gains_of(tries).uneven_repeats


def test_a_log_is_read_as_loops_write_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Crashes gave no number; the plot and the object are of the same log."""
    log, plot = tmp_path / "results.tsv", tmp_path / "gains.svg"
    rows = [
        "a\t1.0\t44.0\tkeep\tbaseline",
        "b\t0.0\t0.0\tcrash\tboom",
        "c\t0.9\t44.0\tkeep\tseed 7",
    ]
    log.write_text(HEADER + "\n".join(rows), encoding="utf-8")

    assert main([str(log), "--sigma", "0.001", "--plot", str(plot), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["tries"], found["of_seeds"], len(found["steps"])) == (2, 1, 1)
    assert plot.read_text(encoding="utf-8").startswith("<svg")
    assert main([str(log)]) == 3
    assert "no commit was run twice" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1"),
        ("a\tb\n1\t2\n", "line 1"),
        (HEADER + "a\tx\t1\tkeep\t-\nb\t1\t1\tkeep\t-", "line 2: no number"),
        (HEADER + "a\t1.0\t1\tkeep\t-", "1 tries with a number"),
    ],
)
def test_a_log_that_cannot_be_read_says_where(text: str, said: str, tmp_path: Path) -> None:
    """By file and line."""
    log = tmp_path / "results.tsv"
    log.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=said):
        read_tries(log)
