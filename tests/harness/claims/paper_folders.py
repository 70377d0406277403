"""Folders of papers as contestants write them, with chosen numbers; they hold no code that runs."""

import json
import math
from collections.abc import Mapping
from pathlib import Path

TOKENS, TEXT_BYTES = 62_021_632, 151_080_891
BITS = {1337: 1.11508, 42: 1.11437, 2025: 1.11475}

LOG = """\
Hyperparameters:
  adam_eps: 1e-08
  beta1: 0.9
  grad_clip: {clip}
  logfile: logs/{seed}.txt
  matrix_lr: 0.02
  model_dim: 512
  num_layers: 9
  seed: {seed}
  world_size: {ranks}
val_loader:shards pattern=./data/fineweb_val_*.bin tokens:{tokens}
train_shards: {shards}
stopping_early: wallclock_cap train_time: {train_ms}ms step: 6927/20000
{calibration}
pre-quantization post-ema val_loss:{early_loss:.8f} val_bpb:{early:.8f} eval_time:2059ms
Code size: {code} bytes
Serialized model int6+lzma: {weights} bytes
Total submission size int6+lzma: {total} bytes
{documents}
final_int6_roundtrip val_loss:{loss:.4f} val_bpb:{bits:.4f} eval_time:{eval_ms}ms
final_int6_roundtrip_exact val_loss:{loss:.8f} val_bpb:{bits:.8f}
"""


def log(bits: float, seed: int = 1337, **other: object) -> str:
    """One log whose numbers agree; `other` replaces fields of the template."""
    counted = float(other.pop("counted_bytes", TEXT_BYTES))  # type: ignore[arg-type]
    early = float(other.get("early", bits + 0.02))  # type: ignore[arg-type]
    numbers: dict[str, object] = {
        "bits": bits,
        "early": early,
        "loss": bits * math.log(2) * counted / TOKENS,
        "early_loss": early * math.log(2) * counted / TOKENS,
        "seed": seed,
        "tokens": TOKENS,
        "shards": 80,
        "train_ms": 599_900,
        "eval_ms": 80_000,
        "calibration": "",
        "documents": "",
        "code": 60_000,
        "weights": 15_800_000,
        "total": 15_860_000,
        "clip": 0.3,
        "ranks": 8,
    }
    return LOG.format(**(numbers | other))


def write_folder(
    folder: Path,
    logs: Mapping[str, str] | None = None,
    declared: Mapping[str, object] | None = None,
    readme: str = "# A record\n\n**val_bpb: 1.1147** (3-seed mean)\n",
) -> Path:
    """A whole folder, honest but for what is given."""
    folder.mkdir(parents=True, exist_ok=True)
    if logs is None:
        logs = {f"train_seed{seed}.log": log(bits, seed) for seed, bits in BITS.items()}
    usual = {
        "track": "10min_16mb",
        "val_bpb": round(sum(BITS.values()) / len(BITS), 5),
        "bytes_total": 15_860_000,
        "seed_results": {str(seed): {"val_bpb": bits} for seed, bits in BITS.items()},
    }
    for name, text in logs.items():
        (folder / name).write_text(text, encoding="utf-8")
    shown = json.dumps(usual | dict(declared or {}), indent=2)
    (folder / "submission.json").write_text(shown, encoding="utf-8")
    (folder / "README.md").write_text(readme, encoding="utf-8")
    (folder / "train_gpt.py").write_text("#" * 60_000, encoding="utf-8")
    return folder
