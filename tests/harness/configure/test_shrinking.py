"""How each kind of number shrinks, and which is which."""

import pytest

from harness.configure.shrinking.rules import shrunk_value
from harness.configure.shrinking.target import Proportions, ShrinkTarget, StreamShape

STREAM = StreamShape(tokens=4_096, vocab_size=1_024, documents=32)
WAS = Proportions(512.0, 8.0, 2_048.0, ShrinkTarget(), STREAM)
NATIVE = Proportions(512.0, 8.0, 2_048.0, ShrinkTarget(native=True, iterations=10), STREAM)


@pytest.mark.parametrize("buckets", [1 << 20, 1 << 22, 1 << 24])
def test_tables_keep_their_load(buckets: int) -> None:
    """Tokens per bucket as in the contest, to a factor of two: the size of the lie follows it."""
    value = shrunk_value("NGRAM_EVAL_BUCKETS", buckets, WAS)
    assert value is not None and int(value) & (int(value) - 1) == 0
    contest, here = 62_021_632 / buckets, STREAM.tokens / value
    assert 0.5 <= here / contest <= 2.0


@pytest.mark.parametrize("tokens", [2_048, 4_096, 16_384])
@pytest.mark.parametrize("chunk", [32_768, 131_072, 1_000_000])
def test_a_stream_has_at_least_eight_chunks(tokens: int, chunk: int) -> None:
    """Else nothing is left to score after the first update."""
    stream = StreamShape(tokens, 1_024, tokens // 128)
    value = shrunk_value(
        "TTT_CHUNK_TOKENS", chunk, Proportions(512.0, 8.0, 2_048.0, ShrinkTarget(), stream)
    )
    assert value is not None and tokens / value >= 8
    assert value >= 2 * ShrinkTarget().seq_len


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("VAL_BATCH_SIZE", 524_288, 1_024),
        ("EMA_DECAY", 0.997, 0.5),
        ("BIGRAM_DIM", 128, 16),
        ("ROPE_DIMS", 16, 8),
        ("TORCH_COMPILE", 1, 0),
        ("DISABLE_COMPILE", 0, 1),
        ("NGRAM_HASH_BITS", 22, 8),
        ("PHASED_TTT_PREFIX_DOCS", 2_000, 8),
        ("MY_OWN_TTT_EPOCHS", 30, 3),
        ("TTT_CHUNK_SIZE", 48, 16),
        ("NUM_LAYERS", 11, None),
        ("MUON_BACKEND_STEPS", 5, None),
        ("NGRAM_ORDER", 7, None),
        ("TTT_MOMENTUM", 0.9, None),
        ("EVAL_STRIDE", 0, None),
        ("EVAL_STRIDE", 1, 32),
        ("CONV_STRIDE", 2, None),
        ("SEED", 1_337, None),
    ],
)
def test_names_are_known_by_their_form(name: str, value: float, expected: float | None) -> None:
    """4,125 of 6,526 names occur in one script only."""
    assert shrunk_value(name, value, WAS) == expected


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("ITERATIONS", 20_000, 10),
        ("WARMUP_STEPS", 20, 1),
        ("MUON_MOMENTUM_WARMUP_STEPS", 1_500, 1),
        ("WARMDOWN_ITERS", 3_500, 1),
        ("MAX_WALLCLOCK_SECONDS", 600.0, 0),
        ("VAL_LOSS_EVERY", 4_000, 0),
        ("PHASED_TTT_PREFIX_DOCS", 2_000, 8),
        ("PHASED_TTT_PREFIX_DOCS", 6, 6),
    ],
)
def test_a_native_run_is_shorter(name: str, value: float, expected: float) -> None:
    """Steps, warm-up, the clock and validation in between; documents as the stream has them."""
    assert shrunk_value(name, value, NATIVE) == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MODEL_DIM", 512),
        ("NUM_HEADS", 8),
        ("NUM_KV_HEADS", 4),
        ("NUM_LAYERS", 11),
        ("HEAD_DIM", 64),
        ("ROPE_DIMS", 16),
        ("BIGRAM_VOCAB_SIZE", 2_048),
        ("TRAIN_SEQ_LEN", 2_048),
        ("EVAL_STRIDE", 64),
        ("SLIDING_WINDOW", 512),
        ("TRAIN_BATCH_TOKENS", 131_072),
        ("TTT_CHUNK_TOKENS", 32_768),
        ("TTT_EPOCHS", 3),
        ("TTT_LR", 0.002),
        ("TTT_RANK", 96),
        ("EMA_DECAY", 0.997),
        ("NGRAM_BUCKETS", 4_194_304),
        ("TORCH_COMPILE", 1),
    ],
)
def test_a_native_run_keeps_every_other_size(name: str, value: float) -> None:
    """The model, its batches, its technique and its compiler are what is to be measured."""
    assert shrunk_value(name, value, NATIVE) is None


def test_a_native_run_trains_on_fewer_tokens_a_step() -> None:
    """How long a model was trained is no part of its evaluation: ten steps of 786,432 were 15 s."""
    assert shrunk_value("TRAIN_BATCH_TOKENS", 786_432, NATIVE) == 131_072


def test_a_model_made_shallow_keeps_a_layer_that_is_trained() -> None:
    """A folder that freezes its first two of eleven blocks would freeze all of two."""
    shallow = Proportions(512.0, 8.0, 2_048.0, ShrinkTarget(layers=2), STREAM)
    assert shrunk_value("FREEZE_BLOCKS", 2.0, shallow) == 1
    assert shrunk_value("TTT_FREEZE_LAYERS", 1.0, shallow) is None
    assert shrunk_value("FREEZE_BLOCKS", 2.0, WAS) is None


def test_a_name_shrinks_without_the_word_before_it() -> None:
    """`PG_STEPS` are steps; what an evaluation may take is no clock of the training."""
    assert shrunk_value("PG_STEPS", 20_000, WAS) == shrunk_value("STEPS", 20_000, WAS)
    assert shrunk_value("SCORE_SECONDS", 600, WAS) is None
    assert shrunk_value("GRAD_ACCUM_STEPS", 8, WAS) is None
