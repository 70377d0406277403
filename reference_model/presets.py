"""Complete recipes by name: a model's shape, how it is trained, and for how long.

Steps decide, never the clock, so that a seed gives the same weights on a slow machine and on a fast
one. `expected_s` says what that takes on 2 CPU cores.
"""

from dataclasses import dataclass

from reference_model.config import ModelConfig
from reference_model.optim import OptimSettings


@dataclass(frozen=True)
class Preset:
    name: str
    config: ModelConfig
    optim: OptimSettings
    batch_size: int  # windows of seq_len tokens a step
    n_steps: int
    grad_clip: float  # global norm
    ema_decay: float  # a step
    checkpoint_every: int  # steps; a kill loses at most these
    val_tokens: int  # at most so many are evaluated after training
    expected_s: float  # training seconds on 2 cores, measured


TINY = Preset(
    name="tiny",
    config=ModelConfig(n_layer=4, model_dim=128, mlp_dim=384, n_head=4, n_kv_head=2),
    optim=OptimSettings(
        matrix_lr=0.025,
        embed_lr=0.035,
        scalar_lr=0.025,
        muon_momentum=0.95,
        weight_decay=0.04,
        warmup_steps=5,
        warmdown_fraction=0.4,
    ),
    batch_size=16,
    n_steps=330,
    grad_clip=1.0,
    ema_decay=0.97,
    checkpoint_every=50,
    val_tokens=262_144,
    expected_s=90.0,
)

NANO = Preset(
    name="nano",
    config=ModelConfig(
        seq_len=64, n_layer=2, model_dim=32, mlp_dim=64, n_head=2, n_kv_head=1, rope_dims=8
    ),
    optim=TINY.optim,
    batch_size=4,
    n_steps=30,
    grad_clip=1.0,
    ema_decay=0.9,
    checkpoint_every=5,
    val_tokens=2_048,
    expected_s=1.0,
)

PRESETS = {preset.name: preset for preset in (TINY, NANO)}
