"""The alphabet of a script: which ids are text, and where a document begins."""

import json

import numpy as np
import pytest

from harness.streams.vocabulary import Vocabulary


@pytest.mark.parametrize(("size", "boundary"), [(256, 0), (257, 0), (258, 1), (260, 1), (264, 1)])
def test_documents_begin_with_an_id_that_text_never_holds(size: int, boundary: int) -> None:
    """The contest's where it stands for no text, else the first that does not; of plain bytes 0."""
    bytes_ = Vocabulary(size, "plain bytes", None)
    assert bytes_.boundary == boundary
    assert boundary not in bytes_.ordinary
    assert len(bytes_.ordinary) == (255 if size == 256 else 256)


@pytest.mark.parametrize("size", [256, 260])
def test_each_byte_counts_and_nothing_else_does(size: int) -> None:
    """Also where a byte is the boundary, and behind whatever a stream begins with."""
    bytes_ = Vocabulary(size, "plain bytes", None)
    ids = np.array([bytes_.boundary, size - 1, size - 256, size - 100])
    assert bytes_.token_bytes(ids).tolist() == [size == 256, 1, 1, 1]


def test_no_byte_is_described_as_a_special_id() -> None:
    """To a script that reads what its tokenizer is."""
    told = json.loads(Vocabulary(256, "plain bytes", None).as_json())
    assert told["config"] == {} and "bos_id" not in told and told["byte_offset"] == 0
    assert json.loads(Vocabulary(260, "plain bytes", None).as_json())["bos_id"] == 1
