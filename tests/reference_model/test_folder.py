import shutil

import numpy as np
import pytest

from reference_model.data.errors import DataError
from reference_model.data.folder import DataFolder
from reference_model.data.shards import ShardError, read_shard, write_shard


@pytest.fixture
def copy(small_data, tmp_path):
    """The small data folder, free to be damaged."""
    root = tmp_path / "datasets" / "fineweb10B_sp512"
    shutil.copytree(small_data.root, root)
    return root


def test_shards_come_in_name_order(small_data):
    """The stream is the shards one after the other, as every script's glob-and-sort has it."""
    first, second = (read_shard(path) for path in small_data.train_shards)

    assert [path.name[-10:-4] for path in small_data.train_shards] == ["000000", "000001"]
    assert np.array_equal(small_data.train_tokens(), np.concatenate([first, second]))
    assert small_data.train_tokens(limit=first.size + 5).tolist() == [*first, *second[:5]]
    assert small_data.vocab_size == 512


def test_the_challenges_layout_is_found(copy):
    """data/datasets/<name>/*.bin and data/tokenizers/*.model, the size in the name deciding."""
    tokenizers = copy.parent.parent / "tokenizers"
    tokenizers.mkdir()
    model = next(copy.glob("*.model")).rename(tokenizers / "fineweb_512_bpe.model")
    shutil.copy(model, tokenizers / "fineweb_8192_bpe.model")

    assert DataFolder.open(copy).tokenizer == model


def test_two_tokenizers_are_not_guessed_between(copy):
    model = next(copy.glob("*.model"))
    model.rename(copy / "a.model")
    shutil.copy(copy / "a.model", copy / "b.model")

    with pytest.raises(DataError, match=r"several tokenizers \(a\.model, b\.model\)"):
        DataFolder.open(copy)
    assert DataFolder.open(copy, tokenizer=copy / "b.model").tokenizer == copy / "b.model"


@pytest.mark.parametrize(
    ("pattern", "complaint"),
    [("*train*", "no train shards"), ("*val*", "no val shards"), ("*.model", "no SentencePiece")],
)
def test_a_missing_piece_is_named_with_a_cure(copy, pattern, complaint):
    for path in copy.glob(pattern):
        path.unlink()

    with pytest.raises(DataError, match=complaint):
        DataFolder.open(copy)


def test_no_folder_no_data(tmp_path):
    with pytest.raises(DataError, match="no such data folder"):
        DataFolder.open(tmp_path / "nowhere")


def test_ids_beyond_the_vocabulary_are_refused(copy):
    """Shards of another tokenizer would index past every table; they are stopped where read."""
    write_shard(copy / "fineweb_val_000001.bin", np.array([1, 512]))

    with pytest.raises(ShardError, match="token id 512"):
        DataFolder.open(copy).validation_tokens()


def test_the_fingerprint_sees_every_byte_and_no_name(copy):
    """Equal contents, equal fingerprint; one bit in any file, another one."""
    before = DataFolder.open(copy).fingerprint()
    shutil.copytree(copy, copy.parent / "moved")
    assert DataFolder.open(copy.parent / "moved").fingerprint() == before

    for path in (*copy.glob("*.bin"),):
        content = path.read_bytes()
        path.write_bytes(content[:-2] + bytes([content[-2] ^ 1]) + content[-1:])
        assert DataFolder.open(copy).fingerprint() != before
        path.write_bytes(content)
    assert DataFolder.open(copy).fingerprint() == before


def test_the_fingerprint_sees_where_a_shard_ends(copy):
    """The same tokens moved from training to validation are other data."""
    before = DataFolder.open(copy).fingerprint()
    moved = copy / "fineweb_train_000001.bin"
    moved.rename(copy / "fineweb_val_-00001.bin")

    assert DataFolder.open(copy).fingerprint() != before
