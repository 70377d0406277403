"""The public recipes of score-first test-time training, as declared configurations.

Guarantees: each number is the one that its script's environment switches default to, or that its
run command sets. Covers the adaptation; chunk and window lengths are the manifest's (all of them:
chunks of 32,768 tokens, windows of 2,048 with stride 64).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from harness.engines.sliding_window import WindowSettings


@dataclass(frozen=True)
class TTTSettings(WindowSettings):
    """Hyperparameters; the defaults are #549's. In capitals: the switch of the scripts."""

    lr: float = 0.002  # TTT_LR
    momentum: float = 0.9  # TTT_MOMENTUM
    epochs: int = 3  # TTT_EPOCHS
    grad_clip: float = 1.0  # TTT_GRAD_CLIP, global norm
    freeze_blocks: int = 0  # TTT_FREEZE_BLOCKS: first blocks left alone; its run command says 0
    batch_seqs: int = 32  # TTT_BATCH_SEQS, sequences a step
    mlp_out_factor: float = 1.0  # TTT_PROJ_LR_MULT, of the rate for MLP output projections
    mlp_in_factor: float = 1.0  # TTT_FC_LR_MULT, the same for MLP input projections
    cosine_in_chunk: bool = False  # TTT_INTRA_COSINE: one more cosine over each chunk's steps


# README of #549: "SGD(lr=0.002, momentum=0.9), 3 epochs, all blocks unfrozen"
RECORD_549 = TTTSettings()

# train_gpt.py 110-116 of #754: the numbers of #549, all blocks
RECORD_754 = TTTSettings(lr=0.002, momentum=0.9, epochs=3, freeze_blocks=0)

# train_gpt.py 94-100 of #461, which #549 took over but for the frozen blocks
FRAMEWORK_461 = TTTSettings(lr=0.002, momentum=0.9, epochs=3, freeze_blocks=2)

SEED_537 = TTTSettings(  # train_gpt.py 97-107 of #537
    lr=0.002,
    momentum=0.9,
    epochs=30,
    freeze_blocks=2,
    mlp_out_factor=3.0,
    mlp_in_factor=0.5,
    cosine_in_chunk=True,
)

# train_gpt.py 125-131 of #1185: the numbers of #549; its n-gram switches are NgramSettings'
SEED_1185 = TTTSettings(lr=0.002, momentum=0.9, epochs=3, freeze_blocks=0)

RECIPES: Mapping[str, TTTSettings] = MappingProxyType(
    {
        "record_549": RECORD_549,
        "record_754": RECORD_754,
        "framework_461": FRAMEWORK_461,
        "seed_537": SEED_537,
        "seed_1185": SEED_1185,
    }
)
