"""#518, "11L XSA4 + LeakyReLU(0.5)^2 + cosine TTT": 1.1271 bits per byte before its adaptation.

Its shape and training are #549's but for the bigram table and the compressor. What it does next
(50 epochs on the validation tokens, scored afterwards) is no training: the harness finds ORDER-2.
"""

from dataclasses import replace

from reference_model.presets.record_549 import RECORD_549

SEED_518 = replace(
    RECORD_549,
    name="seed_518",
    config=replace(RECORD_549.config, bigram_buckets=2048),  # BIGRAM_VOCAB_SIZE
    schedule=replace(RECORD_549.schedule, n_steps=20_000),  # ITERATIONS
    compressor="zstd",  # level 22
)
