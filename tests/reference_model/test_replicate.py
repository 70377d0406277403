import json
import statistics

import pytest

from reference_model import replicate
from reference_model.contest_log import roundtrip_line, step_line, validation_line
from reference_model.presets import PRESETS


def test_three_seeds_give_mean_deviation_and_a_submission(small_data, tmp_path, capsys):
    """Real runs: both files hold what the runs reported, and a second call repeats none."""
    command = ["--preset", "nano", "--seeds", "1337", "42", "2025", "--out", str(tmp_path)]
    command += ["--author", "A", "--data", str(small_data.root), "--steps", "3", "--threads", "1"]
    assert replicate.main(command) == 0
    results = {
        seed: json.loads((tmp_path / f"seed_{seed}" / "result.json").read_text())
        for seed in (1337, 42, 2025)
    }
    bits = [r["val_bits_per_byte"] for r in results.values()]
    replication = json.loads((tmp_path / "replication.json").read_text())
    submission = json.loads((tmp_path / "submission.json").read_text())

    assert len(set(bits)) == 3
    assert replication["val_bits_per_byte"]["mean"] == pytest.approx(statistics.fmean(bits))
    assert replication["val_bits_per_byte"]["deviation"] == pytest.approx(statistics.stdev(bits))
    assert submission["val_bpb"] == pytest.approx(statistics.fmean(bits))
    assert submission["seeds"] == [1337, 42, 2025] and submission["author"] == "A"
    largest = max(r["artifact_bytes"] for r in results.values())
    assert submission["bytes_total"] == largest + submission["bytes_code"]
    capsys.readouterr()
    assert replicate.main(command) == 0
    assert capsys.readouterr().out.count("complete, nothing to do") == 3


def test_one_seed_has_no_deviation():
    summary = replicate.Summary.of([1.5])

    assert (summary.mean, summary.deviation, summary.standard_error) == (1.5, None, None)


def test_a_failing_run_ends_it(tmp_path, capsys):
    command = [
        "--preset",
        "nano",
        "--seeds",
        "1",
        "2",
        "--out",
        str(tmp_path),
        "--data",
        "/nowhere",
    ]

    assert replicate.main(command) == 2
    assert "no such data folder" in capsys.readouterr().err
    assert not (tmp_path / "replication.json").exists()


def test_the_lines_are_the_contest_s():
    """#549's own log lines, digit by digit."""
    assert step_line(500, 9000, 2.38449, 41.711) == (
        "step:500/9000 train_loss:2.3845 train_time:41711ms step_avg:83.42ms"
    )
    assert validation_line(7179, 9000, 1.92071, 1.13756, 600.0249) == (
        "step:7179/9000 val_loss:1.9207 val_bpb:1.1376 train_time:600025ms step_avg:83.58ms"
    )
    assert roundtrip_line(1.9338123456, 1.1453123456) == (
        "final_int6_roundtrip_exact val_loss:1.93381235 val_bpb:1.14531235"
    )


def test_every_recipe_is_listed_under_its_name():
    assert {name: preset.name for name, preset in PRESETS.items()} == {n: n for n in PRESETS}
    assert {"tiny", "record_549", "record_754", "seed_537", "seed_518", "seed_1185"} <= set(PRESETS)
