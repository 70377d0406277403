import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_model.data.shards import HEADER_BYTES, MAGIC, ShardError, read_shard, write_shard

ids = st.lists(st.integers(0, 65_535), max_size=300)


@given(tokens=ids)
def test_what_was_written_is_read(tmp_path_factory, tokens):
    """read(write(x)) == x, for every x of 16-bit ids, the empty one too."""
    path = tmp_path_factory.mktemp("shard") / "fineweb_val_000000.bin"
    write_shard(path, np.array(tokens, dtype=np.int64))

    assert read_shard(path).tolist() == tokens
    assert read_shard(path).dtype == np.uint16


def test_the_layout_is_the_challenges(tmp_path):
    """256 int32 of header, then uint16, all little-endian, nothing else."""
    write_shard(tmp_path / "s.bin", np.array([1, 515]))
    raw = (tmp_path / "s.bin").read_bytes()

    assert np.frombuffer(raw[:1024], "<i4").tolist() == [20240520, 1, 2] + [0] * 253
    assert raw[1024:] == bytes([1, 0, 3, 2])


def _header(*fields: int) -> bytes:
    return np.array([*fields, *[0] * (256 - len(fields))], dtype="<i4").tobytes()


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        pytest.param(b"", "header of 1024 bytes, found 0", id="empty"),
        pytest.param(_header(MAGIC, 1, 0)[:-1], "found 1023", id="cut inside the header"),
        pytest.param(b"PK\x03\x04" * 300, "expected magic", id="foreign"),
        pytest.param(_header(MAGIC, 2, 0), "found 20240520 and 2", id="another version"),
        pytest.param(_header(MAGIC, 1, 5) + bytes(9), "promises 5 tokens", id="cut inside a token"),
        pytest.param(_header(MAGIC, 1, 5) + bytes(8), "promises 5 tokens", id="a token short"),
        pytest.param(_header(MAGIC, 1, 5) + bytes(12), "promises 5 tokens", id="a token too many"),
        pytest.param(_header(MAGIC, 1, -1), "promises -1 tokens", id="negative count"),
    ],
)
def test_a_damaged_file_is_refused_by_name(tmp_path, content, complaint):
    """No header that disagrees with its file is read, and the message says which file and why."""
    path = tmp_path / "fineweb_train_000007.bin"
    path.write_bytes(content)

    with pytest.raises(ShardError, match=complaint) as caught:
        read_shard(path)
    assert str(path) in str(caught.value)


@given(keep=st.integers(0, HEADER_BYTES + 39))
def test_every_truncation_is_noticed(tmp_path_factory, keep):
    """A copy that stopped early, wherever it stopped, does not pass as a shorter shard."""
    path = tmp_path_factory.mktemp("shard") / "s.bin"
    write_shard(path, np.arange(20))
    path.write_bytes(path.read_bytes()[:keep])

    with pytest.raises(ShardError):
        read_shard(path)


@pytest.mark.parametrize("tokens", [[-1], [65_536], [0.5], [[1, 2]]])
def test_what_a_shard_cannot_hold_is_not_written(tmp_path, tokens):
    """Ids outside 16 bits, fractions and tables raise before a file appears."""
    with pytest.raises(ShardError):
        write_shard(tmp_path / "s.bin", np.array(tokens))
    assert list(tmp_path.iterdir()) == []


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ShardError, match=r"none\.bin: cannot be read"):
        read_shard(tmp_path / "none.bin")


def test_reading_shards_needs_no_torch():
    """The scanner's side reads shards; importing torch there would cost seconds."""
    check = "import sys, reference_model.data.shards; sys.exit('torch' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", check], timeout=60).returncode == 0
