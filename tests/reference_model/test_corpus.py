import os
import shutil
import sys

import numpy as np
import pytest

from reference_model.data import corpus
from reference_model.data.byte_count import ByteTable
from reference_model.data.cache import VARIABLE
from reference_model.data.errors import DataError
from reference_model.data.tokenizer import BOS_ID


@pytest.fixture(scope="module")
def embedded(tmp_path_factory):
    return corpus.embedded_data(tmp_path_factory.mktemp("cache") / "embedded")


def documents(data, tokens) -> list[str]:
    starts = np.flatnonzero(tokens == BOS_ID)
    tokenizer = data.load_tokenizer()
    return [tokenizer.decode(part.tolist()) for part in np.split(tokens, starts)[1:]]


def test_it_is_of_a_useful_size(embedded):
    """Enough to train a small model on, little enough to score it within seconds."""
    assert embedded.vocab_size == 1024
    assert 300_000 < embedded.train_tokens().size < 2_000_000
    assert 0.95 * 65_536 < embedded.validation_tokens().size <= 65_536


def test_no_document_is_in_both_splits(embedded):
    """DATA-4 holds by construction: whole sources are held out, repeated paragraphs dropped."""
    train = documents(embedded, embedded.train_tokens())
    val = documents(embedded, embedded.validation_tokens())

    assert len(set(train)) == len(train) and len(set(val)) == len(val)
    assert set(train).isdisjoint(val)
    assert len(val) >= 30  # per-document methods have something to work on


def test_every_byte_is_accounted_for(embedded):
    """The table's total is the length of the decoded validation text."""
    tokens = embedded.validation_tokens()
    text = documents(embedded, tokens)
    table = ByteTable.from_tokenizer(embedded.load_tokenizer())

    assert tokens[0] == BOS_ID
    assert table.count(tokens[:-1], tokens[1:]).sum() == sum(len(d.encode()) for d in text)


def test_building_again_gives_the_same_bytes(embedded, tmp_path):
    assert corpus.embedded_data(tmp_path / "again").fingerprint() == embedded.fingerprint()


def test_a_built_folder_is_not_built_again(embedded, monkeypatch):
    monkeypatch.setattr(corpus, "_build", lambda folder: pytest.fail("built twice"))

    assert corpus.embedded_data(embedded.root) == embedded


def test_a_kill_while_building_leaves_nothing_that_looks_complete(tmp_path, monkeypatch):
    """What dies half way leaves no folder; the next call builds it."""

    def die(folder):
        (folder / "fineweb_val_000000.bin").write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(corpus, "_build", die)
    with pytest.raises(KeyboardInterrupt):
        corpus.embedded_data(tmp_path / "embedded")
    assert os.listdir(tmp_path) == []


def test_a_folder_of_another_recipe_is_replaced(embedded, tmp_path, monkeypatch):
    cache = tmp_path / "embedded"
    cache.mkdir()
    (cache / "corpus.json").write_text('{"recipe": 0}')

    def rebuild(folder):
        for path in embedded.root.iterdir():
            (folder / path.name).write_bytes(path.read_bytes())

    monkeypatch.setattr(corpus, "_build", rebuild)

    assert corpus.embedded_data(cache).fingerprint() == embedded.fingerprint()
    assert os.listdir(tmp_path) == ["embedded"]


def test_of_two_that_build_at_once_one_stays(embedded, tmp_path, monkeypatch):
    """The second finds the first one's folder in place, and uses it."""
    cache, builds = tmp_path / "embedded", []

    def build(folder):
        builds.append(folder)
        for path in embedded.root.iterdir():
            (folder / path.name).write_bytes(path.read_bytes())
        if len(builds) == 1:
            corpus.embedded_data(cache)  # the other process, faster

    monkeypatch.setattr(corpus, "_build", build)
    assert corpus.embedded_data(cache).fingerprint() == embedded.fingerprint()
    assert len(builds) == 2 and os.listdir(tmp_path) == ["embedded"]


def test_the_cache_of_this_user_holds_it_by_recipe_and_python(embedded, tmp_path, monkeypatch):
    """Another Python has other text: neither replaces what the other is reading."""
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    version = ".".join(map(str, sys.version_info[:3]))
    place = tmp_path / "data" / f"embedded-{corpus.RECIPE}-{version}"
    shutil.copytree(embedded.root, place)
    assert corpus.embedded_data().root == place


def test_a_folder_with_something_else_in_it_is_never_replaced(tmp_path):
    """Only a built corpus or nothing may stand in the way; a stranger's file is named and kept."""
    keep = tmp_path / "data" / "mine" / "shard.bin"
    keep.parent.mkdir(parents=True)
    keep.write_bytes(b"precious")

    with pytest.raises(DataError, match="mine"):
        corpus.embedded_data(tmp_path / "data")

    assert keep.read_bytes() == b"precious"
