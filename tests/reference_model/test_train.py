"""The command as a user runs it: real processes, a real kill."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from reference_model import train
from reference_model.artifact import load_artifact
from reference_model.batches import Batches
from reference_model.presets import NANO
from reference_model.ranks import Ranks
from reference_model.run_folder import RunFolder
from reference_model.trainer import Trainer, TrainingError

STEPS = 12


def trainer(data, **changes) -> Trainer:
    config = replace(NANO.config, vocab_size=data.vocab_size)
    preset = replace(NANO, config=config, **changes)
    source = Batches(data.train_tokens(), preset.batch_size, config.seq_len, seed=0)
    return Trainer(preset, source, 0, Ranks(0, 1, torch.device("cpu")))


@pytest.fixture(scope="module")
def command(small_data):
    """The training command on the small data, as a list to which options are added."""
    return [
        sys.executable, "-m", "reference_model.train", "--preset", "nano",
        "--data", str(small_data.root), "--steps", str(STEPS), "--threads", "1",
    ]  # fmt: skip


def run(command: list[str], *options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*command, *map(str, options)], capture_output=True, text=True, timeout=120
    )


@pytest.fixture(scope="module")
def complete(command, tmp_path_factory):
    """One uninterrupted run: its folder and what it printed."""
    out = tmp_path_factory.mktemp("runs") / "complete"
    return out, run(command, "--out", out)


def result(out) -> dict:
    return json.loads((out / "result.json").read_text())


def test_it_trains_and_reports(complete, small_data):
    """Artifact, log and result agree with each other and with what is on the screen."""
    out, done = complete
    facts = result(out)
    log = [json.loads(line) for line in (out / "train.jsonl").read_text().splitlines()]

    assert done.returncode == 0, done.stderr
    assert facts["artifact_bytes"] == (out / "artifact.bin").stat().st_size
    assert facts["data_fingerprint"] == small_data.fingerprint()
    assert 1.0 < facts["val_bits_per_byte"] < 6.0
    assert facts["val_bits_per_byte"] == pytest.approx(facts["val_bits_per_byte_float"], abs=0.05)
    assert f"{facts['artifact_bytes']:,} bytes" in done.stdout
    assert f"{facts['val_bits_per_byte']:.4f} bits per byte after" in done.stdout
    assert [record["step"] for record in log] == [10, 12]
    assert sorted(p.name for p in out.iterdir()) == [
        "artifact.bin", "result.json", "settings.json", "train.jsonl", "train.log",
    ]  # fmt: skip


def test_the_artifact_remembers_where_it_comes_from(complete, small_data):
    model, metadata = load_artifact(complete[0] / "artifact.bin")

    assert metadata["preset"] == "nano" and metadata["seed"] == 0
    assert metadata["data_fingerprint"] == small_data.fingerprint()
    assert metadata["tokenizer_sha256"] == small_data.tokenizer_sha256()
    assert metadata["calibration_data"].startswith("none")
    assert model.config.vocab_size == small_data.vocab_size == 512


def test_complete_it_does_nothing(complete, command):
    """The same command again changes no file."""
    out, _ = complete
    before = {path.name: path.stat().st_mtime_ns for path in out.iterdir()}
    again = run(command, "--out", out)

    assert again.returncode == 0 and "complete, nothing to do" in again.stdout
    assert {path.name: path.stat().st_mtime_ns for path in out.iterdir()} == before


def test_another_seed_is_another_artifact(complete, command, tmp_path):
    """The seed is used (that one seed gives the same bytes again is shown by the resumed runs)."""
    run(command, "--out", tmp_path / "other", "--seed", 1)

    assert result(tmp_path / "other")["artifact_sha256"] != result(complete[0])["artifact_sha256"]


# Sends the signal to itself at a step that is no checkpoint, as no outside kill could be timed.
DYING = """
import os, runpy, sys
from reference_model.trainer import Trainer
step = Trainer.train_step
def train_step(self):
    if self.step == 8:
        os.kill(os.getpid(), {signal})
    return step(self)
Trainer.train_step = train_step
sys.argv[0] = "train"
runpy.run_module("reference_model.train", run_name="__main__")
"""


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGINT])
def test_killed_and_resumed_is_the_same_run(complete, command, tmp_path, signum):
    """A run that died at step 8 and went on from step 5 ends in the very same bytes and log."""
    out = tmp_path / "killed"
    dying = [sys.executable, "-c", DYING.format(signal=int(signum)), *command[3:]]
    died = run(dying, "--out", out)
    assert died.returncode == (130 if signum == signal.SIGINT else -signal.SIGKILL)
    assert not (out / "result.json").exists()

    resumed = run(command, "--out", out)

    assert "resumed after step 5" in resumed.stdout
    assert result(out)["artifact_sha256"] == result(complete[0])["artifact_sha256"]
    assert (out / "train.jsonl").read_text() == (complete[0] / "train.jsonl").read_text()


def test_diverged_training_stops(small_data):
    """A loss that is no number ends the run before it is saved over a good checkpoint."""
    diverged = trainer(small_data)
    torch.nn.init.constant_(diverged.model.tok_emb.weight, float("nan"))

    with pytest.raises(TrainingError, match="step 0 is nan"):
        diverged.loss_value(diverged.train_step())


def test_a_broken_checkpoint_is_named(small_data, tmp_path):
    (tmp_path / "checkpoint.pt").write_bytes(b"half a checkpoi")

    with pytest.raises(TrainingError, match=r"checkpoint\.pt.*delete it"):
        trainer(small_data).load(tmp_path / "checkpoint.pt")


def test_a_checkpoint_cannot_run_code(small_data, tmp_path):
    """A checkpoint is read without executing what a pickle may ask for."""

    class Mischief:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "owned"),)

    torch.save({"step": Mischief()}, tmp_path / "checkpoint.pt")

    with pytest.raises(TrainingError):
        trainer(small_data).load(tmp_path / "checkpoint.pt")
    assert not (tmp_path / "owned").exists()


def test_two_runs_do_not_share_a_folder(tmp_path):
    """The folder says whose it is; what differs is told."""
    RunFolder.claim(tmp_path, {"seed": 0, "recipe": {"n_layer": 2}})
    RunFolder.claim(tmp_path, {"seed": 0, "recipe": {"n_layer": 2}})

    with pytest.raises(TrainingError, match="seed: 0 there, 5 asked"):
        RunFolder.claim(tmp_path, {"seed": 5, "recipe": {"n_layer": 2}})
    with pytest.raises(TrainingError, match="n_layer"):
        RunFolder.claim(tmp_path, {"seed": 0, "recipe": {"n_layer": 3}})


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--data", "/nowhere"], "no such data folder"),
        (["--device", "warp"], "this machine has no 'warp'"),
        (["--steps", "0"], "at least 1"),
        (["--seed", "x"], "whole number"),
        (["--preset", "huge"], "invalid choice"),
    ],
)
def test_wrong_use_is_explained(tmp_path, options, complaint, capsys):
    """Exit code 2 and a sentence, never a traceback."""
    try:
        code = train.main(["--out", str(tmp_path), *options])
    except SystemExit as stop:  # argparse leaves this way
        code = stop.code

    assert code == 2
    assert complaint in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "warning"),
    [({}, None), ({"within_bytes": False}, "TOO LARGE"), ({"within_budget": False}, "TOO LONG")],
)
def test_what_the_contest_would_refuse_is_said(complete, capsys, change, warning):
    """A model that is too large or took too long is reported as that; a good one without a word."""
    train._report(result(complete[0]) | {"budget_s": 600.0} | change)
    printed = capsys.readouterr().out

    assert (warning in printed) if warning else ("TOO" not in printed)
