"""Real parts, built once: a tokenizer trained here, and a small data folder in challenge format."""

import pydoc_data.topics
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import settings

from reference_model.data.folder import DataFolder
from reference_model.data.shards import write_shard
from reference_model.data.tokenizer import encode_document, load_tokenizer, train_tokenizer

settings.register_profile("shared cores", deadline=None)  # a busy machine is not a failing law
settings.load_profile("shared cores")


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    """Tensors here are tiny: a second thread costs time, on a busy machine ten times as much."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def texts() -> list[str]:
    """About 120 kB of prose in 40 documents."""
    topics = pydoc_data.topics.topics
    return [" ".join(topics[name].split())[:3_000] for name in sorted(topics)[:40]]


@pytest.fixture(scope="session")
def tokenizer_file(texts, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("tokenizer") / "test_512_bpe.model"
    path.write_bytes(train_tokenizer(texts, vocab_size=512))
    return path


@pytest.fixture(scope="session")
def tokenizer(tokenizer_file):
    return load_tokenizer(tokenizer_file)


@pytest.fixture(scope="session")
def small_data(texts, tokenizer, tokenizer_file, tmp_path_factory) -> DataFolder:
    root = tmp_path_factory.mktemp("data")
    (root / tokenizer_file.name).write_bytes(tokenizer_file.read_bytes())
    documents = [encode_document(tokenizer, text) for text in texts]
    write_shard(root / "fineweb_train_000000.bin", np.concatenate(documents[:20]))
    write_shard(root / "fineweb_train_000001.bin", np.concatenate(documents[20:36]))
    write_shard(root / "fineweb_val_000000.bin", np.concatenate(documents[36:]))
    return DataFolder.open(root)


@pytest.fixture
def module():
    """Runs `python -m <module> ...` as a user would; gives code, stdout and stderr."""

    def run(name: str, *args: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", name, *map(str, args)]
        return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120)

    return run
