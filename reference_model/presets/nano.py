"""For tests: every part of the machinery, no quality. A second of work."""

from dataclasses import replace

from reference_model.config import ModelConfig
from reference_model.presets.recipe import Averaging
from reference_model.presets.tiny import TINY
from reference_model.schedule import Schedule

NANO = replace(
    TINY,
    name="nano",
    config=ModelConfig(
        seq_len=64, n_layer=2, model_dim=32, mlp_dim=64, n_head=2, n_kv_head=1, rope_dims=8
    ),
    schedule=Schedule(
        n_steps=30,
        warmup_steps=5,
        warmdown_steps=12,
        momentum=0.95,
        momentum_start=0.95,
        momentum_steps=0,
    ),
    # 0.97 would still hold 40 % of the untrained weights after 30 steps
    averaging=Averaging(ships="ema", ema_decay=0.9),
    batch_size=4,
    micro_windows=4,
    checkpoint_every=5,
    val_tokens=2_048,
)
