"""A script with the usual switches, and a README that sets some of them."""

from pathlib import Path

import pytest

from audits.switches import Switches, read_switches

SCRIPT = """\
import os
class Hyperparameters:
    model_dim = int(os.environ.get("MODEL_DIM", 512))
    num_heads = int(os.environ.get("NUM_HEADS", 8))
    num_kv_heads = int(os.environ.get("NUM_KV_HEADS", 4))
    num_layers = int(os.environ.get("NUM_LAYERS", 11))
    train_seq_len = int(os.environ.get("TRAIN_SEQ_LEN", 2048))
    iterations = int(os.environ.get("ITERATIONS", 20000))
    max_wallclock_seconds = float(os.environ.get("MAX_WALLCLOCK_SECONDS", 600.0))
    ttt_enabled = bool(int(os.environ.get("TTT_ENABLED", "0")))
    ngram_buckets = int(os.environ.get("NGRAM_BUCKETS", 4194304))
    entropy_center = float(os.environ.get("NGRAM_ENT_THRESH", 4.0))
    prefix = os.environ.get("PREFIX_FILE", "")
    eval_stride = 64
args = Hyperparameters()
seconds = args.max_wallclock_seconds if args.max_wallclock_seconds > 0 else None
"""


@pytest.fixture
def script() -> str:
    return SCRIPT


@pytest.fixture
def switches(tmp_path: Path, script: str) -> Switches:
    (tmp_path / "train_gpt.py").write_text(script)
    (tmp_path / "README.md").write_text(
        "```\nTTT_ENABLED=1 PREFIX_FILE=prefix.xz DATA_PATH=/mine torchrun train_gpt.py\n```\n"
    )
    return read_switches(tmp_path)
