import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_model.data.errors import DataError
from reference_model.data.tokenizer import load_tokenizer, train_tokenizer


def test_special_ids_are_the_challenges(tokenizer):
    """0 pad, 1 bos, 2 eos, 3 unk, 4-259 the bytes in order, then pieces."""
    assert [tokenizer.id_to_piece(i) for i in range(4)] == ["<pad>", "<s>", "</s>", "<unk>"]
    assert [tokenizer.id_to_piece(4 + b) for b in range(256)] == [
        f"<0x{b:02X}>" for b in range(256)
    ]
    assert tokenizer.is_unknown(3) and all(tokenizer.is_control(i) for i in range(3))
    assert not tokenizer.is_byte(260)


@given(text=st.text(st.characters(codec="utf-8", exclude_characters="\u2581")))
def test_tokenising_loses_nothing(tokenizer, text):
    """decode(encode(x)) == x: nothing is normalised, folded or unknown."""
    ids = tokenizer.encode(text)

    assert tokenizer.decode(ids) == text
    assert all(i > 3 for i in ids)


def test_training_is_a_function_of_the_texts(texts, tokenizer_file):
    assert train_tokenizer(iter(texts), vocab_size=512) == tokenizer_file.read_bytes()


def test_training_is_quiet(texts, capfd):
    train_tokenizer(texts[:5], vocab_size=400)

    assert capfd.readouterr() == ("", "")


def test_too_little_text_is_said_so():
    with pytest.raises(DataError, match="give more text"):
        train_tokenizer([], vocab_size=1024)


@pytest.mark.parametrize("content", [b"", b"no model", bytes(1000)])
def test_what_is_no_model_is_refused_by_name(tmp_path, content):
    (tmp_path / "odd.model").write_bytes(content)

    with pytest.raises(DataError, match=r"odd\.model"):
        load_tokenizer(tmp_path / "odd.model")
