"""Small values for the switches of a script, by what a name says and how large its value is.

Guarantees: lengths, tables, chunks, windows and documents shrink in proportion to the stream, so
that a table is as loaded, and a chunk cut as often, as in the contest; whatever switches a
technique on or off, or decides how it mixes (orders, entropy thresholds, rates of training), stays
as the folder ran it. Names are recognised by their form: 4,125 of 6,526 real names occur once.
Does not cover: numbers inside functions; sizes that a script computes from others.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

CONTEST_TOKENS = {1024: 62_021_632, 4096: 45_000_000, 8192: 40_540_160}  # validation tokens
HUGE = 65_536  # a table of at least this many entries is filled by the stream, not trained


@dataclass(frozen=True)
class StreamShape:
    """The validation stream of a run."""

    tokens: int
    vocab_size: int
    documents: int
    doc_tokens: int


@dataclass(frozen=True)
class Size:
    """How small a run is made; a rung of the ladder changes some of these."""

    width: int = 64
    heads: int = 4
    seq_len: int = 64
    stride: int = 32
    batch_seqs: int = 4
    batches: int = 1  # times the usual tokens of a training step, and so many of calibration
    iterations: int = 3
    epochs: int = 3
    steps: int = 4  # optimiser steps of a technique that optimises at evaluation time
    layers: int = 0  # 0: as the folder ran it; layer-indexed switches assume that depth
    shrink_model: bool = True
    wallclock_s: int = 0  # 0 means no cap in nearly all scripts; a few stop at once
    val_every: int = 0  # 0 means never in nearly all scripts; a few divide by it
    only_common: bool = False  # only the names that hundreds of scripts share
    only_commands: bool = False  # of the folder's settings, only those of its commands
    without: frozenset[str] = frozenset()  # settings of the folder that cannot be given
    least: frozenset[tuple[str, int]] = frozenset()  # what the script demands of a switch
    native: bool = False  # the folder's own sizes: only how long it runs shrinks


@dataclass(frozen=True)
class Ratio:
    """What the folder ran with, for everything that keeps a proportion to it."""

    width: float
    heads: float
    kv_heads: float
    seq_len: float
    size: Size
    stream: StreamShape
    calibrates: bool = False  # the script fits a quantiser to tokens

    @property
    def stream_share(self) -> float:
        """The stream as a part of the contest's."""
        contest = min(CONTEST_TOKENS, key=lambda vocab: abs(vocab - self.stream.vocab_size))
        return self.stream.tokens / CONTEST_TOKENS[contest]

    @property
    def longest(self) -> int:
        return 2 * self.size.seq_len


Shrink = Callable[[float, Ratio], float | None]  # the value as it was -> the small one, or None


def small(name: str, value: float, ratio: Ratio) -> float | None:
    """The small value of a switch; None where it stays as it was."""
    for pattern, shrink, common in _NATIVE_RULES if ratio.size.native else _RULES:
        if pattern.search(name):
            return shrink(value, ratio) if common or not ratio.size.only_common else None
    return None


def counted_entries(name: str, text: str) -> int | None:
    """Entries of a table that the stream fills, where a value says how many; else None."""
    for pattern, shrink, _ in _RULES:
        if pattern.search(name.rpartition(".")[2].upper()):
            if shrink not in (_table_bits, _counted_table) or not text.isdigit():
                return None
            return 2 ** int(text) if shrink is _table_bits else int(text)
    return None


def power_of_two(value: float) -> int:
    """The nearest power of two, on a logarithmic scale; at least one."""
    return int(2 ** max(0, round(math.log2(max(value, 1.0)))))


# -------------------------------------------------------------------------------------------------
# how a kind of number shrinks


def _leave(value: float, ratio: Ratio) -> float | None:
    return None


def _fixed(small_value: float) -> Shrink:
    return lambda value, ratio: small_value


def _at_most(limit: float) -> Shrink:
    return lambda value, ratio: limit if value > limit else None


def _seconds(value: float, ratio: Ratio) -> float | None:
    return ratio.size.wallclock_s


def _iterations(value: float, ratio: Ratio) -> float | None:
    return ratio.size.iterations if value > 0 else None


def _width(value: float, ratio: Ratio) -> float | None:
    """Widths keep their proportion to the model's: 128 beside 512 becomes 16 beside 64."""
    if not ratio.size.shrink_model or value < 24:
        return None
    scaled = value * ratio.size.width / ratio.width
    return min(value, max(8, 4 * round(scaled / 4)))


def _weights(value: float, ratio: Ratio) -> float | None:
    """The size from which a matrix is quantised: 65,536 of 512 x 512 is 1,024 of 64 x 64.

    Where no token decides how it is rounded, rounding tells nothing and costs a small model power.
    """
    if not ratio.size.shrink_model or not ratio.calibrates:
        return None
    return min(value, max(64, power_of_two(value * (ratio.size.width / ratio.width) ** 2)))


def _heads(value: float, ratio: Ratio) -> float | None:
    return ratio.size.heads if ratio.size.shrink_model and value > 0 else None


def _kv_heads(value: float, ratio: Ratio) -> float | None:
    if not ratio.size.shrink_model or value <= 0:
        return None
    return max(1, round(ratio.size.heads * value / ratio.heads))


def _head_size(value: float, ratio: Ratio) -> float | None:
    return ratio.size.width // ratio.size.heads if ratio.size.shrink_model and value > 0 else None


def _rotary(value: float, ratio: Ratio) -> float | None:
    """At most half a head: 16 of 64 in nearly all scripts, 8 of 16 here."""
    head = ratio.size.width // ratio.size.heads
    return min(value, head // 2) if ratio.size.shrink_model and value > 0 else None


def _trained_table(value: float, ratio: Ratio) -> float | None:
    """Embedding tables of hashed n-grams; trained, so their load does not matter."""
    return 64 if value > 64 and ratio.size.shrink_model else None


def _counted_table(value: float, ratio: Ratio) -> float | None:
    """Tables that the stream fills keep their load (about 15 tokens a bucket)."""
    if value < 1_024:
        return None
    share = ratio.stream_share if value >= HUGE else ratio.stream.tokens / (16 * value)
    return min(value, max(16, power_of_two(value * share)))


def _table_bits(value: float, ratio: Ratio) -> float | None:
    if not 12 <= value <= 32:
        return None
    return max(4, round(value + math.log2(ratio.stream_share)))


def _length(value: float, ratio: Ratio) -> float | None:
    """Sequence lengths keep their proportion to the training length, up to twice."""
    if value < 96:
        return None
    scaled = ratio.size.seq_len * value / ratio.seq_len
    return min(ratio.longest, max(ratio.size.seq_len, power_of_two(scaled)))


def _window(value: float, ratio: Ratio) -> float | None:
    """Attention windows and lengths of short documents, in proportion to the sequence."""
    if value < 64:
        return None
    return max(8, power_of_two(ratio.size.seq_len * value / ratio.seq_len))


def _stride(value: float, ratio: Ratio) -> float | None:
    """Half a sequence: two windows score a position's context, at a cost that stays small."""
    if value < 8:
        return None
    return ratio.size.seq_len if value >= ratio.seq_len else ratio.size.stride


def _chunk(value: float, ratio: Ratio) -> float | None:
    """At least eight chunks a stream, a chunk of at least two sequences."""
    if value < 512:
        return _small_chunk(value, ratio)
    return min(4 * ratio.size.seq_len, max(ratio.longest, power_of_two(ratio.stream.tokens / 8)))


def _piece(value: float, ratio: Ratio) -> float | None:
    """Chunks that may lie inside a window: those no longer than one keep their part of it."""
    if 512 <= value <= ratio.seq_len:
        return power_of_two(ratio.size.seq_len * value / ratio.seq_len)
    return _chunk(value, ratio)


def _small_chunk(value: float, ratio: Ratio) -> float | None:
    """Chunks inside a document: 48 or 256 of 2,048."""
    if value <= 16:
        return None
    return 16 if value < 128 else 32


def _token_chunk(value: float, ratio: Ratio) -> float | None:
    return _chunk(value, ratio) if value >= 512 else None


def _batch_tokens(value: float, ratio: Ratio) -> float | None:
    """Eight sequences: `grad_accum = 8 // world_size` is hard-coded in 1,481 scripts."""
    return 8 * ratio.longest if value >= 1_024 else None


def _train_tokens(value: float, ratio: Ratio) -> float | None:
    return 8 * ratio.size.seq_len * ratio.size.batches if value >= 1_024 else None


def _calibration(value: float, ratio: Ratio) -> float | None:
    return ratio.size.batches if value > ratio.size.batches else None


def _batch(value: float, ratio: Ratio) -> float | None:
    """Sequences where the number is small, tokens where it is large."""
    if value >= 4_096:
        return _batch_tokens(value, ratio)
    return min(value, ratio.size.batch_seqs) if value > 1 else None


def _documents(value: float, ratio: Ratio) -> float | None:
    """A quarter of the documents, as many phases as ever: 2,000 of 50,000 would be none."""
    return min(value, max(2, ratio.stream.documents // 4)) if value > 4 else None


def _epochs(value: float, ratio: Ratio) -> float | None:
    return ratio.size.epochs if value > ratio.size.epochs else None


def _steps(value: float, ratio: Ratio) -> float | None:
    return ratio.size.steps if value > ratio.size.steps else None


def _start_step(value: float, ratio: Ratio) -> float | None:
    return 1 if value > 1 else None


def _cadence(value: float, ratio: Ratio) -> float | None:
    return 1 if value > 1 else None


def _validation_cadence(value: float, ratio: Ratio) -> float | None:
    return ratio.size.val_every


def _many_chunks(value: float, ratio: Ratio) -> float | None:
    return 8 if value > 8 else None


def _adaptation_rate(value: float, ratio: Ratio) -> float | None:
    """A tiny model adapts in few steps or not at all; an invisible update proves nothing."""
    if value <= 0 or value >= 1e-2:
        return None
    return float(f"{value * (8 if value <= 1e-3 else 4):.6g}")


def _layers(value: float, ratio: Ratio) -> float | None:
    return ratio.size.layers or None


def _mostly_off(value: float, ratio: Ratio) -> float | None:
    return 0 if value != 0 else None


# -------------------------------------------------------------------------------------------------
# which names are which; the first that matches decides. The last column: shared by hundreds.


def _rule(
    pattern: str, shrink: Shrink, *, common: bool = False
) -> tuple[re.Pattern[str], Shrink, bool]:
    return re.compile(pattern), shrink, common


_DOCUMENTS = _rule(r"PREFIX_DOCS|NUM_DOCS$|_DOCS$", _documents, common=True)
_RUN_LENGTH = (
    _rule(
        r"^(ITERATIONS|NUM_ITERATIONS|MAX_STEPS|MAX_ITERS|TRAIN_STEPS|NUM_STEPS)$",
        _iterations,
        common=True,
    ),
    _rule(r"^(MAX_)?(TRAIN_)?(WALLCLOCK|WALL_CLOCK).*(SECONDS|SECS|S)$", _seconds, common=True),
    _rule(r"RESERVE_(SECONDS|MS|SECS|S)$", _fixed(0), common=True),
    _rule(r"^(LR_)?WARMUP_(STEPS|ITERS)$", _at_most(1), common=True),
    _rule(r"WARMDOWN_(ITERS|STEPS)|COOLDOWN_(ITERS|STEPS)", _at_most(1), common=True),
    _rule(r"WARMUP_(STEPS|ITERS)$|_WARMUP$", _at_most(1), common=True),
    _rule(r"^VAL_(LOSS_)?EVERY$|^EVAL_EVERY$", _validation_cadence, common=True),
)

_NATIVE_RULES = (*_RUN_LENGTH, _DOCUMENTS)  # documents of a stream that is shorter, too

_RULES = (
    _rule(r"^VOCAB_SIZE$|SEED|_BYTES$|^TARGET_MB$|^MASTER_|^(LOCAL_)?RANK$|^WORLD_SIZE$", _leave),
    _rule(
        r"(^|_)(NO|DISABLE|SKIP)_.*COMPILE|COMPILE_DISABLE|DYNAMO_DISABLE", _fixed(1), common=True
    ),
    _rule(r"COMPILE(?!_MODE|_BACKEND)|^FUSED_CE|CUDA_?GRAPH", _mostly_off, common=True),
    *_RUN_LENGTH,
    _rule(
        r"DOC_FREQ|(CKPT|CHECKPOINT|SAVE|AUTO_SAVE|DIAG|SNAPSHOT).*(EVERY|INTERVAL|SECONDS)", _leave
    ),
    _rule(r"LOG_EVERY$|_EVERY$|_FREQ$|_INTERVAL$", _cadence, common=True),
    _rule(r"(BACKEND|NS|NEWTON|SINKHORN|REFINE|POWER|HADAMARD|LBFGS_MAX)_?(STEPS|ITERS?)$", _leave),
    _rule(
        r"(START|BEGIN|FROM|ENABLE|STOP|FREEZE|AFTER|UNTIL|END)_?(AT_)?(STEP|ITER)$", _start_step
    ),
    # what is learnt at evaluation time
    _rule(r"EPOCHS?$", _epochs, common=True),
    _rule(
        r"(TTT|SLOT|ETLB|ADAPT|LORA|PREQUANT|EVAL|TUNE|EGGROLL).*(STEPS|ITERS?)(_PER_CHUNK)?$",
        _steps,
    ),
    _rule(
        r"(TTT|ADAPT|PREQUANT|LORA).*(LR|LEARNING_RATE)(_BASE|_INIT|_MAX)?$",
        _adaptation_rate,
        common=True,
    ),
    _rule(r"(^|_)EMA_DECAY$|^EMA_BETA$|POLYAK_DECAY", _fixed(0.5), common=True),
    # batches
    _rule(
        r"^TRAIN_BATCH_(TOKENS|SIZE)$|^(TOTAL_|GLOBAL_)?BATCH_TOKENS$", _train_tokens, common=True
    ),
    _rule(r"BATCH_TOKENS$|^VAL_BATCH_SIZE$", _batch_tokens, common=True),
    _rule(
        r"CALIB\w*_?(BATCHES|SAMPLES|SEQS|NSAMPLES)$|GPTQ_(N?SAMPLES|AR_SEQS|NUM_SEQS)",
        _calibration,
        common=True,
    ),
    _rule(r"BATCH_?(SEQS|SIZE|DOCS|WINDOWS)$|^MICRO_BATCH|^BATCH$|_BSZ$", _batch, common=True),
    # lengths and windows
    _rule(r"(MIN|MAX|LONG|SHORT)_?DOC_?(LEN|TOKENS|LENGTH)|DOC_(MIN|MAX)_?LEN|SHORT_DOC", _window),
    _rule(
        r"SEQ_?LEN(GTH)?$|^(EVAL_|TRAIN_)?(CTX|CONTEXT)(_LEN(GTH)?|_SIZE)?$|_CTX$|CONTEXT_LEN",
        _length,
        common=True,
    ),
    _rule(r"STRIDE$", _stride, common=True),
    _rule(
        r"(ATTN|SWA|LOCAL|SLIDING|REGIME)_?WINDOW(_SIZE)?$|^WINDOW(_SIZE)?$|WINDOW_(ATTN_)?SIZE$",
        _window,
    ),
    _DOCUMENTS,
    _rule(r"CHUNK_TOKENS$|_CHUNK_?LEN$", _chunk, common=True),
    _rule(r"(TWO_?PASS|RESCORE|MAX|TRAIN|NUM|N)\w*_CHUNKS$", _many_chunks),
    _rule(r"CHUNK(_SIZE)?$", _piece, common=True),
    # tables
    _rule(
        r"(BIGRAM|TRIGRAM|ENGRAM|SKIPGRAM|HASH_EMBED|EMBED_HASH)\w*(VOCAB|BUCKETS|SIZE|ROWS)",
        _trained_table,
        common=True,
    ),
    _rule(r"(TABLE|HASH|BUCKETS?)_?(BITS|LOG2)$|LOG2_?(BUCKETS|SIZE)", _table_bits, common=True),
    _rule(
        r"BUCKETS|TABLE_?SIZE|HASH_?SIZE|HASH_ROWS|TABLE_ENTRIES|(^|:)ZEROS\b",
        _counted_table,
        common=True,
    ),
    _rule(r"MIN_?COUNTS?$|MIN_HITS$", _at_most(1), common=True),
    _rule(r"(NGRAM|CACHE|MIXER|PPM|KNN)\w*MIN_TOKENS$|BURN_?IN", _token_chunk),
    # the model
    _rule(r"^NUMEL$|KEEP_FLOAT\w*NUMEL$|(QUANT|INT\d)\w*_(MIN|MAX)_?NUMEL$", _weights),
    _rule(r"^(MODEL_DIM|D_MODEL|N_EMBD|DIM|HIDDEN_SIZE|EMBED(DING)?_DIM)$", _width, common=True),
    _rule(r"^(NUM_HEADS|N_HEADS?|NUM_ATTENTION_HEADS)$", _heads, common=True),
    _rule(r"^(NUM_KV_HEADS|N_KV_HEADS?|KV_HEADS)$", _kv_heads, common=True),
    _rule(r"^(NUM_LAYERS|N_LAYERS?|DEPTH)$", _layers, common=True),
    _rule(r"HEAD_(DIM|SIZE)$", _head_size),
    _rule(r"ROPE_DIMS?$|ROTARY_DIMS?$", _rotary, common=True),
    _rule(
        r"_DIM$|^MLP_HIDDEN|^D_FF$|FFN_(DIM|HIDDEN)|INTERMEDIATE_SIZE|_HIDDEN$|BOTTLENECK|_WIDTH$",
        _width,
        common=True,
    ),
    _rule(r"(TTT|LORA)\w*RANK$", _at_most(4), common=True),
    _rule(r"NUM_WORKERS$", _fixed(0)),
)


__all__ = ["Ratio", "Size", "StreamShape", "power_of_two", "small"]
