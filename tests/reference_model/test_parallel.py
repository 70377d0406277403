"""Several processes and one: the same run. Real processes, joined as torchrun joins them."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from reference_model import train
from reference_model.presets import NANO
from reference_model.ranks import Ranks, RanksError

# Optimiser steps on a model whose banks hold 3 and 6 matrices (3 are uneven among 2).
# Each process gets its part of the mean gradient; it writes what its weights became.
STEPS = """
import sys, torch
from dataclasses import replace
from reference_model.gpt import GPT
from reference_model.optim import Optimizers
from reference_model.presets import NANO
from reference_model.ranks import Ranks
torch.set_num_threads(1)
ranks = Ranks.join("cpu")
torch.manual_seed(0)
model = GPT(replace(NANO.config, n_layer=3))
optimizers = Optimizers(model, replace(NANO.optim, grad_clip=0.5, scalar_decay=0.1))
state = None
for step in range(4):
    torch.manual_seed(step)
    for p in model.parameters():
        parts = torch.randn(4, *p.shape)
        mine = parts.chunk(ranks.n_ranks)[ranks.rank]
        p.grad = mine.sum(0) / len(parts)
    optimizers.set(1.0 / (step + 1), 0.9)
    optimizers.step()
    if step == 1:  # resumed from here, its state gathered and dealt out again
        state = optimizers.state()
        optimizers = Optimizers(model, replace(NANO.optim, grad_clip=0.5, scalar_decay=0.1))
        optimizers.load(state)
torch.save({n: p.detach() for n, p in model.named_parameters()}, f"{sys.argv[1]}.{ranks.rank}")
ranks.leave()
"""


def launch(n_ranks: int, command: list[str], port: int) -> list[subprocess.CompletedProcess[str]]:
    """The command in each process, with torchrun's environment."""
    shared = os.environ | {
        "WORLD_SIZE": str(n_ranks), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port),
        "OMP_NUM_THREADS": "1",
    }  # fmt: skip
    running = [
        subprocess.Popen(
            [sys.executable, *command],
            env=shared | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(n_ranks)
    ]
    done = []
    for process in running:
        out, err = process.communicate(timeout=120)
        done.append(subprocess.CompletedProcess(command, process.returncode, out, err))
    return done


def outcome(out: Path) -> tuple[list[dict], dict]:
    """A run's logged steps and its result."""
    lines = (out / "train.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines], json.loads((out / "result.json").read_text())


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def test_two_processes_take_one_s_steps(tmp_path, port):
    """Reduce-scatter, Newton-Schulz by halves, all-gather, a clip of the whole: the same weights.

    Also over a resumption in the middle, and both processes end equal to the last bit.
    """
    for n_ranks in (1, 2):
        for done in launch(n_ranks, ["-c", STEPS, str(tmp_path / str(n_ranks))], port):
            assert done.returncode == 0, done.stderr
    alone, first, second = (torch.load(tmp_path / name) for name in ("1.0", "2.0", "2.1"))

    for name, weight in alone.items():
        torch.testing.assert_close(first[name], weight, rtol=1e-4, atol=1e-5)
        assert torch.equal(first[name], second[name])


def test_a_shared_run_is_the_run(small_data, tmp_path, port):
    """The whole command on two processes: the loss of each step, and the outcome, of one."""
    options = ["--preset", "nano", "--data", str(small_data.root), "--steps", "12"]
    options += ["--threads", "1", "--out"]
    assert train.main([*options, str(tmp_path / "alone")]) == 0
    command = ["-m", "reference_model.train", *options, str(tmp_path / "shared")]
    for done in launch(2, command, port):
        assert done.returncode == 0, done.stderr
    (log, alone), (shared_log, shared) = (outcome(tmp_path / n) for n in ("alone", "shared"))

    assert [r["step"] for r in shared_log] == [r["step"] for r in log]
    for ours, theirs in zip(shared_log, log, strict=True):
        assert ours["nats_per_token"] == pytest.approx(theirs["nats_per_token"], abs=1e-3)
    assert shared["val_bits_per_byte"] == pytest.approx(alone["val_bits_per_byte"], abs=1e-3)


@pytest.mark.parametrize("n_ranks", ["3", "16"])
def test_only_divisors_of_eight_share_a_run(monkeypatch, n_ranks):
    monkeypatch.setenv("WORLD_SIZE", n_ranks)

    with pytest.raises(RanksError, match="divide 8"):
        Ranks.join("cpu")


def test_a_batch_is_dealt_out_evenly():
    ranks = [Ranks(rank, 4, torch.device("cpu")) for rank in range(4)]

    assert [row for r in ranks for row in r.rows(NANO.batch_size)] == list(range(NANO.batch_size))
    with pytest.raises(RanksError, match="do not divide"):
        ranks[0].rows(6)
