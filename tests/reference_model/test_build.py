import numpy as np
import pytest

from reference_model.data.build import build, read_documents
from reference_model.data.errors import DataError
from reference_model.data.folder import DataFolder
from reference_model.data.tokenizer import BOS_ID

WIKI = " \n = Lobster = \n \n Blue . \n \n = = Diet = = \n \n Meat . \n \n = Crab = \n \n Red . \n"


def test_wikitext_titles_open_documents(tmp_path):
    """One document a title; section headings and blank lines do not split it."""
    (tmp_path / "wiki.txt").write_text(WIKI)

    assert list(read_documents([tmp_path / "wiki.txt"])) == [
        "= Lobster = Blue . = = Diet = = Meat .",
        "= Crab = Red .",
    ]


def test_other_text_is_grouped_by_paragraphs(tmp_path):
    """Paragraphs stay whole; a group closes once it has passed 2,000 characters."""
    paragraphs = [f"{n} " + "word " * 150 for n in range(7)]
    (tmp_path / "plain.txt").write_text("\n\n".join(paragraphs))
    documents = list(read_documents([tmp_path / "plain.txt"]))

    assert [d.split()[0] for d in documents] == ["0", "3", "6"]
    assert " ".join(documents) == " ".join(" ".join(paragraphs).split())


def test_the_command_builds_what_a_folder_needs(tmp_path, tokenizer_file, module):
    """Shards, tokenizer, BOS before a document, the asked number of tokens, nothing shared."""
    (tmp_path / "train.txt").write_text(WIKI)
    (tmp_path / "val.txt").write_text(" = Crab = \n Red . \n = Shrimp = \n Small and pink .\n")
    out = tmp_path / "out"
    done = module(
        "reference_model.data.build", "--train", tmp_path / "train.txt", "--val",
        tmp_path / "val.txt", "--tokenizer", tokenizer_file, "--out", out, "--val-tokens", 12,
    )  # fmt: skip
    data = DataFolder.open(out)

    assert done.returncode == 0 and "dropped 1 training documents" in done.stdout
    assert data.validation_tokens().size == 12
    assert np.count_nonzero(data.train_tokens() == BOS_ID) == 1
    assert "Crab" not in data.load_tokenizer().decode(data.train_tokens().tolist())


def test_errors_name_the_file_and_leave_no_folder(tmp_path, tokenizer_file):
    (tmp_path / "text.txt").write_text(WIKI)
    (tmp_path / "latin.txt").write_bytes("caf\xe9".encode("latin-1"))
    (tmp_path / "empty.txt").write_text(" \n")
    text, out = tmp_path / "text.txt", tmp_path / "new" / "out"

    for bad, complaint in [
        ("missing.txt", "cannot be read"),
        ("latin.txt", "expected UTF-8"),
        ("empty.txt", "no text"),
    ]:
        with pytest.raises(DataError, match=complaint):
            build(out, [text], [tmp_path / bad], tokenizer_file)
    with pytest.raises(DataError, match="exists already"):
        build(tmp_path, [text], [text], tokenizer_file)
    assert not out.parent.exists() or list(out.parent.iterdir()) == []
