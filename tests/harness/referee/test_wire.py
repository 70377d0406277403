"""The wall's door: what crosses arrives unchanged and private; what breaks it is refused."""

import json
import socket
import struct
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from harness.errors import ContractError, SubmissionError
from harness.predictor import SLAB_BYTES
from harness.referee.wire.channel import MAX_MESSAGE_BYTES, Channel, ChannelClosed, Message
from harness.referee.wire.slab import DTYPES, Slab


@pytest.fixture(scope="module")
def slab() -> Iterator[Slab]:
    slab = Slab.create()
    yield slab
    slab.close()


class Pair:
    """Two ends of one conversation, and the bare socket of the far one."""

    def __init__(self) -> None:
        near, self.far_socket = socket.socketpair()
        outgoing, incoming = Slab.create(), Slab.create()
        self.near = Channel(near, outgoing, incoming)
        self.far = Channel(self.far_socket, incoming, outgoing)
        self.incoming = incoming

    def far_writes(self, body: bytes, length: int | None = None) -> None:
        """What a submission that found the descriptor could write."""
        self.far_socket.sendall(struct.pack(">I", len(body) if length is None else length) + body)


@pytest.fixture
def pair() -> Iterator[Pair]:
    pair = Pair()
    yield pair
    pair.near._socket.close()
    pair.far_socket.close()
    pair.near._outgoing.close()
    pair.near._incoming.close()


arrays = st.sampled_from(DTYPES).flatmap(
    lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0))
)


@given(sent=st.dictionaries(st.text(max_size=8), arrays, max_size=4))
def test_every_array_of_the_protocol_comes_back_bit_for_bit(slab, sent):
    """Any mix of dtypes and shapes, empty and scalar ones included, survives the slab."""
    layout = json.loads(json.dumps(slab.write(sent)))

    read = slab.read(layout)

    assert list(read) == list(sent)
    for name, array in sent.items():
        assert (read[name].dtype, read[name].shape) == (array.dtype, array.shape)
        assert read[name].tobytes() == np.ascontiguousarray(array).tobytes()


def test_strided_arrays_are_sent_as_they_look(slab):
    """A view with strides arrives as its values, not as its memory."""
    view = np.arange(24, dtype=np.int64).reshape(4, 6)[::2, ::-3]

    np.testing.assert_array_equal(slab.read(slab.write({"a": view}))["a"], view)


def test_a_reader_holds_a_private_copy(slab):
    """After a number was read, whoever writes the shared memory does not move it."""
    sent = np.array([1.5, 2.5], np.float64)
    read = slab.read(slab.write({"nats": sent}))["nats"]

    slab.write({"nats": np.array([-1.0, -1.0])})

    np.testing.assert_array_equal(read, sent)
    read[0] = 7.0  # and it is the reader's own to write


def described(**changes: Any) -> dict[str, Any]:
    return {"dtype": "float32", "shape": [2, 3], "offset": 0} | changes


BAD_DESCRIPTIONS = {
    "past the end": described(offset=SLAB_BYTES - 8),
    "too large": described(shape=[SLAB_BYTES, 2]),
    "huge": described(shape=[2**62, 2**62]),  # overflows any fixed-width product
    "negative offset": described(offset=-4),
    "negative shape": described(shape=[-1, 3]),
    "twice negative shape": described(shape=[-2, -3]),
    "empty but impossible": described(shape=[0, 2**70]),
    "more dimensions than numpy has": described(shape=[1] * 100),
    "float16": described(dtype="float16"),
    "object": described(dtype="object"),
    "no dtype at all": described(dtype="nonsense"),
    "structured": described(dtype="f4,f4"),
    "fractional shape": described(shape=[2.5]),
    "shape as text": described(shape=["2"]),
    "infinite shape": described(shape=[float("inf")]),
    "infinite offset": described(offset=float("inf")),
    "shape missing": {"dtype": "float32", "offset": 0},
    "shape a number": described(shape=3),
    "not an object": [1, 2],
    "nothing": None,
}


@pytest.mark.parametrize("entry", BAD_DESCRIPTIONS.values(), ids=BAD_DESCRIPTIONS)
def test_a_description_outside_the_protocol_is_the_submissions_error(slab, entry):
    """Whatever a message says of its arrays, the answer is an array or a ContractError."""
    with pytest.raises(ContractError, match="rows"):
        slab.read({"rows": entry})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)


@given(
    entry=st.fixed_dictionaries(
        {
            "dtype": st.sampled_from(DTYPES) | json_values,
            "shape": st.lists(st.integers(0, 3) | json_values, max_size=3) | json_values,
            "offset": st.integers(0, SLAB_BYTES) | json_values,
        }
    )
    | json_values
)
def test_no_description_crashes_the_harness(slab, entry):
    """An array or a ContractError, for every JSON value in every place."""
    try:
        array = slab.read({"rows": entry})["rows"]
    except ContractError:
        return

    assert array.dtype.name in DTYPES


def test_an_array_larger_than_the_slab_is_refused_with_its_cure(slab):
    """The slab is 64 MB on purpose; the message says what to do."""
    half = np.zeros(SLAB_BYTES // 8 // 2 + 8, np.float64)

    assert slab.write({"a": half})  # one fits
    with pytest.raises(ContractError, match=r"'b'.*smaller pieces"):
        slab.write({"a": half, "b": half})


def test_messages_carry_fields_and_arrays_both_ways(pair):
    """Each side hears the other's operation, fields and arrays, in the order sent."""
    for sender, receiver in ((pair.near, pair.far), (pair.far, pair.near)):
        sent = np.arange(6, dtype=np.int64).reshape(2, 3)
        sender.send(Message("score", {"scored": 3, "text": "ß"}, {"windows": sent}))

        heard = receiver.receive(1.0)

        assert (heard.op, heard.fields) == ("score", {"scored": 3, "text": "ß"})
        np.testing.assert_array_equal(heard.arrays["windows"], sent)


def test_a_number_does_not_move_after_it_was_received(pair):
    """Scores are what they were when the message came, whatever the worker writes later."""
    rows = np.log(np.full((1, 1, 4), 0.25, np.float32))
    pair.far.send(Message("rows", {}, {"rows": rows}))
    heard = pair.near.receive(1.0).arrays["rows"]

    pair.incoming.write({"rows": np.zeros_like(rows)})  # the worker's own mapping of its slab

    np.testing.assert_array_equal(heard, rows)


def test_a_large_message_arrives_in_pieces(pair):
    """A message larger than the socket's buffer is put together again."""
    text = "x" * 3_000_000
    sender = threading.Thread(target=pair.far.send, args=(Message("log", {"text": text}),))
    sender.start()

    assert pair.near.receive(10.0).fields["text"] == text
    sender.join()


BAD_BODIES = {
    "not JSON": b"Epoch 1: loss 3.2\n",
    "not UTF-8": b"\xff\xfe\x00",
    "a list": b"[1, 2]",
    "a number": b"3",
    "no operation": b'{"fields": {}, "arrays": {}}',
    "fields not an object": b'{"op": "rows", "fields": 3, "arrays": {}}',
    "arrays not an object": b'{"op": "rows", "fields": {}, "arrays": [1]}',
    "nothing": b"",
    "nested beyond reason": b"[" * 200_000,
    "an impossible array": b'{"op": "rows", "fields": {}, "arrays": {"rows": {"dtype": "O"}}}',
}


@pytest.mark.parametrize("body", BAD_BODIES.values(), ids=BAD_BODIES)
def test_a_body_outside_the_protocol_is_the_submissions_error(pair, body):
    """Nothing that is written on the channel is more than a ContractError."""
    writer = threading.Thread(target=pair.far_writes, args=(body,))
    writer.start()

    with pytest.raises(ContractError):
        pair.near.receive(5.0)
    writer.join()


def test_an_oversize_length_is_refused_before_its_body_is_read(pair):
    """The length alone decides: nobody makes the harness allocate four gigabytes."""
    pair.far_writes(b"", length=MAX_MESSAGE_BYTES + 1)

    with pytest.raises(ContractError, match="4,000,001 bytes"):
        pair.near.receive(1.0)


@pytest.mark.parametrize("part", [b"", b"\x00\x00", struct.pack(">I", 50) + b'{"op"'])
def test_a_peer_that_closes_is_told_apart_from_one_that_lies(pair, part):
    """A close before or inside a message is ChannelClosed."""
    pair.far_socket.sendall(part)
    pair.far_socket.close()

    with pytest.raises(ChannelClosed):
        pair.near.receive(1.0)


def test_sending_to_a_closed_peer_is_channel_closed(pair):
    """So that the harness reports how the worker ended, not a broken pipe."""
    pair.far_socket.close()

    with pytest.raises(ChannelClosed):
        pair.near.send(Message("adapt", {"text": "x"}))
    assert issubclass(ChannelClosed, SubmissionError)


def test_silence_is_a_timeout(pair):
    """No answer within the limit is TimeoutError, also in the middle of a message."""
    with pytest.raises(TimeoutError):
        pair.near.receive(0.01)
    pair.far_socket.sendall(b"\x00\x00")
    with pytest.raises(TimeoutError):
        pair.near.receive(0.01)
