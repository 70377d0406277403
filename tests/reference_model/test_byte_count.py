"""The denominator, against the text itself: decode, encode as UTF-8, take the length."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_model.data.byte_count import ByteTable
from reference_model.data.tokenizer import BOS_ID, EOS_ID, PAD_ID, UNK_ID, encode_document

# Any text but U+2581, which SentencePiece itself reads as a space (tested below).
unicode_texts = st.text(st.characters(codec="utf-8", exclude_characters="\u2581"))


@pytest.fixture(scope="module")
def table(tokenizer):
    return ByteTable.from_tokenizer(tokenizer)


def n_bytes(table: ByteTable, ids: list[int]) -> int:
    """Bytes of everything after the first id."""
    ids = np.array(ids)
    return int(table.count(ids[:-1], ids[1:]).sum())


@given(text=unicode_texts)
def test_a_document_counts_its_utf8_length(tokenizer, table, text):
    """BOS + encode(text) counts len(utf8(text)), less the one space a document may open with."""
    ids = encode_document(tokenizer, text)

    assert n_bytes(table, ids) == len(text.encode()) - text.startswith(" ")


@given(documents=st.lists(unicode_texts.map(str.lstrip), max_size=5))
def test_documents_add_up(tokenizer, table, documents):
    """Packed documents count the sum of their texts; the boundaries between them count nothing."""
    ids = [i for document in documents for i in encode_document(tokenizer, document)]

    assert n_bytes(table, [BOS_ID, *ids]) == sum(len(d.encode()) for d in documents)


@given(ids=st.lists(st.integers(4, 259), max_size=20))
def test_byte_tokens_count_one_each(table, ids):
    """Even where they are no valid UTF-8 (a decoder would show three bytes of U+FFFD for one)."""
    assert n_bytes(table, [BOS_ID, *ids]) == len(ids)


@given(ids=st.lists(st.integers(260, 511), min_size=1, max_size=30))
def test_any_run_of_pieces_counts_what_it_decodes_to(tokenizer, table, ids):
    """Also runs that the tokenizer itself would never choose."""
    spaced = tokenizer.id_to_piece(ids[0]).startswith("\u2581")

    assert n_bytes(table, [BOS_ID, *ids]) == len(tokenizer.decode(ids).encode()) - spaced


@pytest.mark.parametrize("boundary", [PAD_ID, BOS_ID, EOS_ID, UNK_ID])
def test_after_a_boundary_the_leading_space_is_free(tokenizer, table, boundary):
    """The canonical +1 belongs to the pair (previous, target), not to the target."""
    (spaced,) = tokenizer.encode(" the")
    byte = tokenizer.piece_to_id("<0x0A>")

    assert n_bytes(table, [boundary, spaced]) == 3
    assert n_bytes(table, [spaced, spaced]) == 4
    assert n_bytes(table, [byte, spaced]) == 4
    assert n_bytes(table, [spaced, boundary]) == 0


def test_the_space_sign_in_a_text_is_a_space(tokenizer, table):
    """U+2581 cannot be told from a space once it is tokens: it counts one byte, not three."""
    ids = encode_document(tokenizer, "a\u2581b")

    assert tokenizer.decode(ids) == "a b"
    assert n_bytes(table, ids) == 3


def test_the_count_is_a_vector_of_whole_bytes(table):
    counts = table.count(np.array([1, 300], dtype=np.uint16), np.array([300, 1], dtype=np.uint16))

    assert counts.shape == (2,) and counts.dtype == np.int64
