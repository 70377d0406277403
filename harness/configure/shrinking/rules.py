"""Which names shrink in which way; the first rule that matches a name decides.

Guarantees: lengths, tables, chunks, windows and documents shrink in proportion to the stream, so
that a table is as loaded, and a chunk cut as often, as in the contest; whatever switches a
technique on or off, or decides how it mixes (orders, entropy thresholds, rates of training), stays
as the folder ran it. Names are recognised by their form: 4,125 of 6,526 real names occur once.
Does not cover: numbers inside functions; sizes that a script computes from others.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from harness.configure.shrinking import lengths, model, sizes, steps, tables
from harness.configure.shrinking.target import Proportions, Shrink, at_most, fixed, leave


@dataclass(frozen=True)
class Rule:
    """What happens to the switches of some names."""

    names: re.Pattern[str]
    shrink: Shrink
    is_common: bool  # hundreds of scripts share these names


def shrunk_value(name: str, value: float, was: Proportions) -> float | None:
    """The small value of a switch; None where it stays as it was. A name that no rule knows tells
    nothing: such a size is taken by its value, where one of them was seen to be too large.
    """
    rule = _rule_of(name, _NATIVE_RULES if was.target.native else _RULES)
    if rule is not None:
        stays = was.target.only_common and not rule.is_common
        return None if stays else rule.shrink(value, was)
    return sizes.by_value(name, value, was) if was.target.by_value else None


def _rule_of(name: str, rules: Sequence[Rule]) -> Rule | None:
    """By the whole name; else without its first word, which may name what it belongs to:
    `PG_STEPS`, `MODEL_CHANNELS`.
    """
    found: Iterator[Rule] = (rule for rule in rules if rule.names.search(name))
    shorter = name.partition("_")[2] if rules is _RULES else ""  # natively little shrinks at all
    if shorter:
        found = chain(found, (rule for rule in rules if rule.names.search(shorter)))
    return next(found, None)


def counted_entries(name: str, text: str) -> int | None:
    """Entries of a table that the stream fills, where a value says how many; else None."""
    plain = name.rpartition(".")[2].upper()
    shrink = next((rule.shrink for rule in _RULES if rule.names.search(plain)), None)
    if not text.isdigit():
        return None
    if shrink is tables.table_bits:
        return 1 << int(text)
    return int(text) if shrink is tables.counted_table else None


def _common(names: str, shrink: Shrink) -> Rule:
    return Rule(re.compile(names), shrink, is_common=True)


def _rare(names: str, shrink: Shrink) -> Rule:
    return Rule(re.compile(names), shrink, is_common=False)


_DOCUMENTS = _common(r"PREFIX_DOCS|NUM_DOCS$|_DOCS$", lengths.documents)
_RUN_LENGTH = (
    _common(
        r"^(ITERATIONS|NUM_ITERATIONS|STEPS|ITERS|(MAX|TRAIN|TRAINING|NUM|N|TOTAL)_(STEPS|ITERS))$",
        steps.iterations,
    ),
    _common(
        r"^(MAX_)?(TRAIN_)?(WALLCLOCK|WALL_CLOCK).*(SECONDS|SECS|S)$"
        r"|^((MAX|TRAIN|TRAINING|TIME)_)*(SECONDS|SECS|TIME_(LIMIT|BUDGET)(_S)?)$",
        steps.seconds,
    ),
    _common(r"RESERVE_(SECONDS|MS|SECS|S)$", fixed(0)),
    _common(r"^(LR_)?WARMUP_(STEPS|ITERS)$", at_most(1)),
    _common(r"WARMDOWN_(ITERS|STEPS)|COOLDOWN_(ITERS|STEPS)", steps.warmdown),
    _common(r"WARMUP_(STEPS|ITERS)$|_WARMUP$", at_most(1)),
    _common(r"^VAL_(LOSS_)?EVERY$|^EVAL_EVERY$", steps.validation_interval),
)

_TRAINING_BATCH = (
    r"^TRAIN_BATCH_(TOKENS|SIZE)$|^(TOTAL_|GLOBAL_)?BATCH_TOKENS$|^TOKENS_(PER|A)_(STEP|BATCH)$"
)

# Documents of a stream that is shorter, too. 64 sequences of 2,048 in place of 384: ten steps of
# the largest lineage took 15 s of each run on one H200.
_NATIVE_RULES = (*_RUN_LENGTH, _DOCUMENTS, _common(_TRAINING_BATCH, at_most(131_072)))

_RULES = (
    _rare(r"^(EVAL|VAL|TEST|SCORE|TTT|ADAPT)_.*(SECONDS|SECS|TIME(_LIMIT|_BUDGET)?)$", leave),
    _rare(r"^VOCAB_SIZE$|SEED|_BYTES$|^TARGET_MB$|^MASTER_|^(LOCAL_)?RANK$|^WORLD_SIZE$", leave),
    _common(r"(^|_)(NO|DISABLE|SKIP)_.*COMPILE|COMPILE_DISABLE|DYNAMO_DISABLE", fixed(1)),
    _common(r"COMPILE(?!_MODE|_BACKEND)|^FUSED_CE|CUDA_?GRAPH", steps.switched_off),
    *_RUN_LENGTH,
    _rare(
        r"DOC_FREQ|(CKPT|CHECKPOINT|SAVE|AUTO_SAVE|DIAG|SNAPSHOT).*(EVERY|INTERVAL|SECONDS)", leave
    ),
    _common(r"LOG_EVERY$|_EVERY$|_FREQ$|_INTERVAL$", steps.first_step),
    _rare(r"ACCUM\w*_?STEPS$|^(INNER|OUTER)_STEPS$", leave),
    _rare(r"(BACKEND|NS|NEWTON|SINKHORN|REFINE|POWER|HADAMARD|LBFGS_MAX)_?(STEPS|ITERS?)$", leave),
    _rare(
        r"(START|BEGIN|FROM|ENABLE|STOP|FREEZE|AFTER|UNTIL|END)_?(AT_)?(STEP|ITER)$",
        steps.first_step,
    ),
    # what is learnt at evaluation time
    _common(r"EPOCHS?$", steps.epochs),
    _rare(
        r"(TTT|SLOT|ETLB|ADAPT|LORA|PREQUANT|EVAL|TUNE|EGGROLL).*(STEPS|ITERS?)(_PER_CHUNK)?$",
        steps.steps,
    ),
    _common(
        r"(TTT|ADAPT|PREQUANT|LORA).*(LR|LEARNING_RATE)(_BASE|_INIT|_MAX)?$", steps.adaptation_rate
    ),
    _common(r"(^|_)EMA_DECAY$|^EMA_BETA$|POLYAK_DECAY", fixed(0.5)),
    # batches
    _common(_TRAINING_BATCH, lengths.train_tokens),
    _common(r"BATCH_TOKENS$|^VAL_BATCH_SIZE$", lengths.batch_tokens),
    _common(
        r"CALIB\w*_?(BATCHES|SAMPLES|SEQS|NSAMPLES)$|GPTQ_(N?SAMPLES|AR_SEQS|NUM_SEQS)",
        lengths.calibration,
    ),
    _common(
        r"BATCH_?(SEQS|SIZE|DOCS|WINDOWS|ROWS)$|^((EVAL|VAL|TRAIN)_)?ROWS$|^MICRO_BATCH|^BATCH$|_BSZ$",
        lengths.batch,
    ),
    # lengths and windows
    _rare(
        r"(MIN|MAX|LONG|SHORT)_?DOC_?(LEN|TOKENS|LENGTH)|DOC_(MIN|MAX)_?LEN|SHORT_DOC",
        lengths.window,
    ),
    _common(
        r"SEQ_?LEN(GTH)?$|^SEQ$|^BLOCK(_SIZE)?$|^SEQUENCE_LENGTH$|^(EVAL_|TRAIN_)?(CTX|CONTEXT)(_LEN(GTH)?|_SIZE)?$|_CTX$|CONTEXT_LEN",
        lengths.length,
    ),
    _common(r"(EVAL|VAL|SLID\w*|WINDOW|SCORE|TTT)_?STRIDE$", lengths.scoring_stride),
    _common(r"STRIDE$", lengths.stride),
    _common(  # one that stays as long while the sequence shrinks never acts
        r"(ATTN|SWA|LOCAL|SLIDING|REGIME)_?WINDOW(_SIZE)?$|^WINDOW(_SIZE)?$|WINDOW_(ATTN_)?SIZE$",
        lengths.window,
    ),
    _DOCUMENTS,
    _common(r"CHUNK_TOKENS$|_CHUNK_?LEN$", lengths.chunk),
    _rare(r"(TWO_?PASS|RESCORE|MAX|TRAIN|NUM|N)\w*_CHUNKS$", lengths.many_chunks),
    _common(r"CHUNK(_SIZE)?$", lengths.chunk_of_window),
    # the model's depth, and what of it stays as it was
    _rare(r"FREEZE\w*(BLOCKS|LAYERS)$|(BLOCKS|LAYERS)_FROZEN|FROZEN_(BLOCKS|LAYERS)", model.frozen),
    # tables
    _common(
        r"(BIGRAM|TRIGRAM|ENGRAM|SKIPGRAM|HASH_EMBED|EMBED_HASH)\w*(VOCAB|BUCKETS|SIZE|ROWS)",
        tables.trained_table,
    ),
    _common(r"(TABLE|HASH|BUCKETS?)_?(BITS|LOG2)$|LOG2_?(BUCKETS|SIZE)", tables.table_bits),
    _common(
        r"BUCKETS|TABLE_?SIZE|HASH_?SIZE|HASH_ROWS|TABLE_ENTRIES|(^|:)ZEROS\b", tables.counted_table
    ),
    _common(r"MIN_?COUNTS?$|MIN_HITS$", at_most(1)),
    _rare(r"(NGRAM|CACHE|MIXER|PPM|KNN)\w*MIN_TOKENS$|BURN_?IN", lengths.token_chunk),
    # the model
    _rare(r"^NUMEL$|KEEP_FLOAT\w*NUMEL$|(QUANT|INT\d)\w*_(MIN|MAX)_?NUMEL$", model.quantised_numel),
    _common(
        r"^(MODEL_DIM|D_MODEL|N_EMBD|DIM|WIDTH|CHANNELS|HIDDEN(_SIZE)?|EMBED(DING)?_DIM)$",
        model.width,
    ),
    _common(r"^(NUM_HEADS|N_HEADS?|HEADS|NUM_ATTENTION_HEADS)$", model.heads),
    _common(r"^(NUM_KV_HEADS|N_KV_HEADS?|KV_HEADS)$", model.kv_heads),
    _common(r"^((NUM|N)_)?(LAYERS?|BLOCKS)$|^DEPTH$", model.layers),
    _rare(r"HEAD_(DIM|SIZE)$", model.head_size),
    _common(r"ROPE_DIMS?$|ROTARY_DIMS?$", model.rotary),
    _common(
        r"_DIM$|^MLP_HIDDEN|^D_FF$|FFN_(DIM|HIDDEN)|INTERMEDIATE_SIZE|_HIDDEN$|BOTTLENECK|_WIDTH$",
        model.width,
    ),
    _common(r"(TTT|LORA)\w*RANK$", at_most(4)),
    _rare(r"NUM_WORKERS$", fixed(0)),
)
