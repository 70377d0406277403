"""Shared parts of the harness's tests: real data, a real tokenizer, a real (nano) artifact."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from reference_model.data.corpus import embedded_data
from reference_model.data.folder import DataFolder
from reference_model.data.shards import write_shard

VALIDATION_TOKENS = 16_384
TRAIN_TOKENS = 200_000
NANO_STEPS = 150


@pytest.fixture(scope="session")
def data_folder(tmp_path_factory: pytest.TempPathFactory) -> DataFolder:
    """The embedded corpus cut short: a tokenizer of 1,024 entries, 16,384 validation tokens."""
    full = embedded_data(tmp_path_factory.mktemp("embedded"))
    short = tmp_path_factory.mktemp("data")
    (short / "tokenizer.model").write_bytes(full.tokenizer.read_bytes())
    for split, tokens, n in (
        ("train", full.train_tokens(), TRAIN_TOKENS),
        ("val", full.validation_tokens(), VALIDATION_TOKENS),
    ):
        write_shard(short / f"fineweb_{split}_000000.bin", np.asarray(tokens[:n]))
    return DataFolder.open(short)


@pytest.fixture(scope="session")
def artifact(data_folder: DataFolder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A nano model, trained for some seconds on the training shard."""
    out = tmp_path_factory.mktemp("artifact")
    command = [sys.executable, "-m", "reference_model.train", "--preset", "nano"]
    command += ["--data", str(data_folder.root), "--out", str(out), "--steps", str(NANO_STEPS)]
    subprocess.run(command, check=True, capture_output=True, env=os.environ)
    return out / "artifact.bin"
