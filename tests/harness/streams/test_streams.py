"""Streams: the denominator, altered futures, and text of exactly known law."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from harness.arrays import Tokens
from harness.errors import HarnessError
from harness.predictor import Geometry
from harness.referee.source_run import DOCUMENT_TOKENS, N_DOCUMENTS
from harness.streams.drawn import Schedule, SourceStream, draw
from harness.streams.model_rows import Ask, ModelRows
from harness.streams.perturb import altered_future
from harness.streams.probes import N_CUTS, N_OPENED, OPENED, probe_cuts
from harness.streams.stream import text_stream, validation_stream
from harness.streams.vocabulary import Vocabulary
from harness.streams.windows import chunks
from reference_model.data.tokenizer import encode_document, load_tokenizer

seeds = st.integers(0, 2**32 - 1)


def test_the_ordinary_ids_are_those_that_text_is_made_of(vocabulary, data_folder):
    """No control, unknown or unused id is ordinary; every other one is."""
    sp = load_tokenizer(data_folder.tokenizer)
    special = {sp.bos_id(), sp.eos_id(), sp.unk_id(), sp.pad_id()} - {-1}

    assert set(vocabulary.ordinary.tolist()) == set(range(vocabulary.size)) - special
    assert vocabulary.size == 1024 and vocabulary.boundary == sp.bos_id()


@given(texts=st.lists(st.text(st.characters(codec="utf-8"), max_size=40), min_size=1, max_size=5))
def test_bytes_are_the_utf8_length_of_the_scored_text(vocabulary, data_folder, texts):
    """Whatever the text, byte-fallback pieces and spaces included, boundaries count nothing."""
    sp = load_tokenizer(data_folder.tokenizer)
    documents = [encode_document(sp, text) for text in texts]
    tokens = np.concatenate(documents).astype(np.int64)
    decoded = [sp.decode([int(i) for i in document]) for document in documents]

    n_bytes = int(vocabulary.token_bytes(tokens)[1:].sum())

    assert n_bytes == sum(len(text.encode()) for text in decoded)


def test_the_validation_stream_is_the_split_in_order(data_folder, vocabulary):
    """All tokens as int64; `limit` takes the first; fewer than two cannot be scored."""
    whole = validation_stream(data_folder, vocabulary)

    assert whole.tokens.dtype == np.int64
    np.testing.assert_array_equal(whole.tokens, data_folder.validation_tokens())
    np.testing.assert_array_equal(
        validation_stream(data_folder, vocabulary, 9).tokens, whole.tokens[:9]
    )
    assert whole.n_scored == len(whole.tokens) - 1
    with pytest.raises(HarnessError, match="at least 2"):
        validation_stream(data_folder, vocabulary, 1)


@given(seed=seeds, cut=st.integers(0, 200))
def test_an_altered_future_changes_all_of_the_future_and_nothing_else(vocabulary, seed, cut):
    """From the cut on every ordinary token is another ordinary one; boundaries stay put."""
    rng = np.random.default_rng(seed)
    tokens = rng.choice(vocabulary.ordinary, 200)
    tokens[rng.random(200) < 0.1] = vocabulary.boundary
    stream = text_stream(tokens, vocabulary)

    altered = altered_future(stream, cut, vocabulary.ordinary, rng)

    np.testing.assert_array_equal(stream.tokens[:cut], altered[:cut])
    bos = tokens == vocabulary.boundary
    np.testing.assert_array_equal(altered == vocabulary.boundary, bos)
    assert (altered[cut:] != tokens[cut:])[~bos[cut:]].all()
    assert np.isin(altered[~bos], vocabulary.ordinary).all()


def bigram_rows(vocabulary: Vocabulary, seed: int = 1) -> np.ndarray:
    """(V, V) float32 nats: the law of the next token given the last; special ids have mass too."""
    logits = np.random.default_rng(seed).normal(0, 2, (vocabulary.size, vocabulary.size))
    return (logits - np.log(np.exp(logits).sum(1, keepdims=True))).astype(np.float32)


def sampled(ask: Ask, vocabulary: Vocabulary, seq_len: int, seed: int) -> SourceStream:
    """Documents of the refereed source test."""
    plan = Schedule(np.full(N_DOCUMENTS, DOCUMENT_TOKENS), np.zeros(N_DOCUMENTS, np.int64))
    law = ModelRows(ask, seq_len, "rows")
    return draw([law], plan, vocabulary.ordinary, vocabulary.boundary, seed)


def drawn(vocabulary: Vocabulary, seed: int = 3, seq_len: int = 32) -> SourceStream:
    rows = bigram_rows(vocabulary)
    return sampled(lambda windows: rows[windows[:, -1]], vocabulary, seq_len, seed)


def test_log_q_is_the_law_recomputed_token_by_token(vocabulary):
    """q of each drawn token is its row cut to the ordinary ids and divided by their sum."""
    rows, source = bigram_rows(vocabulary), drawn(vocabulary)
    tokens = source.tokens
    for t in range(1, len(tokens)):
        if not source.drawn[t]:
            continue
        p = np.exp(rows[tokens[t - 1]].astype(np.float64))
        q = p[tokens[t]] / p[vocabulary.ordinary].sum()
        assert source.log_q[t] == pytest.approx(np.log(q), abs=1e-9)


def test_documents_open_on_schedule_and_nothing_else_is_special(vocabulary):
    """Boundaries lie at multiples of the document length, cost nothing (q = 1), and only ordinary
    ids are drawn between them.
    """
    source = drawn(vocabulary)
    schedule = np.arange(N_DOCUMENTS) * DOCUMENT_TOKENS

    np.testing.assert_array_equal(source.starts, schedule)
    assert (source.log_q[schedule] == 0).all()
    assert source.drawn.sum() == len(source.drawn) - N_DOCUMENTS - 1  # the last is scheduled
    assert np.isin(source.tokens[source.drawn], vocabulary.ordinary).all()
    assert (source.log_q[source.drawn] < 0).all()


def test_each_document_is_asked_for_with_its_own_past_only(vocabulary):
    """Windows start at the boundary or hold the last seq_len tokens; no document sees another."""
    rows, asked = bigram_rows(vocabulary), []

    def ask(windows: Tokens) -> np.ndarray:
        asked.append(windows.copy())
        return rows[windows[:, -1]]

    documents = sampled(ask, vocabulary, 32, 3).tokens.reshape(N_DOCUMENTS, -1)

    assert len(asked) == DOCUMENT_TOKENS - 1
    for n, windows in enumerate(asked, start=1):
        np.testing.assert_array_equal(windows, documents[:, max(0, n - 32) : n])


def test_the_seed_decides_the_stream(vocabulary):
    """Same seed, same stream; another seed, another."""
    one, same, other = drawn(vocabulary, 3), drawn(vocabulary, 3), drawn(vocabulary, 4)

    np.testing.assert_array_equal(one.tokens, same.tokens)
    assert (one.tokens != other.tokens).mean() > 0.5


def test_frequencies_follow_the_law(vocabulary):
    """Under a fixed law on eight ids, chi-square finds nothing odd in six streams of draws."""
    ids = vocabulary.ordinary[10:18]
    law = np.array([0.4, 0.2, 0.1, 0.1, 0.08, 0.06, 0.05, 0.01])
    row = np.full(vocabulary.size, -np.inf, np.float32)
    row[ids] = np.log(law)
    counts = np.zeros(len(ids))
    for seed in range(6):
        source = sampled(lambda windows: np.tile(row, (len(windows), 1)), vocabulary, 16, seed)
        counts += (source.tokens[source.drawn][:, None] == ids).sum(0)

    assert counts.sum() == 6 * (N_DOCUMENTS * (DOCUMENT_TOKENS - 1) - 1)
    assert chisquare(counts, law * counts.sum()).pvalue > 1e-3


GEOMETRIES = {
    "many chunks": Geometry(seq_len=32, stride=16, chunk_tokens=192, stream_tokens=640),
    "one chunk": Geometry(seq_len=32, stride=16, chunk_tokens=4096, stream_tokens=640),
    "windows of one target": Geometry(seq_len=32, stride=1, chunk_tokens=192, stream_tokens=640),
}


@pytest.mark.parametrize("geometry", GEOMETRIES.values(), ids=GEOMETRIES)
@pytest.mark.parametrize("seed", range(4))
def test_cuts_lie_at_the_edges_that_they_name(short_stream, vocabulary, geometry, seed):
    """A document edge is at a boundary or after it, a chunk edge within two of one, and so on."""
    cuts = probe_cuts(short_stream, vocabulary, geometry, seed)
    cut_chunks = list(chunks(geometry, vocabulary.size))
    batches = [b for c in cut_chunks for b in c.batches]
    starts, stops = {c.start for c in cut_chunks}, {c.stop for c in cut_chunks}
    edges = {b.targets.start + i * b.scored for b in batches for i in range(b.n_windows)}

    assert len(cuts) == N_CUTS + N_OPENED and list(cuts) == sorted(cuts)
    assert {"interior", "window edge"} <= {kind for kind, _, _ in cuts.values()}
    for cut, (kind, _, _) in cuts.items():
        assert {
            "chunk edge": bool({cut, cut - 1} & starts or {cut + 2, cut + 3} & stops),
            "document edge": bool({cut, cut - 1} & set(short_stream.starts.tolist())),
            "window edge": cut in edges,
            "interior": True,
            OPENED: True,
        }[kind]


@given(
    seed=seeds,
    n_tokens=st.integers(2, 300),
    stride=st.integers(1, 16),
    chunk_tokens=st.integers(1, 100),
)
def test_a_cut_changes_an_input_of_the_batch_that_it_is_asked_in(
    short_stream, vocabulary, seed, n_tokens, stride, chunk_tokens
):
    """Each cut is a target and an input of one batch: only there it can leak."""
    stream = text_stream(short_stream.tokens[:n_tokens], vocabulary)
    geometry = Geometry(16, stride, chunk_tokens, n_tokens)
    batches = [b for c in chunks(geometry, vocabulary.size) for b in c.batches]

    cuts = probe_cuts(stream, vocabulary, geometry, seed)

    assert len(cuts) <= N_CUTS + N_OPENED
    for cut, (_, *futures) in cuts.items():
        (batch,) = [b for b in batches if cut in b.targets]
        assert cut <= batch.last_input
        for future in futures:
            np.testing.assert_array_equal(future[:cut], stream.tokens[:cut])
            assert len(future) == n_tokens


def test_documents_end_elsewhere_in_some_futures_and_where_they_did_in_the_others(
    short_stream, vocabulary
):
    """Both futures of such a cut open a document there, or leave it out: a predictor that knew of
    the boundary moves under both.
    """
    cuts = probe_cuts(short_stream, vocabulary, GEOMETRIES["many chunks"], 5)
    opened = short_stream.tokens == vocabulary.boundary

    for cut, (kind, *futures) in cuts.items():
        for future in futures:
            now = future == vocabulary.boundary
            assert now[cut] == (opened[cut] != (kind == OPENED))
            assert kind == OPENED or (now == opened).all()


def test_the_two_futures_of_a_cut_differ(short_stream, vocabulary):
    """A move counts only when both repeat it, so they must not be one future twice."""
    cuts = probe_cuts(short_stream, vocabulary, GEOMETRIES["many chunks"], 5)

    for cut, (_, one, two) in cuts.items():
        assert (one[cut:] != two[cut:]).mean() > 0.5
