"""Does a pair do what its answer says? Both scripts run made small, each in a process of its own.

A cheat must print fewer bits per byte than its honest twin by more than float noise, where it is
for that number (else the honest one alone is run); otherwise the draw means nothing on text and is
no case. What needs two ranks is run by two processes.

Guarantees: the scripts that run differ from those that are written in their sizes alone. Does not
cover: that the gain is the cheat's by the size that the harness picks.
"""

from __future__ import annotations

import os
import re
import runpy
import sys
import tempfile
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.context import ForkProcess
from pathlib import Path

import numpy as np
import torch

from benchmarks.synthesize.accumulation import PRINTS
from benchmarks.synthesize.cheats import CHEATS
from benchmarks.synthesize.compose import Axes, small, write
from reference_model.data.folder import DataFolder
from reference_model.data.shards import write_shard

NOISE = 1e-5  # bits per byte; prints round to 1e-6
LIMIT_S = 120.0
_TRAIN, _VALIDATION = 60_000, 3_001  # tokens; the last chunk is incomplete


class ScriptFailed(Exception):
    """A generated script that does not run: a bug of the generator."""


@dataclass(frozen=True)
class Pair:
    """What the twins print."""

    honest: float  # bits per byte
    cheating: float | None  # None: not for this number

    @property
    def acts(self) -> bool:
        return self.cheating is None or self.cheating < self.honest - NOISE


def make_data(root: Path, full: DataFolder) -> None:
    """The first tokens of `full`, and its tokenizer, where scripts look for them by default."""
    pieces = root / "data/tokenizers/fineweb_1024_bpe.model"
    pieces.parent.mkdir(parents=True)
    pieces.write_bytes(full.tokenizer.read_bytes())
    shards = root / "data/datasets/fineweb10B_sp1024"
    shards.mkdir(parents=True)
    for split, tokens, n in (
        ("train", full.train_tokens(), _TRAIN),
        ("val", full.validation_tokens(), _VALIDATION),
    ):
        write_shard(shards / f"fineweb_{split}_000000.bin", np.asarray(tokens[:n]))


def verify(axes: Axes, root: Path) -> Pair:
    """Runs both; `root` has the data. Raises ScriptFailed."""
    cheat = CHEATS[axes.cheat]
    honest = _printed(axes, False, root, cheat.ranks)
    return Pair(honest, _printed(axes, True, root, cheat.ranks) if cheat.gains else None)


def _printed(axes: Axes, cheating: bool, root: Path, ranks: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        write(small(axes), cheating, Path(folder))
        log = Path(folder) / "log.txt"
        running = [_start(Path(folder), root, rank, ranks) for rank in range(ranks)]
        for process in running:
            process.join(LIMIT_S)
            process.kill()
        text = log.read_text(encoding="utf-8")
    found = re.findall(PRINTS[axes.print].reads, text)
    if any(process.exitcode for process in running) or not found:
        raise ScriptFailed(f"{axes}, cheating: {cheating}\n{text}")
    return float(found[-1])


def _start(folder: Path, root: Path, rank: int, ranks: int) -> ForkProcess:
    environment = {}
    if ranks > 1:
        environment |= {"RANK": str(rank), "WORLD_SIZE": str(ranks)}
        port = 20_000 + os.getpid() % 9_000
        environment |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    process = get_context("fork").Process(target=_run, args=(folder, root, environment))
    process.start()
    return process


def _run(folder: Path, root: Path, environment: dict[str, str]) -> None:
    """In a fork, which has torch loaded: seconds less a script."""
    with (folder / "log.txt").open("ab", buffering=0) as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    sys.stdout = sys.stderr = os.fdopen(1, "w", buffering=1, closefd=False)
    os.environ |= environment
    os.chdir(root)
    torch.set_num_threads(1)
    script = str(folder / "train_gpt.py")
    sys.argv = [script]
    sys.path.insert(0, str(folder))
    runpy.run_path(script, run_name="__main__")
