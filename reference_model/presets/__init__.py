"""Complete recipes by name, one a file; each number has its source beside it.

    tiny          the shipped default: a model that has something to adapt, in a minute and a half
    nano          for tests: every part of the machinery, no quality
    record_549    the record: LeakyReLU^2, Parallel Muon, EMA, int6 and lzma
    record_754    value residual and gated attention in place of value embeddings; zstd-22
    seed_537      ten unique layers of eleven, SWA, int5 MLPs, no search of clips
    seed_518      #549's predecessor in shape: 2,048 bigram buckets, zstd-22
    seed_1185     multi-token prediction, XSA in five layers, CROWN-Q

Adding one: a file with one Preset, and its line below.
"""

from reference_model.presets.nano import NANO
from reference_model.presets.recipe import Averaging, LateQuantization, Preset
from reference_model.presets.record_549 import RECORD_549
from reference_model.presets.record_754 import RECORD_754
from reference_model.presets.seed_518 import SEED_518
from reference_model.presets.seed_537 import SEED_537
from reference_model.presets.seed_1185 import SEED_1185
from reference_model.presets.tiny import TINY

__all__ = ["NANO", "PRESETS", "RECORD_549", "TINY", "Averaging", "LateQuantization", "Preset"]

PRESETS = {
    preset.name: preset
    for preset in (TINY, NANO, RECORD_549, RECORD_754, SEED_537, SEED_518, SEED_1185)
}
