"""A stream as the text that a script reads: what it encodes is the stream."""

import pickle
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from audits.contests import load_contest
from harness.inside.shim import byte_pairs
from harness.inside.shim.unserved import UnservedConstruct
from harness.stage.data_layout import StageData
from harness.stage.text_layout import write_text
from harness.streams.characters import CharacterVocabulary
from harness.streams.pure import pure_stream
from harness.streams.stream_plan import RowPlan
from harness.streams.uneven import uneven_stream

CONTEST = load_contest("autoresearch")
VOCABULARY = CharacterVocabulary.with_specials(CONTEST.tokenizer.specials)  # type: ignore[union-attr]
PLAN = RowPlan.of_rows(8, 65, 1.0)
CACHE = Path(".home", ".cache", "autoresearch")


@pytest.fixture
def encoding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> byte_pairs.Encoding:
    """The pickled tokenizer of a stage, as a script without tiktoken loads it."""
    monkeypatch.setitem(sys.modules, "tiktoken", byte_pairs)
    monkeypatch.setitem(sys.modules, "tiktoken.core", byte_pairs)
    tokens = PLAN.drawn(VOCABULARY, 7).tokens
    write_text(CONTEST, VOCABULARY, StageData(tokens, (tokens,)), tmp_path)
    loaded: byte_pairs.Encoding = pickle.loads(
        (tmp_path / CACHE / "tokenizer/tokenizer.pkl").read_bytes()
    )
    return loaded


def test_encoding_the_shard_gives_back_the_stream(
    encoding: byte_pairs.Encoding, tmp_path: Path
) -> None:
    """Document by document, in order, over and over, each behind the token that opens it."""
    shard = pq.read_table(tmp_path / CACHE / "data/shard_06542.parquet").column("text").to_pylist()
    bos = encoding.encode_single_token("<|reserved_0|>")
    rows = [[bos, *encoding.encode_ordinary(text)] for text in shard]
    stream = PLAN.drawn(VOCABULARY, 7).tokens.reshape(8, 65)

    assert np.array_equal(np.array(rows[:8]), stream) and rows[8:16] == rows[:8]
    assert len(rows) >= 1_000


def test_bytes_are_counted_as_decoding_counts_them(
    encoding: byte_pairs.Encoding, tmp_path: Path
) -> None:
    """By the contest's rule: the decoded text; nothing for specials, three for a lone byte."""
    table = torch.load(tmp_path / CACHE / "tokenizer/token_bytes.pt")
    special = encoding.special_tokens_set
    texts = [encoding.decode([i]) for i in range(encoding.n_vocab)]

    assert table.tolist() == [0 if text in special else len(text.encode()) for text in texts]
    assert int(VOCABULARY.token_bytes(VOCABULARY.encode("aБ")).sum()) == 3


def test_rows_have_one_length_under_every_law() -> None:
    """What packs documents of one length keeps their order; the token that opens one is given."""
    base = PLAN.drawn(VOCABULARY, 7)
    uneven = uneven_stream(base, 7, 8 * 65)
    assert uneven is not None
    for stream in (base, pure_stream(base, 7, 8 * 65).stream, uneven.stream):
        assert np.array_equal(stream.starts, np.arange(8) * 65)
        assert len(stream.targets) == 8 * 64 and stream.row_tokens == 65
        assert not stream.drawn[stream.starts].any()
    only_characters = np.isin(np.delete(base.tokens, base.starts), VOCABULARY.ordinary)
    assert only_characters.all()


def test_merges_across_characters_are_not_served() -> None:
    """A vocabulary whose tokens depend on how text is split is refused by name."""
    ranks = VOCABULARY.ranks | {b"th": 999}
    with pytest.raises(UnservedConstruct, match="merges across characters"):
        byte_pairs.Encoding("x", pat_str="", mergeable_ranks=ranks, special_tokens={"<|a|>": 1_000})


def test_specials_stand_for_themselves_only_where_they_are_allowed() -> None:
    """As tiktoken reads them."""
    encoding = byte_pairs.Encoding(
        "x", pat_str="", mergeable_ranks=VOCABULARY.ranks, special_tokens=VOCABULARY.special_ids
    )
    name = "<|reserved_1|>"

    assert encoding.encode(f"a{name}b", allowed_special="all") == [
        97,
        VOCABULARY.special_ids[name],
        98,
    ]
    assert encoding.decode(encoding.encode_ordinary(f"a{name}é")) == f"a{name}é"
