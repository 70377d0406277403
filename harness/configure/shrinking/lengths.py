"""Lengths in tokens, and numbers of sequences, chunks and documents.

A chunk is cut as often, and a window holds as much of a sequence, as in the contest.
"""

from harness.configure.shrinking.target import Proportions, power_of_two

GRAD_ACCUM = 8  # `grad_accum = 8 // world_size` is hard-coded in 1,481 scripts


def length(value: float, was: Proportions) -> float | None:
    """Sequence lengths keep their proportion to the training length, up to twice."""
    if value < 96:
        return None
    scaled = was.target.seq_len * value / was.seq_len
    return min(was.longest, max(was.target.seq_len, power_of_two(scaled)))


def window(value: float, was: Proportions) -> float | None:
    """Attention windows and lengths of short documents, in proportion to the sequence."""
    if value < 64:
        return None
    return max(8, power_of_two(was.target.seq_len * value / was.seq_len))


def stride(value: float, was: Proportions) -> float | None:
    """Half a sequence: two windows score a position's context, at a cost that stays small."""
    if value < 8:
        return None
    return was.target.seq_len if value >= was.seq_len else was.target.stride


def scoring_stride(value: float, was: Proportions) -> float | None:
    """Of windows that score, however small: 1 may only say that something is on (the log of #61
    tells that windows slid, not how far), and cost a window for each token, 100 s and more.
    """
    small = 0 < value < 8 and was.seq_len >= 96
    return was.target.stride if small else stride(value, was)


def chunk(value: float, was: Proportions) -> float | None:
    """At least eight chunks a stream, a chunk of at least two sequences."""
    if value < 512:
        return _small_chunk(value)
    return min(4 * was.target.seq_len, max(was.longest, power_of_two(was.stream.tokens / 8)))


def chunk_of_window(value: float, was: Proportions) -> float | None:
    """Chunks that may lie inside a window: those no longer than one keep their part of it."""
    if 512 <= value <= was.seq_len:
        return power_of_two(was.target.seq_len * value / was.seq_len)
    return chunk(value, was)


def token_chunk(value: float, was: Proportions) -> float | None:
    """Tokens before a cache is used; small numbers count something else."""
    return chunk(value, was) if value >= 512 else None


def many_chunks(value: float, was: Proportions) -> float | None:
    """A number of chunks."""
    return 8 if value > 8 else None


def batch_tokens(value: float, was: Proportions) -> float | None:
    """Eight of the longest sequences."""
    return GRAD_ACCUM * was.longest if value >= 1_024 else None


def train_tokens(value: float, was: Proportions) -> float | None:
    """Eight sequences, and more where the target says so."""
    return GRAD_ACCUM * was.target.seq_len * was.target.batches if value >= 1_024 else None


def batch(value: float, was: Proportions) -> float | None:
    """Sequences where the number is small, tokens where it is large."""
    if value >= 4_096:
        return batch_tokens(value, was)
    return min(value, was.target.batch_seqs) if value > 1 else None


def calibration(value: float, was: Proportions) -> float | None:
    """Batches that a quantiser is fitted to."""
    return was.target.batches if value > was.target.batches else None


def documents(value: float, was: Proportions) -> float | None:
    """A quarter of the documents, as many phases as ever: 2,000 of 50,000 would be none."""
    return min(value, max(2, was.stream.documents // 4)) if value > 4 else None


def _small_chunk(value: float) -> float | None:
    """Chunks inside a document: 48 or 256 of 2,048."""
    if value <= 16:
        return None
    return 16 if value < 128 else 32
