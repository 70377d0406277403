"""How a stream is cut: every target once, in order, no window reaching past its last."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from harness.predictor import SLAB_BYTES, Geometry
from harness.streams.windows import BATCH_WINDOWS, Batch, chunks

# Alphabets around the contest's, and one so large that a slab carries three rows.
VOCABULARIES = st.sampled_from([2, 1024, 8192, 65_536, SLAB_BYTES // 13])


@st.composite
def geometries(draw: st.DrawFn) -> Geometry:
    """Any cut with stride <= seq_len, chunks shorter and longer than both."""
    seq_len = draw(st.integers(1, 70))
    return Geometry(
        seq_len=seq_len,
        stride=draw(st.integers(1, seq_len)),
        chunk_tokens=draw(st.integers(1, 300)),
        stream_tokens=draw(st.integers(2, 600)),
    )


def batches_of(geometry: Geometry, vocab_size: int) -> list[Batch]:
    return [b for chunk in chunks(geometry, vocab_size) for b in chunk.batches]


@given(geometries(), VOCABULARIES)
def test_every_position_is_scored_once_and_in_order(geometry, vocab_size):
    """The batches' targets, joined, are 1, 2, ..., T - 1."""
    scored = [p for b in batches_of(geometry, vocab_size) for p in b.targets]

    assert scored == list(range(1, geometry.stream_tokens))


@given(geometries(), VOCABULARIES)
def test_chunks_partition_the_targets(geometry, vocab_size):
    """Chunks follow each other without gap, all full but the last, and batches stay inside."""
    cut = list(chunks(geometry, vocab_size))

    assert (cut[0].start, cut[-1].stop) == (1, geometry.stream_tokens)
    assert all(a.stop == b.start for a, b in pairwise(cut))
    assert [c.index for c in cut] == list(range(geometry.n_chunks))
    assert {c.stop - c.start for c in cut[:-1]} <= {geometry.chunk_tokens}
    for chunk in cut:
        targets = [p for b in chunk.batches for p in b.targets]
        assert (targets[0], targets[-1]) == (chunk.start, chunk.stop - 1)


@given(geometries(), VOCABULARIES)
def test_inputs_are_what_a_slow_loop_cuts_out(geometry, vocab_size):
    """Each window ends with the token before its last target and goes back as far as it may."""
    tokens = np.arange(geometry.stream_tokens) * 10
    for batch in batches_of(geometry, vocab_size):
        slow = []
        for i in range(batch.n_windows):
            last_target = batch.first_target + (i + 1) * batch.scored - 1
            first_input = max(0, last_target - geometry.seq_len)
            slow.append([int(tokens[p]) for p in range(first_input, last_target)])

        assert batch.inputs(tokens).tolist() == slow
        assert batch.inputs(tokens).max() == tokens[batch.last_input]


@given(geometries(), VOCABULARIES)
def test_no_window_holds_its_last_target_or_a_later_token(geometry, vocab_size):
    """Row i of a window is asked with input up to the token before it, never the token itself."""
    tokens = np.arange(geometry.stream_tokens)
    for batch in batches_of(geometry, vocab_size):
        targets = np.asarray(batch.targets).reshape(batch.n_windows, batch.scored)

        assert (batch.inputs(tokens)[:, -1] == targets[:, -1] - 1).all()
        assert batch.scored <= batch.length <= geometry.seq_len


@given(geometries(), VOCABULARIES)
def test_no_batch_needs_more_than_one_slab(geometry, vocab_size):
    """Rows of a batch fit 64 MB as float32, and a batch has at most 32 windows."""
    for batch in batches_of(geometry, vocab_size):
        assert 4 * vocab_size * len(batch.targets) <= SLAB_BYTES
        assert batch.n_windows <= BATCH_WINDOWS


@given(geometries())
def test_all_windows_but_the_first_score_a_stride(geometry):
    """The first window is scored whole; later ones score `stride`, less only at a chunk's end."""
    for chunk in chunks(geometry, 2):
        widths = [b.scored for b in chunk.batches for _ in range(b.n_windows)]
        first = geometry.seq_len if chunk.index == 0 else geometry.stride

        assert widths[0] == min(first, chunk.stop - chunk.start)
        assert set(widths[1:-1]) <= {geometry.stride}
        assert widths[-1] <= max(first, geometry.stride)


def test_the_drawn_example_of_the_docstring():
    """seq_len 4, stride 2: windows score 1-4, 5-6, 7-8, ..."""
    geometry = Geometry(seq_len=4, stride=2, chunk_tokens=100, stream_tokens=11)
    first, rest = batches_of(geometry, 2)

    assert first == Batch(first_target=1, n_windows=1, length=4, scored=4)
    assert first.inputs(np.arange(11)).tolist() == [[0, 1, 2, 3]]
    assert rest == Batch(first_target=5, n_windows=3, length=4, scored=2)
    assert rest.inputs(np.arange(11)).tolist() == [[2, 3, 4, 5], [4, 5, 6, 7], [6, 7, 8, 9]]


def test_a_later_chunk_starts_with_context_from_before_it():
    """Chunks cut what is learned, not what is seen: windows reach back across a chunk's edge."""
    geometry = Geometry(seq_len=4, stride=2, chunk_tokens=4, stream_tokens=9)
    _, second = chunks(geometry, 2)

    assert second.batches[0].inputs(np.arange(9)).tolist() == [[2, 3, 4, 5], [4, 5, 6, 7]]
