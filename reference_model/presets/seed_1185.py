"""#1185, "LeakyReLU^2 + score-first TTT + n-gram backoff cache".

Only what differs from #549 is written out; the numbers are the script's defaults, its run command
sets none. Two of its techniques act here only: its prediction heads are in no optimiser there, so
they stay at zero and pass no gradient on; and its depth recurrence is read from the environment and
used by nothing, so it is left out.
"""

from dataclasses import replace

from reference_model.presets.recipe import Averaging, LateQuantization
from reference_model.presets.record_549 import RECORD_549

SEED_1185 = replace(
    RECORD_549,
    name="seed_1185",
    config=replace(
        RECORD_549.config,
        xsa_last_n=5,  # XSA_LAST_N
        value_embed_layers=(8, 9, 10),  # VE_LAYERS
        bigram_buckets=2048,  # BIGRAM_VOCAB_SIZE
        value_residual=True,  # VALUE_RESIDUAL
        gated_attention=True,  # GATED_ATTENTION
        mtp_heads=2,  # MTP_NUM_HEADS
        mtp_weight=0.15,  # MTP_LOSS_WEIGHT
    ),
    optim=replace(RECORD_549.optim, matrix_decay=0.06),  # MUON_WD
    schedule=replace(
        RECORD_549.schedule,
        n_steps=20_000,  # ITERATIONS
        warmdown_steps=4_000,  # WARMDOWN_ITERS
    ),
    averaging=Averaging(
        ships="ema",
        ema_decay=0.9985,  # ema_decay
        swa_every=50,  # SWA_EVERY
        swa_below=0.2,
    ),
    late=LateQuantization(
        qat_below=0.25,  # LATE_QAT_THRESHOLD
        crown_weight=0.02,  # CROWN_Q_LAMBDA
        crown_below=0.3,  # CROWN_Q_THRESHOLD
    ),
)
